import type { Level, Permission } from "../../lib/github/permissions";

/** Somebody who owns repositories or writes to them. */
export interface Account {
    readonly id: number;
    readonly type: "Organization" | "User";
    readonly createdAt: string;
}

/**
 * What a token may do: classic ones have scopes (`repo`, `workflow`), fine-grained ones permissions. Only `metadata` is
 * read without being named.
 */
export interface Token {
    readonly login: string;
    readonly scopes?: readonly string[];
    readonly permissions?: Readonly<Partial<Record<Permission, Level>>>;
}

/** Who made or committed a commit, and when (RFC 3339). */
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

/** GitHub keeps secrets for workflows, for Dependabot's runs and for Codespaces apart, each with a key of its own. */
export const secretKinds = ["actions", "dependabot", "codespaces"] as const;
/** One of them. */
export type SecretKind = (typeof secretKinds)[number];

/** A Curve25519 key pair; both halves base64. The private one is what GitHub never shows. */
export interface KeyPair {
    readonly id: string;
    readonly publicKey: string;
    readonly privateKey: string;
}

/** A secret as GitHub keeps it; times as all of GitHub's, to the second. */
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

/** A comment on an issue or pull request. */
export interface Comment {
    readonly id: number;
    readonly user: string;
    body: string;
    readonly createdAt: string;
    updatedAt: string;
}

/** What makes an issue a pull request. */
export interface Pull {
    readonly head: string;
    /** Commit of the head when the pull request was closed; while it is open its branch says. */
    headSha?: string;
    base: string;
    baseSha: string;
    readonly draft: boolean;
    maintainerCanModify: boolean;
    mergedAt?: string;
    mergedBy?: string;
    mergeSha?: string;
}

/** An issue or a pull request: GitHub numbers them together and keeps their comments alike. */
export interface Issue {
    readonly id: number;
    readonly number: number;
    readonly user: string;
    title: string;
    body: string | null;
    state: "open" | "closed";
    stateReason: "completed" | "not_planned" | "duplicate" | "reopened" | null;
    labels: string[];
    readonly createdAt: string;
    updatedAt: string;
    closedAt: string | null;
    readonly comments: Comment[];
    readonly pull?: Pull;
}

/** A repository with everything in it. */
export interface Repository {
    readonly id: number;
    readonly owner: string;
    readonly name: string;
    private: boolean;
    archived: boolean;
    readonly defaultBranch: string;
    readonly createdAt: string;
    pushedAt: string;
    /** Contents by blob, base64. */
    readonly blobs: Record<string, string>;
    readonly commits: Record<string, Commit>;
    /** Branch → commit. */
    readonly branches: Record<string, string>;
    /** Branches that change by pull requests only. */
    protected: string[];
    readonly keys: Record<SecretKind, KeyPair>;
    readonly secrets: Record<SecretKind, Record<string, Secret>>;
    readonly variables: Record<string, Variable>;
    readonly issues: Issue[];
}

/** Limits that are switched on, each until a time in seconds since 1970. */
export interface Limits {
    /** Requests that the hourly quota still allows; none without. */
    readonly primary?: { readonly until: number; readonly left?: number | undefined };
    /** Too many requests at once: with the seconds that GitHub asks to wait. */
    readonly secondary?: { readonly until: number; readonly retryAfter: number };
}

/** Everything that the stand-in knows; keys of repositories are `owner/name`. */
export interface State {
    /** Last id that was given to anything. */
    lastId: number;
    readonly accounts: Record<string, Account>;
    readonly tokens: Record<string, Token>;
    readonly repositories: Record<string, Repository>;
    limits: Limits;
}

/** The repository of that name, which GitHub reads in any case; undefined where there is none. */
export function findRepository(state: State, owner: string, name: string): Repository | undefined {
    const wanted = `${owner}/${name}`.toLowerCase();
    return Object.entries(state.repositories).find(([key]) => key.toLowerCase() === wanted)?.[1];
}

/** The record's own value of that key: names come from outside, and objects inherit some (`constructor`). */
export const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
    Object.hasOwn(record, key) ? record[key] : undefined;
