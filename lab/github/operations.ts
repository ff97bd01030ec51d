import { type Level, type Operation, type Permission, factsOf, permissionNames } from "../../lib/github/permissions";

/** What a token needs for an operation: one of these permissions, to read or to write. */
export interface Need {
    readonly permissions: readonly Permission[];
    readonly access: Level;
    /** Whether any token will do to read a public repository. */
    readonly publicRead: boolean;
}

/** Operations for which any valid token will do. */
const free = ["users/get-authenticated", "orgs/get", "rate-limit/get"] as const;

/** The id of an operation that the stand-in answers. */
export type OperationId = Operation | (typeof free)[number];

function needs(): Map<string, Need> {
    const found = new Map<string, Need>();
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
 * What the stand-in answers, by the ids of GitHub's description, with what a token needs for it; undefined where any valid token will
 * do. lib/github/permissions.ts has the list; the checked-in description holds exactly these operations.
 */
export const operations = Object.fromEntries([...free.map((id) => [id, undefined] as const), ...needs()]) as Record<
    OperationId,
    Need | undefined
>;
