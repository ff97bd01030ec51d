/*
 * The permissions that a token needs on GitHub. The program's checks and messages and the lab's GitHub stand-in use this
 * table, and docs/operations.md is tested against it. This file imports nothing, because the stand-in is compiled separately.
 *
 * Levels and operations are those that GitHub documents:
 * docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens, and for classic
 * tokens docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps.
 */

/** A level of access; write includes read. */
export type Level = "read" | "write";

/** A permission of a fine-grained token or a GitHub App for one repository. */
interface PermissionFacts {
    /** Its name in GitHub's settings. */
    readonly title: string;
    /** The scope that gives a classic token the same access. */
    readonly scope: "repo" | "workflow";
    /** The level that this program's token needs. */
    readonly level: Level;
    /** The reason, in the words of docs/operations.md. */
    readonly because: string;
    /** Whether every stack needs it, or only stacks whose configuration uses it. */
    readonly always?: boolean;
    /** Whether only a person who runs `github-setup --apply` needs it, and no token of a workflow. */
    readonly setup?: boolean;
    /** Whether public repositories can be read without it. */
    readonly publicRead: boolean;
    /**
     * The operations of GitHub's REST API that it allows, by operation id in GitHub's description, with the level that each
     * needs. If several permissions allow an operation, one of them is sufficient.
     */
    readonly opens: Readonly<Record<string, Level>>;
}

/** Returns the operations of the API for one kind of secrets. */
const secretOperations = <const Prefix extends string>(prefix: Prefix, reading: Level) =>
    ({
        [`${prefix}/get-repo-public-key`]: reading,
        [`${prefix}/get-repo-secret`]: reading,
        [`${prefix}/create-or-update-repo-secret`]: "write",
        [`${prefix}/delete-repo-secret`]: "write",
    }) as Record<`${Prefix}/${SecretOperation}`, Level>;

type SecretOperation =
    "get-repo-public-key" | "get-repo-secret" | "create-or-update-repo-secret" | "delete-repo-secret";

/**
 * The permissions, keyed by the names in GitHub's `X-Accepted-GitHub-Permissions` header, in the order of docs/operations.md.
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
            "repos/get-content": "read",
            "repos/create-or-update-file-contents": "write",
            "repos/delete-file": "write",
            "repos/list-commits": "read",
            "repos/get-commit": "read",
            "git/get-ref": "read",
            "git/create-ref": "write",
            "git/delete-ref": "write",
            "pulls/get": "read",
            "repos/create-dispatch-event": "write",
        },
    },
    workflows: {
        title: "Workflows",
        scope: "workflow",
        level: "write",
        because: "GitHub refuses commits below `.github/workflows` without it",
        always: true,
        publicRead: false,
        // It allows no operation by itself: see `needsWorkflows`.
        opens: {},
    },
    secrets: {
        title: "Secrets",
        scope: "repo",
        level: "write",
        because: "the secrets that CI needs come from the stack's configuration",
        always: true,
        publicRead: false,
        opens: {
            ...secretOperations("actions", "read"),
            "actions/list-repo-secrets": "read",
            "actions/list-repo-organization-secrets": "read",
        },
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
            "actions/list-repo-organization-variables": "read",
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
        because:
            "where files are delivered by pull request (`delivery`), and for Monday's pull request with newer roots",
        publicRead: true,
        opens: {
            "pulls/list": "read",
            "pulls/create": "write",
            "pulls/get": "read",
            "pulls/update": "write",
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
    deployments: {
        title: "Deployments",
        scope: "repo",
        level: "write",
        because: "only where `github.deployments` asks for records",
        publicRead: true,
        opens: {
            "repos/create-deployment": "write",
            "repos/create-deployment-status": "write",
        },
    },
    environments: {
        title: "Environments",
        scope: "repo",
        level: "write",
        because: "only where an entry names an environment",
        publicRead: false,
        opens: {
            "actions/get-environment-public-key": "read",
            "actions/get-environment-secret": "read",
            "actions/list-environment-secrets": "read",
            "actions/list-environment-variables": "read",
            "actions/create-or-update-environment-secret": "write",
            "actions/delete-environment-secret": "write",
        },
    },
    metadata: {
        title: "Metadata",
        scope: "repo",
        level: "read",
        because: "GitHub adds it by itself",
        publicRead: true,
        opens: { "repos/get": "read" },
    },
    actions: {
        title: "Actions",
        scope: "repo",
        level: "read",
        because: "reading environments and their rules",
        setup: true,
        publicRead: true,
        opens: {
            "repos/get-environment": "read",
            "repos/list-deployment-branch-policies": "read",
        },
    },
    administration: {
        title: "Administration",
        scope: "repo",
        level: "write",
        because: "creating environments and restricting them to a branch",
        setup: true,
        publicRead: false,
        opens: {
            "repos/create-or-update-environment": "write",
            "repos/create-deployment-branch-policy": "write",
        },
    },
} as const satisfies Record<string, PermissionFacts>;
/** The key of a permission. */
export type Permission = keyof typeof permissions;

