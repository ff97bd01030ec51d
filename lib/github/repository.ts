import { z } from "zod";
import { ciStack } from "../engine/stacks";
import { InputError } from "../errors";
import { typed } from "../system/commandLine";
import { progress } from "../system/progress";
import { quote } from "../system/shell";
import { type Answer, type GitHubTarget, UnreachableError, ask } from "./api";
import { type Access, accessFacts, environmentIn } from "./permissions";
import { RefusedError, grant } from "./refusals";

/**
 * Removes a variable. A variable that does not exist is not an error.
 *
 * @throws InputError if the token lacks the permission
 * @throws UnreachableError if GitHub is not available
 */
export async function removeVariable(target: GitHubTarget, name: string): Promise<void> {
    const path = `/actions/variables/${encodeURIComponent(name)}`;
    const what = `remove the variable ${name}`;
    await asking(target, () => ask(target, inRepository(target, path), what, { method: "DELETE" }));
}

/* Queries to GitHub before the plan. They change nothing. */

const repositorySchema = z.object({ archived: z.boolean(), full_name: z.string() });
const branchSchema = z.object({ protected: z.boolean() });

/** Returns a path of the REST interface below the repository. */
export const inRepository = ({ owner, repository }: GitHubTarget, path = "") => `repos/${owner}/${repository}${path}`;
/** "owner/repository". */
export const nameOf = ({ owner, repository }: GitHubTarget) => `${owner}/${repository}`;

/** Runs requests to the repository, and reports on stderr if they take more than two seconds. */
export const asking = <T>(target: GitHubTarget, requests: () => Promise<T>): Promise<T> =>
    progress(`asking GitHub about ${nameOf(target)}`, requests, { after: 2000 });

/**
 * Returns the body of a response.
 *
 * @throws UnreachableError if the body does not match the schema: it does not come from GitHub
 */
export function parse<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new UnreachableError(`GitHub's response to "${what}" is invalid: ${z.prettifyError(parsed.error)}`);
}

/**
 * Reads the repository's data from GitHub.
 *
 * @throws InputError if it does not exist, or the token is refused
 * @throws UnreachableError if GitHub is not available
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

const defaultBranchSchema = z.object({ default_branch: z.string() });

/**
 * Refuses a branch that the repository does not have, unless it is the default branch, which an empty repository does not have yet either.
 * A token that may not read branches lets every name pass. Throws the errors of `readRepository`.
 *
 * @throws InputError that names the default branch
 */
export async function checkBranch(target: GitHubTarget): Promise<void> {
    const { branch } = target;
    const { body } = await readRepository(target);
    const { default_branch: usual } = parse(defaultBranchSchema, body, `read the repository ${nameOf(target)}`);
    if (branch === usual) return;
    try {
        const what = `read the branch ${branch}`;
        const found = await ask(target, inRepository(target, `/branches/${encodeURIComponent(branch)}`), what);
        if (found.body !== undefined) return;
    } catch (error) {
        if (error instanceof RefusedError) return;
        throw error;
    }
    throw new InputError({
        problem: `images would be built from branch ${branch}, and ${nameOf(target)} has none of that name: its default branch is ${usual}`,
        next: `pulumi config set --stack ${ciStack} --path github.branch ${quote(usual)} (after pulumi stack init ${ciStack}), or make the branch`,
    });
}

const visibilitySchema = z.object({ private: z.boolean() });

/** Whether the repository is private. Throws the errors of `readRepository`. */
export async function isPrivate(target: GitHubTarget): Promise<boolean> {
    const { body } = await readRepository(target);
    return parse(visibilitySchema, body, `read the repository ${nameOf(target)}`).private;
}

/**
 * Checks that the repository and its branch exist and are writable, as far as read requests can determine.
 *
 * @returns whether the branch is protected, and the headers of a response, which describe the token
 * @throws InputError if the repository or branch does not exist
 * @throws RefusedError if the repository is archived, or the token is refused
 * @throws UnreachableError if GitHub is not available
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

/**
 * Checks that the token can at least read the resources that the run will change. Throws the errors of
 * `checkRepository`.
 */
export async function checkAccess(target: GitHubTarget, wanted: readonly Access[]): Promise<void> {
    for (const access of wanted) {
        const { kind, path } = accessFacts(access);
        const what = `use ${access === "variables" ? "variables" : "secrets"} of ${nameOf(target)} (${access})`;
        const { body } = await ask(target, inRepository(target, `/${path}`), what);
        if (body !== undefined) continue;
        const environment = environmentIn(access);
        if (environment !== undefined) {
            const problem = {
                problem: `${nameOf(target)} has no environment ${environment}, or the token in GITHUB_TOKEN may not use its secrets`,
                next: `make it (Settings, Environments; ${typed("github-setup")} lists all), or ${grant(kind)}`,
            };
            throw new RefusedError(problem, "values");
        }
        const problem = {
            where: "environment variable GITHUB_TOKEN",
            problem: `this token may not ${what}`,
            next: grant(kind),
        };
        throw new RefusedError(problem, "values");
    }
}
