import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommandError } from "../lib/errors";
import { hostPlatform } from "../lib/platform";
import type { Instance } from "../lib/system/instance";
import type { UpdateRecord } from "../lib/update/history";
import { expect, stubEnv, test } from "../tests/mocha";
import { goAlone, withPrograms } from "../tests/programs";
import { temporaryFolder, writeTree } from "../tests/tree";
import { type Need, checkDisk, diskWarning, imagesNeed, labNeeds } from "./disk";
import { standInFolder } from "./root/standIn";
import { ensureToolchain } from "./toolchain/build";
import { releasesVariable } from "./toolchain/releases";
import { tools } from "./toolchain/tools";

const needs: readonly Need[] = [
    { folder: "/c", what: "building the toolchain", gigabytes: 8 },
    { folder: "/c", what: "the stand-in for the root image", gigabytes: 2 },
    { folder: "/s", what: "building the images", gigabytes: 25 },
];
const one = { disk: () => 1 };
const each = { disk: (folder: string) => folder };

test("a disk with enough room for everything that is about to be made is taken", () => {
    expect(() => {
        checkDisk(needs, { ...one, free: () => 35 });
    }).not.toThrow();
});

test("a disk that is too full is refused, with what is needed, what for, what is free and what to do", () => {
    const check = () => {
        checkDisk(needs, { ...one, free: () => 26.04 });
    };
    expect(check).toThrow(CommandError);
    expect(check).toThrow(
        "not enough disk space at /c and /s: 35 GB needed (building the toolchain 8 GB, the stand-in for the root image 2 GB, " +
            "building the images 25 GB), 26.0 GB free. Free some, or set LAYERED_IMAGES_HOME to a folder on a larger disk.",
    );
});

test("two disks are looked at each for what it is to hold", () => {
    const check = (free: Readonly<Record<string, number>>) => () => {
        checkDisk(needs, { ...each, free: (folder) => free[folder] ?? 0 });
    };
    expect(check({ "/c": 10, "/s": 25 })).not.toThrow();
    expect(check({ "/c": 9.94, "/s": 100 })).toThrow(/^not enough disk space at \/c: 10 GB needed .*, 9\.9 GB free.*$/);
    expect(check({ "/c": 1, "/s": 1 })).toThrow(/at \/c: 10 GB.*\nnot enough disk space at \/s: 25 GB/);
});

test("nothing to make needs no room", () => {
    expect(() => {
        checkDisk([], { free: () => 0 });
    }).not.toThrow();
});

test("what is free is read from the disk that the folder lies on", () => {
    const check = (what: string, gigabytes: number) => () => {
        checkDisk([{ folder: tmpdir(), what, gigabytes }]);
    };
    expect(check("more than there is", 1e9)).toThrow(/1000000000 GB\), [1-9]\d*\.\d GB free/);
    expect(check("a byte", 1e-9)).not.toThrow();
});

const known: Instance = {
    registry: "registry.localhost:5443",
    port: 5443,
    platforms: "host",
    roots: { "python:3.12-slim": "registry.localhost:5443/library/python@sha256:0" },
    rootsByPlatform: {},
    standIn: "0123456789ab",
    standInPlatforms: [],
};

test("what a start needs is what is not there yet", async () => {
    withPrograms(goAlone);
    stubEnv(releasesVariable, "none");
    const home = temporaryFolder();
    const paths = { cache: path.join(home, "cache"), state: path.join(home, "state") };
    const sizes = async (renewRoot = false, instance?: Instance) =>
        (await labNeeds(paths, { known: instance, renewRoot })).map(({ gigabytes }) => gigabytes);
    expect(await sizes()).toEqual([8, 2]);

    // An interrupted start leaves folders with such names, and locks.
    writeTree(paths.cache, { "toolchain/buildkit.lock": "", "stand-in/0123456789ab.part/rootfs-amd64.tar": "" });
    expect(await sizes()).toEqual([8, 2]);

    const built = Object.values(await ensureToolchain(paths.cache));
    expect(built).toHaveLength(Object.keys(tools).length);
    expect(await sizes()).toEqual([2]);
    expect(await sizes(false, known)).toEqual([]);
    expect(await sizes(true, known)).toEqual([2]);

    const parts = { standIn: false, emulation: false, otherRoots: false };
    expect(await labNeeds(paths, { known: undefined, renewRoot: false, parts })).toEqual([]);

    mkdirSync(standInFolder(paths.cache, hostPlatform()), { recursive: true });
    expect(await sizes(true, known)).toEqual([]);
});

