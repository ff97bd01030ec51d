import { Refusal } from "./errors";
import type { Protection, Repository, Rules, Token } from "./state";

/*
 * What GitHub demands of changes: branch protection rules, and rulesets, which word their refusals in another way.
 * docs.github.com/repositories/configuring-branches-and-merges-in-your-repository has both.
 */

/** A change of a branch by a request. */
export interface BranchChange {
    readonly branch: string;
    readonly kind: "create" | "update" | "delete";
    /** What the request does, as GitHub's refusals word it: "create file". */
    readonly what?: string;
    /** For an update: its message, whether GitHub signs the commit, and the sizes of the files that it brings, in bytes by path. */
    readonly commit?: {
        readonly message: string;
        readonly isSigned: boolean;
        readonly sizes: Readonly<Record<string, number>>;
    };
}

/** Whether a protection holds for a branch. Its patterns are names, or beginnings of names that end with "*". */
const holdsFor = ({ branches }: Protection, branch: string): boolean =>
    branches.some((pattern) => (pattern.endsWith("*") ? branch.startsWith(pattern.slice(0, -1)) : pattern === branch));

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

/** What a rule says of an update that it refuses; undefined if it lets the update pass. */
type Check<Name extends keyof Rules> = (
    rule: NonNullable<Rules[Name]>,
    change: BranchChange,
    token: Token,
) => string | undefined;

/** The rules for updates of a branch, in the order of GitHub's refusals. */
const updateChecks: {
    readonly [Name in Exclude<keyof Rules, "creations" | "deletions" | "linearHistory">]: Check<Name>;
} = {
    updates: () => "Cannot update this protected ref.",
    locked: () => "Cannot change this locked branch",
    pushers: (logins, _, { login }) =>
        logins.includes(login)
            ? undefined
            : "You're not authorized to push to this branch. Visit https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches for more information.",
    mergeQueue: () => "Changes must be made through the merge queue",
    pullRequest: () => "Changes must be made through a pull request.",
    approvals: (count) =>
        `At least ${count.toString()} approving ${plural(count, "review is", "reviews are")} required by reviewers with write access.`,
    checks: (names) =>
        names.length === 1
            ? `Required status check "${names[0] ?? ""}" is expected.`
            : `${names.length.toString()} of ${names.length.toString()} required status checks are expected.`,
    codeScanning: (tool) => `Code scanning is waiting for results from ${tool} for the commit.`,
    signatures: (_, { commit }) => (commit?.isSigned === false ? "Commits must have verified signatures." : undefined),
    commitMessage: (pattern, { commit }) =>
        commit && !new RegExp(pattern).test(commit.message)
            ? `Commit message must match a given regex pattern: ${pattern}`
            : undefined,
    paths: (paths, { commit }) => {
        const found = Object.keys(commit?.sizes ?? {}).find((file) => paths.some((path) => file.startsWith(path)));
        return found === undefined ? undefined : `File path is restricted: ${found}`;
    },
    maxFileSize: (most, { commit }) => {
        const found = Object.entries(commit?.sizes ?? {}).find(([, size]) => size > most);
        return found && `File size exceeds the limit: ${found[0]}`;
    },
};

/** Returns what a protection says of a change that it refuses. */
function violations({ rules }: Protection, change: BranchChange, token: Token): string[] {
    if (change.kind === "create")
        return rules.creations ? ["Cannot create ref due to creations being restricted."] : [];
    if (change.kind === "delete") return rules.deletions ? ["Cannot delete this protected ref."] : [];
    return (Object.keys(updateChecks) as (keyof typeof updateChecks)[]).flatMap((name) => {
        const check = updateChecks[name] as Check<typeof name>;
        const rule = rules[name];
        return rule === undefined || rule === false ? [] : (check(rule, change, token) ?? []);
    });
}

/** Whether branch protection or a ruleset holds for a branch. */
export const isProtected = ({ protections }: Repository, branch: string): boolean =>
    protections.some((protection) => holdsFor(protection, branch));

/** Whether merges into a branch must leave no merge commit. */
export const isLinear = ({ protections }: Repository, branch: string): boolean =>
    protections.some((protection) => protection.rules.linearHistory === true && holdsFor(protection, branch));

/** Refuses a merge into a branch that is locked: no pull request helps there. */
export function checkMerge({ protections }: Repository, branch: string): void {
    if (protections.some((protection) => protection.rules.locked === true && holdsFor(protection, branch)))
        throw new Refusal(405, "Cannot change this locked branch");
}

/**
 * Refuses a change that a rule forbids, unless the token's user or App is on the bypass list of that rule: 409 for files, 422 for
 * branches.
 */
export function checkRules({ protections }: Repository, token: Token, change: BranchChange): void {
    const binding = protections.filter(
        (protection) => holdsFor(protection, change.branch) && !protection.bypass.includes(token.login),
    );
    const status = change.what === undefined ? 422 : 409;
    const said = (by: Protection["by"]) =>
        binding.filter((one) => one.by === by).flatMap((one) => violations(one, change, token));
    const byRuleset = said("ruleset");
    if (byRuleset.length > 0) {
        throw new Refusal(status, ["Repository rule violations found", ...byRuleset, ""].join("\n\n"));
    }
    const byProtection = said("protection");
    if (change.kind === "delete" && binding.some(({ by }) => by === "protection"))
        throw new Refusal(422, "Cannot delete a protected branch");
    if (byProtection.length === 0) return;
    const text = byProtection.join(" ");
    throw new Refusal(status, change.what === undefined ? text : `Could not ${change.what}: ${text}`, {
        documentation: "https://docs.github.com/articles/about-protected-branches",
    });
}
