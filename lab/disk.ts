import { existsSync, statSync, statfsSync } from "node:fs";
import { CommandError } from "../lib/errors";
import { hostPlatform } from "../lib/platform";
import type { Instance } from "../lib/system/instance";
import type { LabPaths } from "../lib/system/paths";
import { hasImages } from "./labState";
import { standInFolder } from "./root/standIn";
import { store } from "./servers/services";
import { missingTools } from "./toolchain/build";
import { tools } from "./toolchain/tools";

/** Something that is about to be made, and the room that it takes. */
export interface Need {
    /** Where: a folder that is there. */
    readonly folder: string;
    readonly what: string;
    readonly gigabytes: number;
}

/** GB that things take which are made by what is not there yet; the toolchain with Go's modules and build cache. */
const room = { toolchain: 8, standIn: 2 } as const;

/** What the next start of a lab is for. */
export interface Purpose {
    /** The instance, where the lab was started before. */
    readonly known: Instance | undefined;
    /** Whether a new root was asked for. */
    readonly renewRoot: boolean;
}

/**
 * What a start of the lab is certainly going to make, by what is not there yet: a first one that was broken off needs the rest.
 * What the images take is not in it: nobody knows before they are built.
 */
export async function labNeeds(paths: LabPaths, { known, renewRoot }: Purpose): Promise<Need[]> {
    const missing = (await missingTools(paths.cache)).length;
    // Emulation is enabled after this, and decides which of them it will be.
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

/** What `checkDisk` takes for granted. */
export interface DiskOptions {
    /** The variable that moves the folders. */
    readonly variable?: string;
    /** GB that are free where a folder lies. */
    readonly free?: (folder: string) => number;
    /** The file system that a folder lies on: folders on one share what is free. */
    readonly disk?: (folder: string) => unknown;
}

/**
 * Refuses to start what would fill a disk.
 *
 * @param needs what is about to be made, with the GB each takes
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

/**
 * What to say before images are built on a disk that they may fill: a first build on one that BuildKit's store alone could fill,
 * and every other where the store has to shrink.
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
