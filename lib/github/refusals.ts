import { typed } from "../system/commandLine";
import { refreshAll, refreshFiles } from "../engine/refresh";
import { InputError, type InputProblem } from "../errors";
import { type Kind, permissions, permissionsText, scopesText, tokenText, workflowFolder } from "./permissions";

/** Returns the next step for a token without the permission for a kind of resource. */
export const grant = (kind: Kind): string =>
    `give the token the repository permission ${permissionsText(kind)}, at GitHub, Settings, Developer ` +
    "settings, in the token or App itself (an App's owner then accepts it under Installed GitHub Apps; a classic token needs " +
    `${scopesText}). docs/operations.md lists all`;

const exists = /: 409 .*Already exists/i;

/** Whether the newest error reports that a resource of this name already exists. */
export const existsAlready = ([newest = ""]: readonly string[]): boolean => exists.test(newest);

const failures: readonly (readonly [RegExp, (kind: Kind) => string | undefined])[] = [
    // These are said by what the provider reports; the refusals below would be a wrong reading of them.
    [/rate limit|was archived/i, () => undefined],
    [
        // Branch protection and rulesets, whatever they require: GitHub accepts no commit on the branch from this
        // token.
        /made through a pull request|protected.branch|rule violations|required status check|approving review|not authorized to push/i,
        () => "propose the files by a pull request: pulumi config set --path github.delivery pull-request",
    ],
    [exists, () => "another process created it at the same time: run the same command again, which replaces it"],
    [
        /A pull request already exists/i,
        () =>
            "a pull request from this branch was opened at the same time: run the same command again, which continues with it",
    ],
    [
        /: 409 .*does not match/,
        () =>
            `it was changed on GitHub since the last update. Check it, then update: ${refreshFiles} (${typed("up")} does both)`,
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
        // GitHub responds so for deleted resources, and to classic tokens for resources that they must not change.
        /: 404 /,
        (kind) =>
            `if it was deleted on GitHub, check that and create it again: ${refreshAll} (${typed("up", "--refresh")}). Otherwise: ${grant(kind)}`,
    ],
];

/**
 * Returns the next step after GitHub refused a change in the middle of a run.
 *
 * @param errors errors that the provider reported
 * @returns undefined if the errors need no further explanation
 */
export function nextAfterRefusal(errors: readonly string[], kind: Kind): string | undefined {
    const text = errors.join("\n");
    return failures.find(([pattern]) => pattern.test(text))?.[1](kind);
}

/** The resources that a refusal stops: the workflow files, the secrets and variables, or both. */
export type Stopped = "files" | "values" | "everything";

/**
 * GitHub temporarily refuses a valid configuration: because of the token, the rate limit, or the content of the
 * repository. The configuration is not necessarily wrong, so images do not have to wait.
 */
export class RefusedError extends InputError {
    constructor(
        problem: InputProblem,
        readonly stops: Stopped = "everything",
    ) {
        super(problem);
    }
}

/** Returns the time in milliseconds when the rate limit is reset; undefined if at least `least` requests remain. */
function limitEnd(headers: Headers, least: number): number | undefined {
    const left = headers.get("x-ratelimit-remaining");
    return left !== null && Number(left) < least ? Number(headers.get("x-ratelimit-reset")) * 1000 : undefined;
}

/**
 * Returns the error if the rate limit would be used up by a run that needs `need` requests: the GitHub provider would
 * then wait in the middle of the run, silently and for up to an hour.
 *
 * @param headers headers of any response
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
 * Returns the error for a classic token without the scope for workflow files. Only classic tokens have scopes and
 * report them; a fine-grained token or an App has an empty list.
 *
 * @param headers headers of any response
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
