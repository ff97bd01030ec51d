import { expect, test } from "../../tests/mocha";
import type { Measured } from "./measure";
import { report, totals, unannounced, verdictOf } from "./report";

const measured = (rest: Partial<Measured> = {}): Measured => ({
    hierarchy: "light",
    change: "code",
    rebuilt: ["a", "b"],
    ours: { built: ["a", "b"], changed: ["a", "b"], announced: { a: "rebuild", b: "maybe", c: "unchanged" } },
    bake: ["a", "b"],
    pathFilters: ["b", "c"],
    ...rest,
});

test("what was rebuilt without a label is false, and a label that was not rebuilt is missed", () => {
    expect(verdictOf(["b", "c"], ["a", "b"])).toEqual({ false: ["c"], missed: ["a"] });
});

test("the counts are over all changes, and the report names each image", () => {
    const results = [measured(), measured({ change: "more", bake: ["a"] })];
    expect(totals(results)).toMatchObject({
        "`up`: builds started": { wrong: 0, false: 0, missed: 0 },
        "bake: repeated or changed": { wrong: 1, false: 0, missed: 1 },
        "path filters": { wrong: 2, false: 2, missed: 2 },
    });
    const lines = report(results).split("\n");
    expect(lines).toContain("| path filters | 2 | 2 | 2 |");
    expect(lines).toContain("- light/more: missed b");
    expect(lines).toContain("- light/code: in vain c; missed a");
});

test("an image that is built without a word, or not built although that was certain, was not announced", () => {
    expect(unannounced(measured())).toEqual([]);
    const announced = { a: "rebuild", b: "unchanged" };
    expect(unannounced(measured({ ours: { built: ["b"], changed: [], announced } }))).toEqual(["b", "a"]);
});