/** An operation of GitHub's REST API, by its id in GitHub's description. */
export type Operation = { [P in Permission]: keyof (typeof permissions)[P]["opens"] & string }[Permission];

/** The keys of all permissions. */
export const permissionNames = Object.keys(permissions) as [Permission, ...Permission[]];

/** Returns a permission by its key. */
export const factsOf = (permission: Permission): PermissionFacts => permissions[permission];

/** The permissions of the token that `up` uses. */
export const tokenPermissions: readonly Permission[] = permissionNames.filter((name) => !factsOf(name).setup);

/** The folder of workflows. Every file in it runs, regardless of its author. */
export const workflowFolder = ".github/workflows";

/** Whether changing this file needs the permission for workflows in addition to that for contents. */
export const needsWorkflows = (path: string): boolean => path.startsWith(`${workflowFolder}/`);

/** Kinds of objects that a run changes on GitHub, each with the permissions that it needs. */
export const permissionsFor = {
    "a workflow file": ["contents", "workflows"],
    "a branch": ["contents"],
    "a pull request": ["pull_requests"],
    "a secret": ["secrets"],
    "a secret for Dependabot": ["dependabot_secrets"],
    "a secret for codespaces": ["codespaces_secrets"],
    "a secret of an environment": ["environments"],
    "a variable": ["actions_variables"],
    "a deployment record": ["deployments"],
} as const satisfies Record<string, readonly Permission[]>;
/** A kind of object that a run changes on GitHub. */
export type Kind = keyof typeof permissionsFor;

/** A kind of access that a run needs in addition to files; for secrets of an environment, "environment <name>". */
export type Access = "variables" | "secrets" | "dependabot" | "codespaces" | `environment ${string}`;

/** Objects that a run changes in addition to files: their kind, and an API path that only a sufficient token can read. */
export const accesses = {
    variables: { kind: "a variable", path: "actions/variables?per_page=1" },
    secrets: { kind: "a secret", path: "actions/secrets/public-key" },
    dependabot: { kind: "a secret for Dependabot", path: "dependabot/secrets/public-key" },
    codespaces: { kind: "a secret for codespaces", path: "codespaces/secrets/public-key" },
} as const satisfies Record<Exclude<Access, `environment ${string}`>, { readonly kind: Kind; readonly path: string }>;

/** Returns the environment that an access names; undefined for the other kinds of access. */
export const environmentIn = (access: Access): string | undefined => /^environment (.*)$/s.exec(access)?.[1];

/** Returns an access's kind of object, and an API path that only a sufficient token can read. */
export function accessFacts(access: Access): { readonly kind: Kind; readonly path: string } {
    const environment = environmentIn(access);
    if (environment === undefined) return accesses[access as keyof typeof accesses];
    const path = `environments/${encodeURIComponent(environment)}/secrets/public-key`;
    return { kind: "a secret of an environment", path };
}

/**
 * Returns the permissions, with their levels, of a token that sees everything that a stack manages on GitHub and changes as little as GitHub
 * allows.
 *
 * @param wanted what the stack changes in addition to files
 * @param delivery how the stack delivers files
 */
export function readingPermissions(
    wanted: readonly Access[],
    delivery: "direct" | "pull-request",
): ReadonlyMap<Permission, Level> {
    const kinds = wanted.map((access) => accessFacts(access).kind);
    const names: Permission[] = [
        "contents",
        ...kinds.flatMap((kind) => permissionsFor[kind]),
        ...(delivery === "pull-request" ? (["pull_requests"] as const) : []),
    ];
    return new Map(
        names.map((name) => [name, Object.values(factsOf(name).opens).includes("read") ? "read" : "write"] as const),
    );
}

const levels = { read: "read", write: "read and write" } as const;

/** Lists the scopes of a classic token. */
export const scopesText = `the scopes ${[...new Set(permissionNames.map((name) => factsOf(name).scope))].join(" and ")}`;

/** Describes the permissions for a kind of object: "Contents and Workflows: read and write". */
export const permissionsText = (kind: Kind): string =>
    `${permissionsFor[kind].map((name) => permissions[name].title).join(" and ")}: ${levels.write}`;

/** Describes the permissions that this program's token needs: first for every stack, then for some stacks. */
export function tokenText(): string {
    const wanted = tokenPermissions.map(factsOf).filter(({ level }) => level === "write");
    const titles = (always: boolean) =>
        wanted.filter((facts) => (facts.always ?? false) === always).map(({ title }) => title);
    return (
        `the repository permissions ${titles(true).join(", ")}: ${levels.write}, and where the stack's configuration asks for them ` +
        `${titles(false).join(", ")} (a classic token: ${scopesText})`
    );
}

/** The permissions of the token with which `github-setup --apply` changes the repository: "Administration: read and write, …". */
export const setupPermissions = permissionNames
    .filter((name) => factsOf(name).setup === true || ["secrets", "actions_variables", "environments"].includes(name))
    .map((name) => `${factsOf(name).title}: ${factsOf(name).level === "write" ? "read and write" : "read"}`)
    .join(", ");
