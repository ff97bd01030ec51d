import { type GitHubTarget, ask } from "./api";
import { inRepository } from "./repository";

/**
 * Removes a variable. That it is gone already is no error.
 *
 * @throws InputError when the token may not
 * @throws UnreachableError when GitHub can't be asked
 */
export async function removeVariable(target: GitHubTarget, name: string): Promise<void> {
    const path = `/actions/variables/${encodeURIComponent(name)}`;
    await ask(target, inRepository(target, path), `remove the variable ${name}`, { method: "DELETE" });
}
