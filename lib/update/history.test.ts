import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { countedReads } from "../../tests/countedReads";
import { expect, spyOn, test } from "../../tests/mocha";
import { tree, writeTree } from "../../tests/tree";
import {
    type ImageRecord,
    type UpdateRecord,
    keepUpdates,
    recordedDurations,
    keptUpdates,
    appendHistory,
    historyFile,
    readHistory,
} from "./history";

const recorded = (seconds: number): UpdateRecord => ({
    start: "2026-11-23T20:00:00.000Z",
    seconds,
    result: "succeeded",
    commit: "a".repeat(40),
    images: [
        {
            image: "base",
            platform: "linux/amd64",
            kind: "build",
            operation: "create",
            seconds,
            result: "succeeded",
            digestMoved: true,
            bytesPushed: 12,
        },
        { image: "base", kind: "promotion", operation: "create", seconds: 0, result: "succeeded" },
    ],
});

test("updates are read as they were written, newest first, and nothing else lies beside them", async () => {
    const root = tree({});
    expect(await readHistory("ci", {}, root)).toEqual([]);
    await appendHistory("ci", {}, recorded(1), root);
    await appendHistory("organization/ci", {}, recorded(2), root);
    expect(await readHistory("ci", {}, root)).toEqual([recorded(2), recorded(1)]);
    expect(readdirSync(path.join(root, ".updates"))).toEqual(["ci.json"]);
});

test("no more than fifty are kept", async () => {
    const root = tree({});
    for (let seconds = 1; seconds <= keptUpdates + 2; seconds += 1)
        await appendHistory("ci", {}, recorded(seconds), root);
    const kept = await readHistory("ci", {}, root);
    expect(kept).toHaveLength(keptUpdates);
    expect(kept[0]).toEqual(recorded(keptUpdates + 2));
});

test.each([
    ["no JSON", "[{"],
    ["no updates", '{"seconds": 1}'],
    ["another kind of record", '[{"start": "yesterday", "seconds": 1, "result": "succeeded", "images": []}]'],
])("a file with %s is said and put aside, and the next update begins anew", async (_what, text) => {
    const said = spyOn(console, "error").mockReturnValue();
    const root = tree({ ".updates/ci.json": text });
    await appendHistory("ci", {}, recorded(1), root);
    expect(said.mock.calls.flat().join()).toMatch(
        /ci\.json holds no recorded updates and is now .*ci\.json\.damaged: ./,
    );
    expect(await readHistory("ci", {}, root)).toEqual([recorded(1)]);
    expect(readFileSync(path.join(root, ".updates/ci.json.damaged"), "utf8")).toBe(text);
});

test("the lab's lie beside its state, apart for each project", () => {
    const root = tree({});
    writeTree(root, { "Pulumi.yaml": "name: somebody-elses\nruntime: nodejs\n" });
    const env = { LAYERED_IMAGES_INSTANCE: "/state/instance.json" };
    expect(historyFile("local", env, root)).toBe("/state/updates/somebody-elses/local.json");
    expect(historyFile("organization/somebody-elses/local", env, root)).toBe(
        "/state/updates/somebody-elses/local.json",
    );
    expect(historyFile("local", {}, root)).toBe(path.join(root, ".updates/local.json"));
    // In a shell with the lab's environment, another stack is as it is elsewhere.
    expect(historyFile("organization/ci", env, root)).toBe(path.join(root, ".updates/ci.json"));
});

const build = (image: string, more: Partial<ImageRecord> = {}): ImageRecord => ({
    image,
    platform: "linux/amd64",
    kind: "build",
    operation: "update",
    seconds: 60,
    result: "succeeded",
    digestMoved: true,
    ...more,
});
const update = (start: number, ...images: ImageRecord[]): UpdateRecord => ({
    start: new Date(start * 1000).toISOString(),
    seconds: 100,
    result: "succeeded",
    images,
});

