import type { Level, Permission } from "../../lib/github/permissions";

/**
 * A permission that the stand-in checks: those of this program's token, and reading workflow runs, for which a job's own token is
 * sufficient.
 */
export type StandInPermission = Permission | "actions" | "packages";

/** A user or organization that owns repositories or writes to them. */
export interface Account {
    readonly id: number;
    readonly type: "Organization" | "User";
    readonly createdAt: string;
}

/**
 * The rights of a token: a classic token has scopes (`repo`, `workflow`), a fine-grained token has permissions. Only
 * `metadata` is readable without being listed.
 */
export interface Token {
    readonly login: string;
    readonly scopes?: readonly string[];
    readonly permissions?: Readonly<Partial<Record<StandInPermission, Level>>>;
    /** Number of requests after which it expires; it does not expire if undefined. */
    left?: number;
}

/** Author or committer of a commit, with its time (RFC 3339). */
export interface Signature {
    readonly name: string;
    readonly email: string;
    readonly date: string;
}

/** A commit, with all files of its tree. */
export interface Commit {
    readonly sha: string;
    readonly tree: string;
    readonly parents: readonly string[];
    readonly message: string;
    readonly author: Signature;
    readonly committer: Signature;
    /** Every file of the tree: path → blob. */
    readonly files: Readonly<Record<string, string>>;
}

/**
 * GitHub stores secrets for workflows, for Dependabot's runs and for Codespaces separately, each kind with a separate
 * key.
 */
export const secretKinds = ["actions", "dependabot", "codespaces"] as const;
/** A kind of secret. */
export type SecretKind = (typeof secretKinds)[number];

/** A Curve25519 key pair; both halves base64. GitHub never shows the private half. */
export interface KeyPair {
    readonly id: string;
    readonly publicKey: string;
    readonly privateKey: string;
}

/** A secret as GitHub stores it; times have a resolution of one second, like all times of GitHub. */
export interface Secret {
    /** Sealed with the public key of its kind, base64. */
    readonly sealed: string;
    readonly createdAt: string;
    readonly updatedAt: string;
}

/** A variable for workflows. */
export interface Variable {
    readonly value: string;
    readonly createdAt: string;
    readonly updatedAt: string;
}

/** A pull request between two branches of a repository. */
export interface PullRequest {
    readonly id: number;
    readonly number: number;
    readonly user: string;
    title: string;
    body: string | null;
    state: "open" | "closed";
    readonly createdAt: string;
    updatedAt: string;
    closedAt: string | null;
    readonly head: string;
    /** Commit of the head when the pull request was closed; for an open pull request, its branch has the commit. */
    headSha?: string;
    base: string;
    baseSha: string;
    readonly draft: boolean;
    maintainerCanModify: boolean;
    mergedAt?: string;
    mergedBy?: string;
    mergeSha?: string;
}

/** What branch protection or a ruleset demands; an absent rule demands nothing. */
export interface Rules {
    /** Changes come by pull requests. */
    readonly pullRequest?: boolean | undefined;
    /** Number of approving reviews. */
    readonly approvals?: number | undefined;
    /** Names of required status checks. */
    readonly checks?: readonly string[] | undefined;
    readonly signatures?: boolean | undefined;
    /** No merge commits. */
    readonly linearHistory?: boolean | undefined;
    /** The branch is read-only, for merges too. */
    readonly locked?: boolean | undefined;
    readonly mergeQueue?: boolean | undefined;
    /** Logins of those who may push. */
    readonly pushers?: readonly string[] | undefined;
    /** Whether only those on the bypass list may create, change or delete such a branch. */
    readonly creations?: boolean | undefined;
    readonly updates?: boolean | undefined;
    readonly deletions?: boolean | undefined;
    /** Tool whose results are required. */
    readonly codeScanning?: string | undefined;
    /** Regular expression for commit messages. */
    readonly commitMessage?: string | undefined;
    /** Push rule: beginnings of paths that nobody may push. */
    readonly paths?: readonly string[] | undefined;
    /** Push rule: the most bytes of a file. */
    readonly maxFileSize?: number | undefined;
}

/** Rules for some branches of a repository. */
export interface Protection {
    readonly by: "protection" | "ruleset";
    /** Names, or beginnings of names that end with "*". Push rules hold for all: "*". */
    readonly branches: readonly string[];
    readonly rules: Rules;
    /** Logins of users and Apps for whom the rules do not hold. */
    readonly bypass: readonly string[];
}

