import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { type UpdateRecord, keptUpdates } from "./history";
import { tree, writeTree } from "../../tests/tree";
import { appendHistory, historyFile, readHistory } from "./historyFile";

afterEach(() => {
    vi.restoreAllMocks();
});

const update = (seconds: number): UpdateRecord => ({
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
    await appendHistory("ci", {}, update(1), root);
    await appendHistory("organization/ci", {}, update(2), root);
    expect(await readHistory("ci", {}, root)).toEqual([update(2), update(1)]);
    expect(readdirSync(path.join(root, ".updates"))).toEqual(["ci.json"]);
});

test("no more than fifty are kept", async () => {
    const root = tree({});
    for (let seconds = 1; seconds <= keptUpdates + 2; seconds += 1)
        await appendHistory("ci", {}, update(seconds), root);
    const kept = await readHistory("ci", {}, root);
    expect(kept).toHaveLength(keptUpdates);
    expect(kept[0]).toEqual(update(keptUpdates + 2));
});

test.each([
    ["no JSON", "[{"],
    ["no updates", '{"seconds": 1}'],
    ["another kind of record", '[{"start": "yesterday", "seconds": 1, "result": "succeeded", "images": []}]'],
])("a file with %s is said and put aside, and the next update begins anew", async (_what, text) => {
    const said = vi.spyOn(console, "error").mockReturnValue();
    const root = tree({ ".updates/ci.json": text });
    await appendHistory("ci", {}, update(1), root);
    expect(said.mock.calls.flat().join()).toMatch(
        /ci\.json holds no recorded updates and is now .*ci\.json\.damaged: ./,
    );
    expect(await readHistory("ci", {}, root)).toEqual([update(1)]);
    expect(readFileSync(path.join(root, ".updates/ci.json.damaged"), "utf8")).toBe(text);
});

test("the lab's lie beside its state, apart for each project", () => {
    const root = tree({});
    writeTree(root, { "Pulumi.yaml": "name: somebody-elses\nruntime: nodejs\n" });
    const env = { LAYERED_IMAGES_INSTANCE: "/state/instance.json" };
    expect(historyFile("local", env, root)).toBe("/state/updates/somebody-elses/local.json");
    expect(historyFile("local", {}, root)).toBe(path.join(root, ".updates/local.json"));
});
