import { refreshAll, refreshFiles } from "../engine/refresh";

/** Kinds of things on GitHub that a run changes, each with the repository permissions that a token needs for it. */
export const permissionsFor = {
    "a workflow file": "Contents and Workflows",
    "a branch": "Contents",
    "a pull request": "Pull requests",
    "a secret": "Secrets",
    "a secret for Dependabot": "Dependabot secrets",
    "a secret for codespaces": "Codespaces secrets",
    "a variable": "Variables",
} as const;
/** One of them. */
export type Kind = keyof typeof permissionsFor;

const grant = (kind: Kind) =>
    `give the token the repository permission ${permissionsFor[kind]}: read and write, at GitHub, Settings, Developer ` +
    "settings, in the token or App itself (an App's owner then accepts it under Installed GitHub Apps; a classic token needs " +
    "the scopes repo and workflow). docs/operations.md lists all";

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
