import { refreshAll, refreshFiles } from "../engine/refresh";
import { InputError, type InputProblem } from "../errors";
import { type Kind, permissions, permissionsText, scopesText, tokenText, workflowFolder } from "./permissions";

/** The next step of who lacks the permission for a kind of thing. */
export const grant = (kind: Kind): string =>
    `give the token the repository permission ${permissionsText(kind)}, at GitHub, Settings, Developer ` +
    "settings, in the token or App itself (an App's owner then accepts it under Installed GitHub Apps; a classic token needs " +
    `${scopesText}). docs/operations.md lists all`;

const exists = /: 409 .*Already exists/i;

/** Whether the newest of the errors is that something of that name is there, and GitHub makes it only once. */
export const existsAlready = ([newest = ""]: readonly string[]): boolean => exists.test(newest);

const failures: readonly (readonly [RegExp, (kind: Kind) => string | undefined])[] = [
    // These are said by what the provider reports; the refusals below would be a wrong reading of them.
    [/rate limit|was archived/i, () => undefined],
    [
        // Protection of a branch and rulesets, whatever they ask for: GitHub takes no commit on it from this token.
        /made through a pull request|protected.branch|rule violations|required status check|approving review|not authorized to push/i,
        () => "propose the files by a pull request: pulumi config set --path github.delivery pull-request",
    ],
    [exists, () => "somebody made it at the same time: run the same command again, which replaces it"],
    [
        /A pull request already exists/i,
        () => "one from this branch was opened meanwhile: run the same command again, which goes on with that",
    ],
    [
        /: 409 .*does not match/,
        () =>
            `somebody changed it since the state was written. Look at it, then update: ${refreshFiles} (npm run up does both)`,
    ],
    [
        /: 401 /,
        () =>
            "the token in GITHUB_TOKEN expired (an App's lives for an hour) or was revoked: run it again with another",
    ],
    [
        /: 403 |not accessible|refusing to allow/,
        (kind) => `the token in GITHUB_TOKEN may not change ${kind}: ${grant(kind)}`,
    ],
    [
        // GitHub says so of what was deleted, and to classic tokens of what they may not change.
        /: 404 /,
        (kind) =>
            `where somebody deleted it, look and make it again: ${refreshAll} (npm run up -- --refresh). Where not: ${grant(kind)}`,
    ],
];

/**
 * What to do when GitHub refuses a change in the middle of a run.
 *
 * @param errors what the provider reported
 * @returns undefined where the report says what it says
 */
export function nextAfterRefusal(errors: readonly string[], kind: Kind): string | undefined {
    const text = errors.join("\n");
    return failures.find(([pattern]) => pattern.test(text))?.[1](kind);
}

/** What a refusal stops: the workflow files, the secrets and variables, or both. */
export type Stopped = "files" | "values" | "everything";

/**
 * GitHub refuses for now what the configuration may well ask for: the token, the rate limit, or what is in the repository today.
 * Nothing of it says that the configuration is wrong, so no image has to wait for it.
 */
export class RefusedError extends InputError {
    constructor(
        problem: InputProblem,
        readonly stops: Stopped = "everything",
    ) {
        super(problem);
    }
}

/** When fewer than `least` requests are left: the time, in milliseconds, when there are all of them again. */
function limitEnd(headers: Headers, least: number): number | undefined {
    const left = headers.get("x-ratelimit-remaining");
    return left !== null && Number(left) < least ? Number(headers.get("x-ratelimit-reset")) * 1000 : undefined;
}

/**
 * What to say when the rate limit would end a run that needs so many requests: in the middle of it the GitHub provider waits
 * for more, silently and for up to an hour.
 *
 * @param headers of any answer
 */
export function shortage(headers: Headers, need: number): RefusedError | undefined {
    const end = limitEnd(headers, need);
    if (end === undefined) return undefined;
    const left = headers.get("x-ratelimit-remaining") ?? "";
    return new RefusedError({
        where: "environment variable GITHUB_TOKEN",
        problem: `GitHub answers this token ${left} more requests until ${new Date(end).toISOString()}; a run may need ${need}`,
        next: "run the same command after that, or with another token",
    });
}

/**
 * What to say of a classic token without the scope for workflow files. Only classic tokens have scopes and say them; an empty
 * list is a fine-grained token's or an App's.
 *
 * @param headers of any answer
 */
export function missingScope(headers: Headers): RefusedError | undefined {
    const scopes = (headers.get("x-oauth-scopes") ?? "").split(",").map((scope) => scope.trim());
    if (scopes.join("") === "" || scopes.includes(permissions.workflows.scope)) return undefined;
    const problem = {
        where: "environment variable GITHUB_TOKEN",
        problem: `this token lacks the scope ${permissions.workflows.scope}, without which GitHub refuses files in ${workflowFolder} (it has ${scopes.join(", ")})`,
        next: "add the scope where the token was made (Settings, Developer settings), or make a fine-grained token",
    };
    return new RefusedError(problem, "files");
}

/** A refusal in the words of who has to mend it; undefined for an answer that is none. */
export function refusal(status: number, headers: Headers, what: string): RefusedError | undefined {
    const where = "environment variable GITHUB_TOKEN";
    if (status === 401) {
        return new RefusedError({
            where,
            problem: "GitHub does not know this token: it expired or was revoked",
            next: `make another with ${tokenText()}`,
        });
    }
    if (status !== 403 && status !== 429) return undefined;
    const after = headers.get("retry-after");
    const end = after === null ? limitEnd(headers, 1) : Date.now() + Number(after) * 1000;
    if (end !== undefined && Number.isFinite(end)) {
        return new RefusedError({
            where,
            problem: `GitHub's rate limit for this token is used up until ${new Date(end).toISOString()}`,
            next: "run the same command after that, or with another token",
        });
    }
    const wanted = headers.get("x-accepted-github-permissions") ?? headers.get("x-accepted-oauth-scopes");
    return new RefusedError({
        where,
        problem: `this token may not ${what}`,
        ...(wanted !== null && wanted !== "" && { allowed: [wanted] }),
        next: `give it ${tokenText()}`,
    });
}
