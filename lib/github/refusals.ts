import { typed } from "../system/commandLine";
import { refreshAll, refreshFiles } from "../engine/refresh";
import { InputError, type InputProblem } from "../errors";
import {
    type Kind,
    type Permission,
    permissions,
    permissionsText,
    scopesText,
    tokenText,
    workflowFolder,
} from "./permissions";

/** Returns the next step for a token without the permission for a kind of resource. */
export const grant = (kind: Kind): string =>
    `give the token the repository permission ${permissionsText(kind)}, at GitHub, Settings, Developer ` +
    "settings, in the token or App itself (an App's owner then accepts it under Installed GitHub Apps; a classic token needs " +
    `${scopesText}). docs/operations.md lists all`;

const exists = /: 409 .*Already exists/i;

/** Whether the newest error reports that a resource of this name already exists. */
export const existsAlready = ([newest = ""]: readonly string[]): boolean => exists.test(newest);

/**
 * Rules of a branch or repository that refuse a commit, as GitHub's settings name them, by what GitHub says: branch protection
 * ("Could not update file: …", "GH006"), rulesets ("Repository rule violations found", "GH013") and push rules word the same rule
 * alike. The last ones are for wordings that GitHub adds: what they refuse is a rule in any case.
 *
 * `everywhere` marks rules that hold for the branch of a pull request as well, so that a pull request is no way around them.
 */
const ruleWords: readonly (readonly [pattern: RegExp, rule: string, reach?: "everywhere"])[] = [
    [/made through a pull request/i, "Require a pull request before merging"],
    [/approv(ing|ed) reviews? (is|are) required|code owner/i, "Require approvals"],
    [/required status checks? /i, "Require status checks to pass"],
    [/(verified|valid) signatures?|must be signed/i, "Require signed commits"],
    [/must not contain merge commits/i, "Require linear history"],
    [/merge queue/i, "Require merge queue"],
    [/locked branch/i, "Lock branch", "everywhere"],
    [/code scanning|code quality/i, "Require code scanning results"],
    [/deployments? .*(required|expected|succeed)|required deployments?/i, "Require deployments to succeed"],
    [/required workflows?/i, "Require workflows to pass"],
    [/conversations? must be resolved/i, "Require conversation resolution"],
    [
        /authorized to push|cannot update this protected ref|updates being restricted/i,
        "Restrict who can push, or Restrict updates",
    ],
    [/creations being restricted|cannot create ref|reference update failed/i, "Restrict creations", "everywhere"],
    [
        /cannot delete (a|this) protected|deletions being restricted|cannot delete this branch/i,
        "Restrict deletions",
        "everywhere",
    ],
    [/force.push/i, "Block force pushes", "everywhere"],
    [
        /(commit message|commit author|committer|author) .*must|branch name must/i,
        "Restrict commit metadata, or branch names",
        "everywhere",
    ],
    [/file paths? (is|are|contains?) |restricted file path|path length/i, "Restrict file paths", "everywhere"],
    [/file extension/i, "Restrict file extensions", "everywhere"],
    [/file size|larger than|exceeds .*(size|limit)/i, "Restrict file size", "everywhere"],
    [/secret detected|cannot contain secrets/i, "Push protection (secret scanning)", "everywhere"],
    [/repository rule violations|\bGH013\b|push declined due to/i, "a ruleset"],
    [/protected.branch|\bGH006\b|could not (create|update|delete) file/i, "branch protection"],
];

/** Addresses in messages: they name files, whose names may hold words that rules are known by. */
const addresses = /https?:\/\/\S+/g;

/** Whether a change of this kind of object is one that rules of a branch can refuse. */
const isCommit = (kind: Kind): boolean => kind === "a workflow file" || kind === "a branch";

/** The rules that refused a commit. */
export interface BrokenRules {
    /** As GitHub's settings name them; never empty. */
    readonly rules: readonly string[];
    /** Whether they hold for the branch of a pull request as well. */
    readonly holdEverywhere: boolean;
}

/**
 * Finds the rules of a branch or repository that GitHub named when it refused a commit.
 *
 * @returns undefined if the text is another refusal, such as that of a token
 */
export function brokenRules(text: string): BrokenRules | undefined {
    if (/rate limit|was archived| does not match [0-9a-f]/i.test(text)) return undefined;
    const said = text.replaceAll(addresses, "");
    const found = ruleWords.filter(([pattern]) => pattern.test(said));
    // "a ruleset" says nothing where its rule is known.
    const named = found.filter(([, rule]) => /^[A-Z]/.test(rule));
    const kept = named.length > 0 ? named : found.slice(0, 1);
    if (kept.length === 0) return undefined;
    return { rules: kept.map(([, rule]) => rule), holdEverywhere: kept.some(([, , reach]) => reach === "everywhere") };
}

/** The delivery of workflow files that GitHub refused: commits to the branch, or a pull request. */
export type DeliveryWay = "direct" | "pull-request";

/** Returns the ways around rules that refused a commit: the bypass list, and a pull request where that helps. */
function aroundRules({ rules, holdEverywhere }: BrokenRules, way: DeliveryWay): string {
    const bypass =
        "let the App or user of GITHUB_TOKEN bypass the rule (GitHub, Settings, Rules, Rulesets: Bypass list; or Branches: the allowed " +
        "actors of the protection rule)";
    const pullRequest = "propose the files by a pull request: pulumi config set --path github.delivery pull-request";
    const exempt = "exempt the branches layered-images/** from it";
    const ways = way === "pull-request" ? [bypass, exempt] : holdEverywhere ? [bypass] : [bypass, pullRequest];
    return `the rule "${rules.join('", "')}" refuses it: ${ways.join(", or ")}`;
}

