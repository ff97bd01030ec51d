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

/** Something that is about to be made, and the disk space that it takes. */
export interface Need {
    /** The folder that it goes to, which exists. */
    readonly folder: string;
    readonly what: string;
    readonly gigabytes: number;
}

/** GB that making something for the first time takes; the toolchain includes Go's modules and build cache. */
const room = { toolchain: 8, standIn: 2 } as const;

/** What the next start of a lab begins with. */
export interface Purpose {
    /** The instance, where the lab was started before. */
    readonly known: Instance | undefined;
    /** Whether a new root was asked for. */
    readonly renewRoot: boolean;
}

/**
 * What a start of the lab is certainly going to make, because it is missing: after a first start that was broken off, the rest.
 * The images are not in it: nobody knows their size before they are built.
 */
export async function labNeeds(paths: LabPaths, { known, renewRoot }: Purpose): Promise<Need[]> {
    const missing = (await missingTools(paths.cache)).length;
    // Emulation, which is enabled later, decides which of these it will be.
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
    /** The environment variable that moves the folders. */
    readonly variable?: string;
    /** GB that are free where a folder lies. */
    readonly free?: (folder: string) => number;
    /** The file system of a folder: folders on the same one share what is free. */
    readonly disk?: (folder: string) => unknown;
}

/**
 * Refuses to make what would fill a disk.
 *
 * @param needs what is about to be made, with the GB that each takes
 * @throws CommandError that says what is needed, what for, and what is free
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

/** Whether some image was ever built in this lab. */
function hasImages(paths: LabPaths): boolean {
    const repositories = path.join(paths.state, "registry/data/docker/registry/v2/repositories");
    return existsSync(repositories) && readdirSync(repositories).some((name) => name !== "library");
}

/**
 * The warning before images are built on a disk that they may fill: before the first build, where BuildKit's store alone could fill
 * it, and before every later build, where the store would have to shrink.
 *
 * @returns undefined where there is plenty
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
        `${store.free.toString()} GB are free. The registry keeps every build beside it.\n` +
        `  next: nothing, if your images are small; else free some, or set ${variable} to a folder on a larger disk. To ` +
        "refuse to start below a figure that you know: npm run up -- --min-free <GB>"
    );
}
