import { z } from "zod";
import { InputError } from "../errors";
import { type Answer, type GitHubTarget, UnreachableError, ask } from "./api";
import { type Access, accesses } from "./permissions";
import { RefusedError, grant } from "./refusals";

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

/* What GitHub is asked before the plan. Nothing here changes anything. */

const repositorySchema = z.object({ archived: z.boolean(), full_name: z.string() });
const branchSchema = z.object({ protected: z.boolean() });

/** A path of the REST interface below the repository. */
export const inRepository = ({ owner, repository }: GitHubTarget, path = "") => `repos/${owner}/${repository}${path}`;
/** "owner/repository". */
export const nameOf = ({ owner, repository }: GitHubTarget) => `${owner}/${repository}`;

/**
 * The body of an answer.
 *
 * @throws UnreachableError when it is not GitHub's
 */
export function parse<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new UnreachableError(`GitHub's answer to "${what}" is none: ${z.prettifyError(parsed.error)}`);
}

/**
 * What GitHub says of the repository.
 *
 * @throws InputError when it is not there, or the token is refused
 * @throws UnreachableError when GitHub can't be asked
 */
export async function readRepository(target: GitHubTarget): Promise<Answer> {
    const name = nameOf(target);
    const answer = await ask(target, inRepository(target), `read the repository ${name}`);
    if (answer.body !== undefined) return answer;
    throw new InputError({
        problem: `there is no repository ${name}, or the token in GITHUB_TOKEN can't see it`,
        next: "pulumi config set --path github.repository <name>, pulumi config set github:owner <owner>, or give the token access",
    });
}

/**
 * Checks that the repository and its branch are there and can be written to, as far as reading tells.
 *
 * @returns whether the branch is protected, and the headers of an answer, which tell of the token
 * @throws InputError when one of them is not there
 * @throws RefusedError when the repository is archived, or the token is refused
 * @throws UnreachableError when GitHub can't be asked
 */
export async function checkRepository(
    target: GitHubTarget,
): Promise<{ readonly isProtected: boolean; readonly headers: Headers }> {
    const name = nameOf(target);
    const { body, headers } = await readRepository(target);
    if (parse(repositorySchema, body, `read the repository ${name}`).archived) {
        throw new RefusedError({
            problem: `the repository ${name} is archived: nothing in it can be changed`,
            next: "unarchive it in its settings",
        });
    }
    const what = `read the branch ${target.branch}`;
    const branch = await ask(target, inRepository(target, `/branches/${encodeURIComponent(target.branch)}`), what);
    if (branch.body === undefined) {
        throw new InputError({
            problem: `${name} has no branch ${target.branch}`,
            next: "pulumi config set --path github.branch <branch>",
        });
    }
    return { isProtected: parse(branchSchema, branch.body, what).protected, headers };
}

/** Checks that the token may at least read what the run is going to change. Errors as `checkRepository`. */
export async function checkAccess(target: GitHubTarget, wanted: readonly Access[]): Promise<void> {
    for (const access of wanted) {
        const { kind, path } = accesses[access];
        const what = `use ${access === "variables" ? "variables" : "secrets"} of ${nameOf(target)} (${access})`;
        const { body } = await ask(target, inRepository(target, `/${path}`), what);
        if (body !== undefined) continue;
        const problem = {
            where: "environment variable GITHUB_TOKEN",
            problem: `this token may not ${what}`,
            next: grant(kind),
        };
        throw new RefusedError(problem, "values");
    }
}
