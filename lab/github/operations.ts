import { type Level, type Operation, factsOf, permissionNames } from "../../lib/github/permissions";
import type { StandInPermission } from "./state";

/** The permissions that a token needs for an operation: one of these, to read or to write. */
export interface Need {
    readonly permissions: readonly StandInPermission[];
    readonly access: Level;
    /** Whether any token may read a public repository. */
    readonly publicRead: boolean;
}

/** Operations that any valid token may use. */
const free = ["orgs/get"] as const;

const readPackages = { permissions: ["packages"], access: "read", publicRead: false } as const satisfies Need;
const removePackages = { permissions: ["packages"], access: "write", publicRead: false } as const satisfies Need;

/** Operations for which a job of a workflow uses its own token: this program's token needs no permission for them. */
const ofJobs = {
    "actions/list-jobs-for-workflow-run-attempt": { permissions: ["actions"], access: "read", publicRead: true },
    "packages/get-all-package-versions-for-package-owned-by-org": readPackages,
    "packages/get-all-package-versions-for-package-owned-by-user": readPackages,
    "packages/get-package-version-for-organization": readPackages,
    "packages/get-package-version-for-user": readPackages,
    "packages/delete-package-version-for-org": removePackages,
    "packages/delete-package-version-for-user": removePackages,
} as const satisfies Record<string, Need>;

/** The id of an operation that the stand-in supports. */
export type OperationId = Operation | (typeof free)[number] | keyof typeof ofJobs;

function needs(): Map<string, Need> {
    const found = new Map<string, Need>(Object.entries(ofJobs));
    for (const permission of permissionNames) {
        const { opens, publicRead } = factsOf(permission);
        for (const [operation, access] of Object.entries(opens)) {
            const known = found.get(operation)?.permissions ?? [];
            const isOpen = publicRead && access === "read";
            found.set(operation, { permissions: [...known, permission], access, publicRead: isOpen });
        }
    }
    return found;
}

/**
 * The operations that the stand-in supports, by the ids of GitHub's description, with the permissions that a token
 * needs; undefined if any valid token is sufficient. lib/github/permissions.ts has the list; the checked-in description
 * contains exactly these operations.
 */
export const operations = Object.fromEntries([...free.map((id) => [id, undefined] as const), ...needs()]) as Record<
    OperationId,
    Need | undefined
>;
