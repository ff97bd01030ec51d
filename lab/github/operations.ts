/**
 * Permissions of fine-grained tokens, by the names of GitHub's `X-Accepted-GitHub-Permissions` header
 * (https://docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens).
 */
export const permissions = [
    "metadata",
    "contents",
    "workflows",
    "pull_requests",
    "issues",
    "secrets",
    "actions_variables",
    "dependabot_secrets",
    "codespaces_secrets",
] as const;
/** One of them. */
export type Permission = (typeof permissions)[number];

/** What a token needs for an operation: one of these permissions, to read or to write. */
export interface Need {
    readonly permissions: readonly Permission[];
    readonly access: "read" | "write";
}

const read = (...any: Permission[]): Need => ({ permissions: any, access: "read" });
const write = (...any: Permission[]): Need => ({ permissions: any, access: "write" });

/** What the three kinds of secrets share: their operations differ in prefix and permission only. */
const secretOperations = <const Prefix extends string>(prefix: Prefix, permission: Permission) =>
    ({
        [`${prefix}/list-repo-secrets`]: read(permission),
        [`${prefix}/get-repo-public-key`]: read(permission),
        [`${prefix}/get-repo-secret`]: read(permission),
        [`${prefix}/create-or-update-repo-secret`]: write(permission),
        [`${prefix}/delete-repo-secret`]: write(permission),
    }) as Record<`${Prefix}/${SecretOperation}`, Need>;

type SecretOperation =
    | "list-repo-secrets"
    | "get-repo-public-key"
    | "get-repo-secret"
    | "create-or-update-repo-secret"
    | "delete-repo-secret";

/**
 * THE list of what the stand-in answers, by the ids of GitHub's description, with what a token needs for it; undefined
 * where any valid token will do. The checked-in description holds exactly these operations.
 */
export const operations = {
    "users/get-authenticated": undefined,
    "orgs/get": undefined,
    "rate-limit/get": undefined,
    "repos/get": read("metadata"),
    "repos/get-branch": read("contents"),
    "repos/list-branches": read("contents"),
    "repos/get-content": read("contents"),
    "repos/create-or-update-file-contents": write("contents"),
    "repos/delete-file": write("contents"),
    "repos/list-commits": read("contents"),
    "repos/get-commit": read("contents"),
    "git/get-ref": read("contents"),
    "git/create-ref": write("contents"),
    "git/update-ref": write("contents"),
    "git/delete-ref": write("contents"),
    "pulls/list": read("pull_requests"),
    "pulls/create": write("pull_requests"),
    "pulls/get": read("pull_requests"),
    "pulls/update": write("pull_requests"),
    "issues/list-for-repo": read("issues", "pull_requests"),
    "issues/create": write("issues"),
    "issues/get": read("issues", "pull_requests"),
    "issues/update": write("issues", "pull_requests"),
    "issues/list-comments": read("issues", "pull_requests"),
    "issues/create-comment": write("issues", "pull_requests"),
    "issues/update-comment": write("issues", "pull_requests"),
    ...secretOperations("actions", "secrets"),
    ...secretOperations("dependabot", "dependabot_secrets"),
    ...secretOperations("codespaces", "codespaces_secrets"),
    "actions/list-repo-variables": read("actions_variables"),
    "actions/get-repo-variable": read("actions_variables"),
    "actions/create-repo-variable": write("actions_variables"),
    "actions/update-repo-variable": write("actions_variables"),
    "actions/delete-repo-variable": write("actions_variables"),
} satisfies Record<string, Need | undefined>;

/** The id of an operation that the stand-in answers. */
export type OperationId = keyof typeof operations;
