import { existsSync, statSync, statfsSync } from "node:fs";
import { CommandError } from "../lib/errors";
import { hostPlatform } from "../lib/platform";
import type { Instance } from "../lib/system/instance";
import type { LabPaths } from "../lib/system/paths";
import type { UpdateRecord } from "../lib/update/history";
import { standInFolder, standInRoot } from "./root/standIn";
import { missingTools } from "./toolchain/build";
import { type LabParts, allParts } from "./toolchain/packages";
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
    /** The parts of the lab that the images need; by default every part. */
    readonly parts?: LabParts;
}

/**
 * Returns the disk space for the parts that the start of a lab will create because they are missing. After an interrupted first start these
 * are the remaining parts. Images are not included, because their size is unknown before they are built.
 */
export async function labNeeds(paths: LabPaths, purpose: Purpose): Promise<Need[]> {
    const { known, renewRoot, parts = allParts } = purpose;
    const missing = (await missingTools(paths.cache)).length;
    const hasStandIn = existsSync(standInFolder(paths.cache, hostPlatform()));
    const toolchain = Math.ceil((room.toolchain * missing) / Object.keys(tools).length);
    const isMade = hasStandIn || (known?.roots[standInRoot] !== undefined && !renewRoot);
    const standIn = isMade || !(parts.standIn || renewRoot) ? 0 : room.standIn;
    const planned = [
        { folder: paths.cache, what: "building the toolchain", gigabytes: toolchain },
        { folder: paths.cache, what: "the stand-in for the root image", gigabytes: standIn },
    ];
    return planned.filter(({ gigabytes }) => gigabytes > 0);
}

const freeGigabytes = (folder: string): number => {
    const { bavail, bsize } = statfsSync(folder);
    return (bavail * bsize) / 1e9;
};

/** What `checkDisk` and `diskWarning` rely on. */
export interface DiskOptions {
    /** Environment variable that sets the location of the folders. */
    readonly variable?: string;
    /** Returns the free disk space of a folder in GB. */
    readonly free?: (folder: string) => number;
    /** Returns an identifier of a folder's file system. Folders on the same file system share its free space. */
    readonly disk?: (folder: string) => unknown;
}

/** A disk that has less free space than planned steps need; sizes in GB, as text. */
interface Shortage {
    readonly folders: string;
    readonly total: string;
    readonly available: string;
    /** The steps, with the size of each. */
    readonly parts: string;
}

const inGigabytes = (gigabytes: number) => gigabytes.toFixed(1).replace(/\.0$/, "");

/** Returns the disks that have less free space than the steps need together. */
function shortagesOf(
    needs: readonly Need[],
    { free = freeGigabytes, disk = (folder) => statSync(folder).dev }: DiskOptions,
): Shortage[] {
    const disks = new Map<unknown, Need[]>();
    for (const need of needs) disks.set(disk(need.folder), [...(disks.get(disk(need.folder)) ?? []), need]);
    return [...disks.values()].flatMap((shared) => {
        const folders = [...new Set(shared.map(({ folder }) => folder))];
        const total = shared.reduce((sum, { gigabytes }) => sum + gigabytes, 0);
        const available = free(folders[0] ?? "");
        if (available >= total) return [];
        const parts = shared.map(({ what, gigabytes }) => `${what} ${inGigabytes(gigabytes)} GB`).join(", ");
        return [{ folders: folders.join(" and "), total: inGigabytes(total), available: available.toFixed(1), parts }];
    });
}

/**
 * Checks that the disks have enough free space.
 *
 * @param needs the planned steps, with the disk space of each
 * @throws CommandError that lists the needed space by step, and the free space
 */
export function checkDisk(needs: readonly Need[], options: DiskOptions = {}): void {
    const { variable = "LAYERED_IMAGES_HOME" } = options;
    const problems = shortagesOf(needs, options).map(
        ({ folders, total, available, parts }) =>
            `not enough disk space at ${folders}: ${total} GB needed (${parts}), ${available} GB free. ` +
            `Free some, or set ${variable} to a folder on a larger disk.`,
    );
    if (problems.length > 0) throw new CommandError(problems.join("\n"));
}

/** Bytes on disk for each compressed byte that a build pushes, measured: unpacked, in BuildKit's cache, exported, in the registry. */
const expansion = 10;

/** Disk space in GB that images are expected to take as long as nothing was built. */
const unknownImages = 2;

/**
 * Estimates the disk space for building all images of a stack, from what their largest recorded builds pushed.
 *
 * @param folder the lab's state
 * @param history recorded updates of the stack
 */
export function imagesNeed(folder: string, history: readonly UpdateRecord[]): Need {
    const largest = new Map<string, number>();
    for (const { image, platform = "", bytesPushed = 0 } of history.flatMap(({ images }) => images)) {
        const build = `${platform} ${image}`;
        largest.set(build, Math.max(largest.get(build) ?? 0, bytesPushed));
    }
    const pushed = [...largest.values()].reduce((sum, bytes) => sum + bytes, 0);
    if (pushed === 0) return { folder, what: "the images, a guess before they were built", gigabytes: unknownImages };
    return { folder, what: "the images, by the size of earlier builds", gigabytes: (pushed * expansion) / 1e9 };
}

/**
 * Returns a warning if the planned steps may fill a disk. Their sizes are estimates, so the steps are not refused: whoever knows better
 * gives a figure (`checkDisk`).
 *
 * @returns undefined if there is enough space
 */
export function diskWarning(needs: readonly Need[], options: DiskOptions = {}): string | undefined {
    const { variable = "LAYERED_IMAGES_HOME" } = options;
    const shortages = shortagesOf(needs, options).map(
        ({ folders, total, available, parts }) =>
            `warning: ${available} GB are free at ${folders}, and ${total} GB may be needed (${parts}).`,
    );
    if (shortages.length === 0) return undefined;
    const next =
        `nothing, if your images are small; else free some, or set ${variable} to a folder on a larger disk. ` +
        `To be refused below a figure that you know, without this warning: ${typed("up", "--min-free", "<GB>")}`;
    return [...shortages, `  next: ${next}`].join("\n");
}
