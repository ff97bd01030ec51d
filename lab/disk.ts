import { existsSync, readdirSync, statSync, statfsSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../lib/errors";
import { hostPlatform } from "../lib/platform";
import type { Instance } from "../lib/system/instance";
import type { LabPaths } from "../lib/system/paths";
import { standInFolder } from "./root/standIn";
import { store } from "./servers/services";
import { missingTools } from "./toolchain/build";
import { tools } from "./toolchain/tools";
import { typed } from "../lib/system/commandLine";

/** Disk space that a planned step needs. */
export interface Need {
    /** Destination folder, which must exist. */
    readonly folder: string;
    /** Name of the step in messages. */
    readonly what: string;
    readonly gigabytes: number;
}

/** Disk space in GB for creating each part for the first time. The toolchain includes Go's modules and build cache. */
const room = { toolchain: 8, standIn: 2 } as const;

/** Circumstances of the next start of a lab. */
export interface Purpose {
    /** The instance; undefined if the lab was never started. */
    readonly known: Instance | undefined;
    /** Whether the user requested a new root. */
    readonly renewRoot: boolean;
}

/**
 * Returns the disk space for the parts that the start of a lab will create because they are missing. After an interrupted first start these
 * are the remaining parts. Images are not included, because their size is unknown before they are built.
 */
export async function labNeeds(paths: LabPaths, { known, renewRoot }: Purpose): Promise<Need[]> {
    const missing = (await missingTools(paths.cache)).length;
    // Emulation, which is enabled later, decides which stand-in is used.
    const standIns = [[hostPlatform()], ["linux/amd64", "linux/arm64"] as const];
    const hasStandIn = standIns.some((platforms) => existsSync(standInFolder(paths.cache, platforms)));
    const toolchain = Math.ceil((room.toolchain * missing) / Object.keys(tools).length);
    const standIn = hasStandIn || (known && !renewRoot) ? 0 : room.standIn;
    const needs = [
        { folder: paths.cache, what: "building the toolchain", gigabytes: toolchain },
        { folder: paths.cache, what: "the stand-in for the root image", gigabytes: standIn },
    ];
    return needs.filter(({ gigabytes }) => gigabytes > 0);
}

const freeGigabytes = (folder: string): number => {
    const { bavail, bsize } = statfsSync(folder);
    return (bavail * bsize) / 1e9;
};

/** What `checkDisk` and `imagesWarning` rely on. */
export interface DiskOptions {
    /** Environment variable that sets the location of the folders. */
    readonly variable?: string;
    /** Returns the free disk space of a folder in GB. */
    readonly free?: (folder: string) => number;
    /** Returns an identifier of a folder's file system. Folders on the same file system share its free space. */
    readonly disk?: (folder: string) => unknown;
}

/**
 * Checks that the disks have enough free space.
 *
 * @param needs the planned steps, with the disk space of each
 * @throws CommandError that lists the needed space by step, and the free space
 */
export function checkDisk(
    needs: readonly Need[],
    {
        variable = "LAYERED_IMAGES_HOME",
        free = freeGigabytes,
        disk = (folder) => statSync(folder).dev,
    }: DiskOptions = {},
): void {
    const disks = new Map<unknown, Need[]>();
    for (const need of needs) disks.set(disk(need.folder), [...(disks.get(disk(need.folder)) ?? []), need]);
    const problems = [...disks.values()].flatMap((shared) => {
        const folders = [...new Set(shared.map(({ folder }) => folder))];
        const total = shared.reduce((sum, { gigabytes }) => sum + gigabytes, 0);
        const available = free(folders[0] ?? "");
        if (available >= total) return [];
        const parts = shared.map(({ what, gigabytes }) => `${what} ${gigabytes.toString()} GB`);
        return [
            `not enough disk space at ${folders.join(" and ")}: ${total.toString()} GB needed (${parts.join(", ")}), ` +
                `${available.toFixed(1)} GB free. Free some, or set ${variable} to a folder on a larger disk.`,
        ];
    });
    if (problems.length > 0) throw new CommandError(problems.join("\n"));
}

/** Returns whether an image was ever built in this lab. */
function hasImages(paths: LabPaths): boolean {
    const repositories = path.join(paths.state, "registry/data/docker/registry/v2/repositories");
    return existsSync(repositories) && readdirSync(repositories).some((name) => name !== "library");
}

/**
 * Returns a warning if building images may fill the disk: before the first build if BuildKit's store alone could fill it, and before later
 * builds if the store would have to shrink.
 *
 * @returns the warning; undefined if there is enough space
 */
export function imagesWarning(
    paths: LabPaths,
    { variable = "LAYERED_IMAGES_HOME", free = freeGigabytes }: DiskOptions = {},
): string | undefined {
    const available = free(paths.state);
    const plenty = hasImages(paths) ? store.free : store.cap + store.free;
    if (available >= plenty) return undefined;
    return (
        `warning: ${available.toFixed(1)} GB are free at ${paths.state}. What the images take is not known before they are ` +
        `built: BuildKit's store grows to ${store.cap.toString()} GB, and beyond while builds run; it shrinks when less than ` +
        `${store.free.toString()} GB are free. In addition, the registry keeps every build.\n` +
        `  next: nothing, if your images are small; else free some, or set ${variable} to a folder on a larger disk. To ` +
        `refuse to start below a figure that you know: ${typed("up", "--min-free", "<GB>")}`
    );
}
