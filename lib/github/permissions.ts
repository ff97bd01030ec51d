/*
 * What a token needs on GitHub: the one table that this program's checks and messages, docs/operations.md and the lab's
 * GitHub stand-in go by. It imports nothing, because the stand-in is compiled by itself.
 *
 * Levels and operations are GitHub's:
 * docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens, and for classic
 * tokens docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps.
 */

/** Reading, or changing, which includes reading. */
export type Level = "read" | "write";

/** A permission of a fine-grained token or a GitHub App for one repository. */
interface PermissionFacts {
    /** Its name in GitHub's settings. */
    readonly title: string;
    /** The scope that opens the same to a classic token. */
    readonly scope: "repo" | "workflow";
    /** What this program's token needs of it; absent where it needs nothing. */
    readonly level?: Level;
    /** Why, as docs/operations.md has it. */
    readonly because: string;
    /** Whether everybody needs it; otherwise only a stack whose configuration asks for what it opens. */
    readonly always?: boolean;
    /** Whether anybody may read a public repository's without it. */
    readonly publicRead: boolean;
    /**
     * The operations of GitHub's REST API that it opens, by their ids in GitHub's description, with the level that each
     * one needs. One that several permissions open needs one of them.
     */
    readonly opens: Readonly<Record<string, Level>>;
}

/** What the API for one kind of secrets consists of. */
const secretOperations = <const Prefix extends string>(prefix: Prefix, reading: Level) =>
    ({
        [`${prefix}/list-repo-secrets`]: reading,
        [`${prefix}/get-repo-public-key`]: reading,
        [`${prefix}/get-repo-secret`]: reading,
        [`${prefix}/create-or-update-repo-secret`]: "write",
        [`${prefix}/delete-repo-secret`]: "write",
    }) as Record<`${Prefix}/${SecretOperation}`, Level>;

type SecretOperation =
    | "list-repo-secrets"
    | "get-repo-public-key"
    | "get-repo-secret"
    | "create-or-update-repo-secret"
    | "delete-repo-secret";

/**
 * Comments and labels of issues and pull requests are the same API: either permission opens it, to open an issue only
 * its own.
 */
const conversation = {
    "issues/list-for-repo": "read",
    "issues/get": "read",
    "issues/update": "write",
    "issues/list-comments": "read",
    "issues/create-comment": "write",
    "issues/update-comment": "write",
} as const;

/**
 * The permissions, by the names of GitHub's `X-Accepted-GitHub-Permissions` header, in the order of docs/operations.md.
 */
export const permissions = {
    contents: {
        title: "Contents",
        scope: "repo",
        level: "write",
        because: "delivering a file is a commit",
        always: true,
        publicRead: true,
        opens: {
            "repos/get-branch": "read",
            "repos/list-branches": "read",
            "repos/get-content": "read",
            "repos/create-or-update-file-contents": "write",
            "repos/delete-file": "write",
            "repos/list-commits": "read",
            "repos/get-commit": "read",
            "git/get-ref": "read",
            "git/create-ref": "write",
            "git/update-ref": "write",
            "git/delete-ref": "write",
            "pulls/get": "read",
        },
    },
    workflows: {
        title: "Workflows",
        scope: "workflow",
        level: "write",
        because: "GitHub refuses commits below `.github/workflows` without it",
        always: true,
        publicRead: false,
        // It opens nothing by itself: see `needsWorkflows`.
        opens: {},
    },
    secrets: {
        title: "Secrets",
        scope: "repo",
        level: "write",
        because: "the secrets that CI needs come from the stack's configuration",
        always: true,
        publicRead: false,
        opens: secretOperations("actions", "read"),
    },
    actions_variables: {
        title: "Variables",
        scope: "repo",
        level: "write",
        because: "`CI_IMAGE` and the others say which digest was promoted",
        always: true,
        publicRead: false,
        opens: {
            "actions/list-repo-variables": "read",
            "actions/get-repo-variable": "read",
            "actions/create-repo-variable": "write",
            "actions/update-repo-variable": "write",
            "actions/delete-repo-variable": "write",
        },
    },
    pull_requests: {
        title: "Pull requests",
        scope: "repo",
        level: "write",
        because: "only where files are delivered by pull request (`delivery`)",
        publicRead: true,
        opens: {
            "pulls/list": "read",
            "pulls/create": "write",
            "pulls/get": "read",
            "pulls/update": "write",
            ...conversation,
        },
    },
    dependabot_secrets: {
        title: "Dependabot secrets",
        scope: "repo",
        level: "write",
        because: "only where an entry asks for them",
        publicRead: false,
        opens: secretOperations("dependabot", "read"),
    },
    codespaces_secrets: {
        title: "Codespaces secrets",
        scope: "repo",
        level: "write",
        because: "only where an entry asks for them; even reading their names takes write access",
        publicRead: false,
        opens: secretOperations("codespaces", "write"),
    },
    metadata: {
        title: "Metadata",
        scope: "repo",
        level: "read",
        because: "GitHub adds it by itself",
        publicRead: true,
        opens: { "repos/get": "read" },
    },
    issues: {
        title: "Issues",
        scope: "repo",
        because: "only the job that reports drift needs it, which has a token of its own",
        publicRead: true,
        opens: { "issues/create": "write", ...conversation },
    },
} as const satisfies Record<string, PermissionFacts>;
/** Name of a permission. */
export type Permission = keyof typeof permissions;

