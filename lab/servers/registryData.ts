import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import type { LabPaths } from "../../lib/system/paths";

/* The storage of docker-registry (distribution, registry/storage/paths.go), which tells more than its interface does. */

const root = ({ state }: Pick<LabPaths, "state">): string =>
    path.join(state, "registry", "data", "docker", "registry", "v2");

/** The entries of a folder; none if it does not exist. */
function entries(folder: string): string[] {
    try {
        return readdirSync(folder);
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
    }
}

/**
 * Returns when each manifest of a repository was last pushed, in milliseconds since 1970, by digest.
 *
 * @param repository path below the registry: "local/base"
 */
export function pushedTimes(paths: Pick<LabPaths, "state">, repository: string): Map<string, number> {
    const folder = path.join(root(paths), "repositories", repository, "_manifests", "revisions", "sha256");
    return new Map(
        entries(folder).flatMap((hex) => {
            // A removed manifest leaves an empty folder.
            const link = statSync(path.join(folder, hex, "link"), { throwIfNoEntry: false });
            return link ? [[`sha256:${hex}`, link.mtimeMs] as const] : [];
        }),
    );
}

/** Returns the bytes of all blobs of the registry. */
export function blobBytes(paths: Pick<LabPaths, "state">): number {
    const folder = path.join(root(paths), "blobs", "sha256");
    const sizes = entries(folder).flatMap((prefix) =>
        entries(path.join(folder, prefix)).map(
            (hex) => statSync(path.join(folder, prefix, hex, "data"), { throwIfNoEntry: false })?.size ?? 0,
        ),
    );
    return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