test("an estimate warns, with what may be needed and how to set a figure, and never refuses", () => {
    expect(diskWarning(needs, { ...one, free: () => 35 })).toBeUndefined();
    expect(diskWarning(needs, { ...one, free: () => 26.04 })).toBe(
        "warning: 26.0 GB are free at /c and /s, and 35 GB may be needed (building the toolchain 8 GB, the stand-in for the root image " +
            "2 GB, building the images 25 GB).\n  next: nothing, if your images are small; else free some, or set LAYERED_IMAGES_HOME to a " +
            "folder on a larger disk. To be refused below a figure that you know, without this warning: npm run up -- --min-free <GB>",
    );
});

test("images are estimated from the largest of their recorded builds, and guessed before the first", () => {
    const update = (image: string, platform: string, bytesPushed?: number): UpdateRecord => {
        const build = { image, platform, kind: "build", operation: "update", seconds: 1, result: "succeeded" } as const;
        const images = [{ ...build, ...(bytesPushed !== undefined && { bytesPushed }) }];
        return { start: "2026-11-01T10:00:00Z", seconds: 1, result: "succeeded", images };
    };
    const gigabytes = (...history: readonly UpdateRecord[]) => imagesNeed("/s", history).gigabytes;
    expect(gigabytes()).toBe(2);
    expect(gigabytes(update("base", "linux/amd64"), update("base", "linux/amd64", 0))).toBe(2);
    const history = [
        update("base", "linux/amd64", 1000),
        update("base", "linux/amd64", 40_000_000),
        update("base", "linux/arm64", 8_000_000),
        update("app", "linux/amd64", 2_000_000),
    ];
    expect(gigabytes(...history)).toBe(0.5);
});

/*
 * The job for pull requests of forks and bots builds this repository's hierarchy in the lab of a runner, which has at least 14 GB free. Counted
 * are compressed bytes of the layers, for one platform: recorded of the CUDA wheels (3.4 GB), and of the CPU wheels by the sizes of their
 * files, because their index can't be reached from everywhere: 184 MB for torch, 60 MB for all others of the base.
 */
test.each<[string, number, boolean]>([
    ["PyTorch's CPU index", 0.184e9 + 0.06e9, true],
    ["the default index, whose wheels bring CUDA", 3.4e9, false],
])("a runner's 14 GB and what is built for it: %s", async (_index, base, isEnough) => {
    stubEnv(releasesVariable, "none");
    const home = temporaryFolder();
    const toolchain = await labNeeds(
        { cache: path.join(home, "cache"), state: path.join(home, "state") },
        // Runners reach the real root, so they make no stand-in.
        { known: undefined, renewRoot: false, parts: { standIn: false, emulation: false, otherRoots: false } },
    );
    const build = {
        platform: "linux/amd64",
        kind: "build",
        operation: "create",
        seconds: 1,
        result: "succeeded",
    } as const;
    const pushed = { base, ci: 40e6, bot: 20e6, devcontainer: 60e6 };
    const images = Object.entries(pushed).map(([image, bytesPushed]) => ({ ...build, image, bytesPushed }));
    const history = [{ start: "2026-11-01T10:00:00Z", seconds: 1, result: "succeeded", images }] as const;
    const needed = [...toolchain, imagesNeed(home, history)];
    expect(toolchain.map(({ gigabytes }) => gigabytes)).toEqual([8]);
    const check = () => {
        checkDisk(needed, { free: () => 14, ...one });
    };
    if (isEnough) expect(check).not.toThrow();
    else expect(check).toThrow(/4[0-9](?:\.\d)? GB needed/);
});