/** An operation of GitHub's REST API, by its id in GitHub's description. */
export type Operation = { [P in Permission]: keyof (typeof permissions)[P]["opens"] & string }[Permission];

/** The names of all permissions. */
export const permissionNames = Object.keys(permissions) as [Permission, ...Permission[]];

/** What is known of a permission. */
export const factsOf = (permission: Permission): PermissionFacts => permissions[permission];

/** Where GitHub looks for workflows: what lies there runs, whoever put it there. */
export const workflowFolder = ".github/workflows";

/** Whether a change of this file needs the permission for workflows, besides that for contents. */
export const needsWorkflows = (path: string): boolean => path.startsWith(`${workflowFolder}/`);

/** Kinds of things on GitHub that a run changes, each with the permissions that a token needs for it. */
export const permissionsFor = {
    "a workflow file": ["contents", "workflows"],
    "a branch": ["contents"],
    "a pull request": ["pull_requests"],
    "a secret": ["secrets"],
    "a secret for Dependabot": ["dependabot_secrets"],
    "a secret for codespaces": ["codespaces_secrets"],
    "a variable": ["actions_variables"],
} as const satisfies Record<string, readonly Permission[]>;
/** One of these kinds. */
export type Kind = keyof typeof permissionsFor;

/** What a run changes besides files: its kind, and a path below the repository that only a token for it can read. */
export const accesses = {
    variables: { kind: "a variable", path: "actions/variables?per_page=1" },
    secrets: { kind: "a secret", path: "actions/secrets/public-key" },
    dependabot: { kind: "a secret for Dependabot", path: "dependabot/secrets/public-key" },
    codespaces: { kind: "a secret for codespaces", path: "codespaces/secrets/public-key" },
} as const satisfies Record<string, { readonly kind: Kind; readonly path: string }>;
/** A kind of thing that a run changes besides files. */
export type Access = keyof typeof accesses;

const levels = { read: "read", write: "read and write" } as const;

/** Scopes of a classic token, in words. */
export const scopesText = `the scopes ${[...new Set(permissionNames.map((name) => factsOf(name).scope))].join(" and ")}`;

/** The permissions for a kind of thing, in words: "Contents and Workflows: read and write". */
export const permissionsText = (kind: Kind): string =>
    `${permissionsFor[kind].map((name) => permissions[name].title).join(" and ")}: ${levels.write}`;

/** What this program's token needs, in words: what every stack needs, then what only some do. */
export function tokenText(): string {
    const wanted = permissionNames.map(factsOf).filter(({ level }) => level === "write");
    const titles = (always: boolean) =>
        wanted.filter((facts) => (facts.always ?? false) === always).map(({ title }) => title);
    return (
        `the repository permissions ${titles(true).join(", ")}: ${levels.write}, and where the stack's configuration asks for them ` +
        `${titles(false).join(", ")} (a classic token: ${scopesText})`
    );
}
