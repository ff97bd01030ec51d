import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imagePlan } from "../../tests/previews";
import { type OtherSeconds, expectedTime } from "./expected";
import type { Action } from "./plan";

const built = (
    image: string,
    action: Action,
    seconds: Record<string, number>,
    rest: { parent?: string; copiesFrom?: string[] } = {},
) =>
    imagePlan(image, {
        action,
        ...rest,
        platforms: Object.entries(seconds).map(([arch, one]) => ({ platform: `linux/${arch}`, action, seconds: one })),
    });

test("children come after their parents, siblings and platforms run side by side", () => {
    const images = [
        built("base", "rebuild", { amd64: 100, arm64: 300 }),
        built("bot", "rebuild", { amd64: 50, arm64: 20 }, { parent: "base" }),
        built("ci", "rebuild", { amd64: 10 }, { parent: "base" }),
    ];
    expect(expectedTime(images)).toEqual({ least: 320, most: 320, unknown: [] });
});

test("cutoff may save the builds that depend on a digest", () => {
    const images = [
        built("base", "rebuild", { amd64: 100 }),
        built("bot", "maybe", { amd64: 50 }, { parent: "base" }),
        built("leaf", "maybe", { amd64: 5 }, { parent: "bot" }),
    ];
    expect(expectedTime(images)).toEqual({ least: 100, most: 155, unknown: [] });
});

test("an image waits for every image that it takes files from", () => {
    const images = [
        built("tools", "rebuild", { amd64: 500 }),
        built("base", "rebuild", { amd64: 100 }),
        built("bot", "rebuild", { amd64: 50 }, { parent: "base", copiesFrom: ["tools"] }),
    ];
    expect(expectedTime(images).most).toBe(550);
});

describe("smoke tests and promotions", () => {
    const other: OtherSeconds = (kind, image) => ({ test: 7, promotion: image === "base" ? 4 : 2 })[kind];
    const base = built("base", "rebuild", { amd64: 10, arm64: 30 });

    test("come after the builds of all platforms; a child's build waits for neither", () => {
        expect(expectedTime([base], other).most).toBe(30 + 7 + 4);
        const bot = built("bot", "rebuild", { amd64: 50 }, { parent: "base" });
        expect(expectedTime([base, bot], other).most).toBe(10 + 50 + 7 + 2);
        const quick = built("bot", "rebuild", { amd64: 1 }, { parent: "base" });
        expect(expectedTime([base, quick], other).most).toBe(30 + 7 + 4 + 2);
    });

    test("take time where nothing is built, too", () => {
        expect(expectedTime([built("base", "retag", { amd64: 60 })], other).least).toBe(4);
        expect(expectedTime([built("base", "retest", { amd64: 60 })], other).least).toBe(7);
        expect(expectedTime([built("base", "unchanged", { amd64: 60 })], other).most).toBe(0);
    });
});

test("tests and promotions that are pending in any case count though the build may not be done", () => {
    const other: OtherSeconds = (kind, image) => ({ test: image === "ci" ? 20 : 7, promotion: 2 })[kind];
    const base = built("base", "rebuild", { amd64: 100 });
    const ci = built("ci", "maybe", { amd64: 50 }, { parent: "base" });
    const least = (inAnyCase: ("test" | "promotion")[]) => expectedTime([base, { ...ci, inAnyCase }], other).least;
    expect([least([]), least(["test"]), least(["test", "promotion"])]).toEqual([109, 120, 122]);
    expect(expectedTime([base, { ...ci, inAnyCase: ["test"] }], other).most).toBe(172);
});

test("what is recreated is built, what is only tagged or tested is not", () => {
    const actions: Action[] = ["recreate", "retag", "retest", "remove", "unchanged"];
    const times = actions.map((action) => expectedTime([built("a", action, { amd64: 60 })]).least);
    expect(times).toEqual([60, 0, 0, 0, 0]);
});

test("images without a recorded build are named where they are pending", () => {
    const images = [imagePlan("a", { action: "rebuild" }), imagePlan("b", { action: "maybe" }), imagePlan("c")];
    expect(expectedTime(images)).toEqual({ least: 0, most: 0, unknown: ["a", "b"] });
});

test("the least is never more than the most, nor that more than everything one after the other", () => {
    const action = fc.constantFrom<Action>("rebuild", "maybe", "unchanged", "recreate", "retag");
    const chain = fc.array(fc.tuple(action, fc.nat({ max: 1000 }), fc.boolean()), { maxLength: 20 });
    fc.assert(
        fc.property(chain, (given) => {
            const images = given.map(([one, seconds, onTop], index) =>
                built(
                    index.toString(),
                    one,
                    { amd64: seconds },
                    onTop && index > 0 ? { parent: (index - 1).toString() } : {},
                ),
            );
            const { least, most } = expectedTime(images);
            expect(least).toBeLessThanOrEqual(most);
            expect(most).toBeLessThanOrEqual(given.reduce((sum, [, seconds]) => sum + seconds, 0));
        }),
    );
});