/** A job of a workflow run. */
export interface WorkflowJob {
    readonly id: number;
    readonly name: string;
    /** Name of the runner that has the job; null while it waits. */
    readonly runner: string | null;
    readonly status: "queued" | "in_progress" | "completed";
    readonly conclusion: "success" | "failure" | "cancelled" | null;
    readonly startedAt: string;
    readonly completedAt: string | null;
}

/** A status of a deployment record. */
export interface DeploymentStatus {
    readonly id: number;
    readonly state: string;
    readonly description: string;
    readonly createdAt: string;
}

/** A deployment record. */
export interface RecordedDeployment {
    readonly id: number;
    readonly sha: string;
    readonly ref: string;
    readonly task: string;
    readonly payload: Readonly<Record<string, unknown>> | string;
    readonly environment: string;
    readonly description: string | null;
    readonly user: string;
    readonly createdAt: string;
    readonly statuses: DeploymentStatus[];
}

/** An environment of a repository's jobs: which branches may use it, and its secrets. */
export interface Environment {
    readonly id: number;
    /** With the case of its creation; GitHub does not tell names apart by case. */
    readonly name: string;
    /** Users and teams that approve jobs, by their ids. */
    reviewers: readonly { readonly type: "User" | "Team"; readonly id: number }[];
    /** null: every branch may use it. */
    branchPolicy: "protected" | "custom" | null;
    /** With the branch policy "custom": patterns of branches and tags. */
    readonly patterns: { readonly id: number; readonly name: string; readonly type: "branch" | "tag" }[];
    readonly key: KeyPair;
    readonly secrets: Record<string, Secret>;
    readonly createdAt: string;
    updatedAt: string;
}

/** A repository with all its content. */
export interface Repository {
    readonly id: number;
    readonly owner: string;
    readonly name: string;
    private: boolean;
    archived: boolean;
    defaultBranch: string;
    readonly createdAt: string;
    pushedAt: string;
    /** Contents by blob, base64. */
    readonly blobs: Record<string, string>;
    readonly commits: Record<string, Commit>;
    /** Branch → commit. */
    readonly branches: Record<string, string>;
    protections: Protection[];
    /** Whether GitHub signs the commits that its API makes: github.com does, a server of one's own only if it is set up. */
    signsCommits: boolean;
    readonly keys: Record<SecretKind, KeyPair>;
    readonly secrets: Record<SecretKind, Record<string, Secret>>;
    readonly variables: Record<string, Variable>;
    /** What its owner, an organization, shares with it; absent if nothing. */
    organization?: {
        readonly secrets: readonly string[];
        readonly variables: Readonly<Record<string, string>>;
    };
    /** By name in lower case; absent in states of an older version. */
    environments?: Record<string, Environment>;
    readonly pulls: PullRequest[];
    /** Jobs of workflow runs, by "<run>/<attempt>". */
    readonly runs: Record<string, WorkflowJob[]>;
    /** Events that were sent to its workflows, and deployment records, in their order; absent if there are none. */
    dispatches?: { readonly type: string; readonly payload: Readonly<Record<string, unknown>> }[];
    deployments?: RecordedDeployment[];
}

/** A version of a container package: a manifest of the registry. */
export interface PackageVersion {
    readonly id: number;
    /** Its digest. */
    readonly name: string;
    readonly tags: readonly string[];
    readonly createdAt: string;
    readonly downloads: number;
}

/** Active limits, each until a time in seconds since 1970. */
export interface Limits {
    /** Number of requests that the hourly quota still allows; 0 if undefined. */
    readonly primary?: { readonly until: number; readonly left?: number | undefined };
    /** Too many requests at once, with the seconds that GitHub asks clients to wait. */
    readonly secondary?: { readonly until: number; readonly retryAfter: number };
}

/** The complete state of the stand-in; keys of repositories are `owner/name`. */
export interface State {
    /** The last assigned id. */
    lastId: number;
    readonly accounts: Record<string, Account>;
    readonly tokens: Record<string, Token>;
    readonly repositories: Record<string, Repository>;
    /** Versions of the container packages by "owner/name", newest first; absent if there are none. */
    packages?: Record<string, PackageVersion[]>;
    limits: Limits;
}

/** Returns the repository with that name, which GitHub compares without case; undefined if it does not exist. */
export function findRepository(state: State, owner: string, name: string): Repository | undefined {
    const wanted = `${owner}/${name}`.toLowerCase();
    return Object.entries(state.repositories).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

/**
 * Returns the record's own value of that key: names are external input, and objects inherit some keys (`constructor`).
 */
export const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
    Object.hasOwn(record, key) ? record[key] : undefined;