/**
 * Rules of an organization about tokens, by what GitHub says when one of them refuses a valid token: more permissions would not help.
 */
const tokenRules: readonly (readonly [said: RegExp, next: string])[] = [
    [
        /SAML enforcement/i,
        "authorize the token for the organization: GitHub, Settings, Developer settings, Configure SSO beside the token",
    ],
    [/IP allow list/i, "run it from an address on that list, or let an owner of the organization add this one"],
    [
        /forbids access via/i,
        "use a token of the kind, and with the lifetime, that the organization allows, or a GitHub App",
    ],
    [/admin rights|must be an? (admin|owner)/i, "use the token of a person who may administer the repository"],
    [/suspended/i, "let who suspended the App's installation or the account lift that"],
];

/** Returns the next step after a rule about tokens refused something; undefined if GitHub said something else. */
const nextAfterTokenRule = (said: string): string | undefined =>
    tokenRules.find(([pattern]) => pattern.test(said.replaceAll(addresses, "")))?.[1];

const failures: readonly (readonly [RegExp, (kind: Kind) => string | undefined])[] = [
    // Before the refusals below, which would be a wrong reading of these.
    [
        /rate limit|: 429 /i,
        () => "run the same command again when the limit is over, in an hour at most, or with another token",
    ],
    [
        /was archived/i,
        () => "unarchive it (GitHub, Settings, General), or remove github.repository from the stack's configuration",
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
    [/: 409 /, () => "another process changed it at the same time: run the same command again"],
    [
        /: 422 /,
        () =>
            "GitHub does not take this content, and names the field above: correct where it comes from (images.ts, workflows.ts, the " +
            "stack's file), then run the same command again",
    ],
    [
        /connection refused|no such host|i\/o timeout|network is unreachable|connection reset|TLS handshake|: EOF|deadline exceeded/i,
        () =>
            "GitHub can't be reached from here: check the network, the proxy (HTTPS_PROXY) and the address (github:baseUrl), then run the same " +
            "command again",
    ],
    [
        /: 5\d\d /,
        () => "GitHub failed: see https://www.githubstatus.com, and run the same command again when it is well",
    ],
];

/**
 * Returns the next step after GitHub refused a change in the middle of a run.
 *
 * @param errors errors that the provider reported
 * @param way how the files are delivered
 * @returns undefined for errors that are not known
 */
export function nextAfterRefusal(
    errors: readonly string[],
    kind: Kind,
    way: DeliveryWay = "direct",
): string | undefined {
    const text = errors.join("\n");
    const broken = isCommit(kind) ? brokenRules(text) : undefined;
    if (broken) return aroundRules(broken, way);
    const byTokenRule = text.includes(": 403 ") ? nextAfterTokenRule(text) : undefined;
    return byTokenRule ?? failures.find(([pattern]) => pattern.test(text))?.[1](kind);
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

/**
 * Returns the permissions that GitHub says would have sufficed, as its settings name them; undefined if it does not say.
 *
 * @param accepted "administration=write", of several separated by commas all, of several separated by semicolons one
 */
function acceptedText(accepted: string | null): string | undefined {
    if (accepted === null || accepted.trim() === "") return undefined;
    const one = (text: string) => {
        const [name = "", level = ""] = text.trim().split("=");
        const title = name in permissions ? permissions[name as Permission].title : name;
        return `${title}: ${level === "write" ? "read and write" : level}`;
    };
    return accepted
        .split(";")
        .map((all) => all.split(",").map(one).join(" and "))
        .join(", or ");
}

/**
 * A refusal in the words of who has to mend it; undefined for an answer that is none.
 *
 * @param said GitHub's message
 */
export function refusal(status: number, headers: Headers, what: string, said = ""): RefusedError | undefined {
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
    const end =
        after === null
            ? // GitHub asks to wait for a minute where it names no time.
              (limitEnd(headers, 1) ?? (/rate limit|abuse detection/i.test(said) ? Date.now() + 60_000 : undefined))
            : Date.now() + Number(after) * 1000;
    if (end !== undefined && Number.isFinite(end)) {
        return new RefusedError({
            where,
            problem: `GitHub's rate limit for this token is used up until ${new Date(end).toISOString()}`,
            next: "run the same command after that, or with another token",
        });
    }
    const wanted = headers.get("x-accepted-github-permissions") ?? headers.get("x-accepted-oauth-scopes");
    const byRule = nextAfterTokenRule(said);
    const accepted = acceptedText(headers.get("x-accepted-github-permissions"));
    const permission = accepted === undefined ? tokenText() : `the repository permission ${accepted}`;
    const isPlain = said === "" || /^(resource not accessible|forbidden)/i.test(said);
    return new RefusedError({
        where,
        problem: `this token may not ${what}${isPlain ? "" : `: ${said}`}`,
        ...(byRule === undefined && wanted !== null && wanted !== "" && { allowed: [wanted] }),
        next: byRule ?? `give it ${permission}`,
    });
}
