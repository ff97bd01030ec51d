import { createHash } from "node:crypto";
import { factsOf, tokenPermissions } from "../../lib/github/permissions";
import { labToken } from "./defaults";
import { addBlob, addCommit } from "./git";
import { newKeyPair } from "./sealedBox";
import {
    type Account,
    findRepository,
    type KeyPair,
    own,
    type Repository,
    type SecretKind,
    secretKinds,
    type State,
} from "./state";
import { timestamp } from "./time";

/** Permissions of the lab's token: exactly the permissions that docs/operations.md requires. */
const labPermissions = Object.fromEntries(tokenPermissions.map((name) => [name, factsOf(name).level]));

/** Returns an id that is unique in the state. */
export const nextId = (state: State): number => ++state.lastId;

/** Returns the account with that name; creates a user account if it does not exist. */
export function ensureAccount(state: State, login: string, type: Account["type"] = "User"): Account {
    return own(state.accounts, login) ?? (state.accounts[login] = { id: nextId(state), type, createdAt: timestamp() });
}

/**
 * Returns the default committer of a request: the account, with the address that GitHub uses to hide real addresses.
 */
export function committerOf(state: State, login: string): { name: string; email: string } {
    const { id } = ensureAccount(state, login);
    return { name: login, email: `${id.toString()}+${login}@users.noreply.github.com` };
}

function perKind<T>(value: (kind: SecretKind) => T): Record<SecretKind, T> {
    return Object.fromEntries(secretKinds.map((kind) => [kind, value(kind)])) as Record<SecretKind, T>;
}

/**
 * Adds a repository with one commit, a README; leaves an existing repository as it is. Its owner becomes an
 * organization.
 */
export function seedRepository(state: State, owner: string, name: string, isPrivate = false): Repository {
    const known = findRepository(state, owner, name);
    if (known) return known;
    ensureAccount(state, owner, "Organization");
    const now = timestamp();
    const id = nextId(state);
    const key = (): KeyPair =>
        newKeyPair(createHash("sha256").update(nextId(state).toString()).digest("hex").slice(0, 18));
    const repository: Repository = {
        id,
        owner,
        name,
        private: isPrivate,
        archived: false,
        defaultBranch: "main",
        createdAt: now,
        pushedAt: now,
        blobs: {},
        commits: {},
        branches: {},
        protections: [],
        signsCommits: true,
        keys: perKind(key),
        secrets: perKind(() => ({})),
        variables: {},
        pulls: [],
        runs: {},
    };
    const files = { "README.md": addBlob(repository, Buffer.from(`# ${name}\n`)) };
    const author = { ...committerOf(state, owner), date: now };
    repository.branches.main = addCommit(repository, { parents: [], message: "Initial commit", author, files }).sha;
    state.repositories[`${owner}/${name}`] = repository;
    return repository;
}

/** Adds the initial content of a lab: its token and its repository. */
export function seedLab(state: State, owner: string, name: string): void {
    state.tokens[labToken] ??= { login: "lab", permissions: labPermissions };
    ensureAccount(state, "lab");
    seedRepository(state, owner, name);
}