describe("the recorded duration of a build", () => {
    const base = { kind: "build", image: "base", platform: "linux/amd64" } as const;

    const took = (...seconds: number[]) =>
        seconds.map((one, index) => update(9 - index, build("base", { seconds: one })));

    test("is the longest of the last five: one that moved the digest may have come from the cache for the most part", () => {
        expect(recordedDurations(took(3, 90, 40))(base)).toBe(90);
        expect(recordedDurations(took(3, 3, 3, 3, 90, 600))(base)).toBe(90);
        expect(recordedDurations(took(3, 90))({ ...base, platform: "linux/arm64" })).toBeUndefined();
    });

    test("of an image that is never pushed is no less than that of a build before one from the cache", () => {
        const unpushed = (seconds: number): ImageRecord => ({
            ...{ image: "base", platform: "linux/amd64", kind: "build" },
            ...{ operation: "update", seconds, result: "succeeded" },
        });
        expect(recordedDurations([update(2, unpushed(1)), update(1, unpushed(80))])(base)).toBe(80);
    });

    test("is told apart from that of a test and of a promotion", () => {
        const promotion: ImageRecord = {
            ...{ image: "base", kind: "promotion", operation: "update", seconds: 2, result: "succeeded" },
        };
        const history = [update(1, build("base"), build("base", { kind: "test", seconds: 9 }), promotion)];
        expect(recordedDurations(history)({ ...base, kind: "test" })).toBe(9);
        expect(recordedDurations(history)({ kind: "promotion", image: "base" })).toBe(2);
    });

    test("is not that of a failed build, a test, a removal, or a build from the cache", () => {
        const others: Partial<ImageRecord>[] = [
            { result: "failed" },
            { kind: "test" },
            { operation: "delete" },
            { digestMoved: false },
        ];
        const slow = others.map((one, index) => update(10 + index, build("base", { seconds: 900, ...one })));
        expect(recordedDurations([...slow, update(1, build("base", { seconds: 90 }))])(base)).toBe(90);
    });

    test("is that of a build from the cache where there is no other", () => {
        expect(recordedDurations([update(1, build("base", { seconds: 3, digestMoved: false }))])(base)).toBe(3);
    });

    test("is known of an image that is never pushed", () => {
        const unpushed: ImageRecord = {
            ...{ image: "base", platform: "linux/amd64", kind: "build" },
            ...{ operation: "create", seconds: 7, result: "succeeded" },
        };
        expect(recordedDurations([update(1, unpushed)])(base)).toBe(7);
    });
});

const names = Array.from({ length: 200 }, (_one, index) => `image${index}`);

test("the recorded durations of many images are read from each update once", () => {
    const { history, reads } = countedReads(names, keptUpdates);
    const durations = recordedDurations(history);
    const seconds = names.map((image) => durations({ kind: "build", image, platform: "linux/amd64" }));
    expect([new Set(seconds), reads()]).toEqual([new Set([90]), keptUpdates]);
});

describe("of many updates", () => {
    test("of many images each is read once to know which are kept", () => {
        const { history, reads } = countedReads(names, keptUpdates + 1);
        expect([keepUpdates(history).length, reads()]).toEqual([keptUpdates, keptUpdates + 1]);
    });

    test("the newest are kept", () => {
        const history = [5, 4, 3, 2, 1].map((start) => update(start));
        expect(keepUpdates(history, 3)).toEqual(history.slice(0, 3));
        expect(keepUpdates(history, 9)).toEqual(history);
    });

    test("the newest are kept, however many older ones tell how long the build of an image takes", () => {
        const newest = [20, 19].map((start) => update(start, build("bot", { seconds: 1 })));
        const older = [5, 4, 3, 2, 1].map((start) => update(start, build(`image${String(start)}`, { seconds: 9 })));
        const longer = update(6, build("bot", { seconds: 9 }));
        expect(keepUpdates([...newest, longer, ...older], 4)).toEqual([...newest, longer, older[0]]);
    });

    test("of several that tell, the one that says the longest is kept", () => {
        const bases = [8, 7, 6].map((start) => update(start, build("base", { seconds: start === 7 ? 90 : 3 })));
        const bots = [20, 19, 18].map((start) => update(start, build("bot")));
        expect(keepUpdates([...bots, ...bases], 3)).toEqual([bots[0], bots[1], bases[1]]);
    });

    test("one that alone tells how long a build takes is kept, however old", () => {
        const base = update(1, build("base"));
        const bots = [5, 4, 3, 2].map((start) => update(start, build("bot")));
        expect(keepUpdates([...bots, base], 3)).toEqual([bots[0], bots[1], base]);
    });

    test("never more than wanted are kept", () => {
        const history = [5, 4, 3, 2, 1].map((start) => update(start, build(`image${String(start)}`)));
        expect(keepUpdates(history, 2)).toEqual(history.slice(0, 2));
    });
});
