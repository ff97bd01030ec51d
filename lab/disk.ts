import { existsSync, statSync, statfsSync } from "node:fs";
import path from "node:path";
import { hostPlatform } from "../lib/images";
import type { Instance } from "./instance";
import { hasImages } from "./labState";
import type { LabPaths } from "./paths";
import { LabError, run } from "./process";
import { standInFolder } from "./standIn";
import { missingTools } from "./toolchain";
import { tools } from "./tools";

/** Something that is about to be made, and the room that it takes. */
export interface Need {
    /** Where: a folder that is there. */
    readonly folder: string;
    readonly what: string;
    readonly gigabytes: number;
}

/** GB that things take: README's prerequisites name the sum of those of a first `up`. */
const room = {
    /** All of it, with Go's modules and build cache. */
    toolchain: 8,
    standIn: 2,
    /**
     * A CUDA base: its layers unpacked, compressed, and rewritten; what three children get of it at once, before BuildKit's
     * store shrinks to its cap; the registry's copy. Measured: 43 at the highest, 22 afterwards.
     */
    firstBuild: 45,
    nextBuild: 5,
} as const;

/** What the next start of a lab is for. */
export interface Purpose {
    /** The instance, where the lab was started before. */
    readonly known: Instance | undefined;
    /** Whether a new root was asked for. */
    readonly renewRoot: boolean;
    /** Whether images will be built. */
    readonly builds: boolean;
}

/** GB that builds have filled, also one that was broken off. */
async function taken({ state }: LabPaths): Promise<number> {
    const folders = ["buildkit/root", "registry/data"].map((name) => path.join(state, name)).filter(existsSync);
    if (folders.length === 0) return 0;
    // Of this file system alone: what a running build has mounted is counted where it lies.
    const measure = run("du", ["--summarize", "--one-file-system", "--block-size=1", ...folders]);
    // Files that go away while they are counted make it fail: then all of the room is asked for.
    const counts = await measure.catch(() => "");
    return Math.floor(counts.split("\n").reduce((sum, line) => sum + Number.parseInt(line || "0", 10), 0) / 1e9);
}

/** GB that the next update of the images may take: those of a first one, less what its builds have filled already. */
const roomForImages = async (paths: LabPaths): Promise<number> =>
    hasImages(paths) ? room.nextBuild : Math.max(room.nextBuild, room.firstBuild - (await taken(paths)));

/** What a start of the lab is going to make, by what is not there yet: a first one that was broken off needs the rest. */
export async function labNeeds(paths: LabPaths, { known, renewRoot, builds }: Purpose): Promise<Need[]> {
    const missing = (await missingTools(paths.cache)).length;
    // Emulation is enabled after this, and decides which of them it will be.
    const standIns = [[hostPlatform()], ["linux/amd64", "linux/arm64"] as const];
    const hasStandIn = standIns.some((platforms) => existsSync(standInFolder(paths.cache, platforms)));
    const toolchain = Math.ceil((room.toolchain * missing) / Object.keys(tools).length);
    const standIn = hasStandIn || (known && !renewRoot) ? 0 : room.standIn;
    const images = builds ? await roomForImages(paths) : 0;
    const needs = [
        { folder: paths.cache, what: "building the toolchain", gigabytes: toolchain },
        { folder: paths.cache, what: "the stand-in for the root image", gigabytes: standIn },
        { folder: paths.state, what: "building the images", gigabytes: images },
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
 * @throws LabError that says what is needed, what for, and what is free
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
    if (problems.length > 0) throw new LabError(problems.join("\n"));
}
