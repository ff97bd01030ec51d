import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { fileChanged, imagePlan, planOf } from "../../tests/previews";
import { roughly, size } from "../system/progress";
import { countsOf, expectedSentence, reasonOf, secondsOf } from "./words";

test.each([
    [0, "under 1 s"],
    [20, "20 s"],
    [89, "89 s"],
    [90, "2 min"],
    [240, "4 min"],
    [3600, "1 h"],
    [4200, "1 h 10 min"],
])("%d seconds are about %s", (seconds, text) => {
    expect(roughly(seconds)).toBe(text);
});

test.each([
    [0, "0 B"],
    [812_000, "812 kB"],
    [3.4e9, "3.4 GB"],
    [2.5e12, "2.5 TB"],
    [2.5e15, "2500 TB"],
])("%d bytes are %s", (bytes, text) => {
    expect(size(bytes)).toBe(text);
});

test("images are counted by what happens to them, the most urgent first", () => {
    const images = [
        imagePlan("a", { action: "rebuild" }),
        imagePlan("b", { action: "maybe" }),
        imagePlan("c"),
        imagePlan("d"),
    ];
    expect(countsOf({ images })).toBe("1 image to rebuild, 1 maybe, 2 unchanged");
    expect(countsOf({ images: [imagePlan("c"), imagePlan("d")] })).toBe("2 images unchanged");
    expect(countsOf({ images: [] })).toBe("no images");
});

describe("the reason of an image", () => {
    test("that may be built names what decides, once", () => {
        const plan = imagePlan("bot", {
            action: "maybe",
            dependsOn: ["base"],
            causes: [
                { kind: "parent decides", parent: "base" },
                { kind: "file changed", path: "x", role: "smoke test" },
            ],
        });
        expect(reasonOf(plan)).toBe("only if the digest of base changes; smoke test x changed");
    });

    test("names the platforms where they differ, those that leave apart", () => {
        const platforms = [
            { platform: "linux/amd64", action: "unchanged" as const },
            { platform: "linux/arm64", action: "rebuild" as const },
            { platform: "linux/arm/v7", action: "remove" as const },
        ];
        const plan = imagePlan("ci", {
            action: "rebuild",
            causes: [{ kind: "entry added", of: "platform", name: "linux/arm64" }],
            platforms,
        });
        expect(reasonOf(plan)).toBe("platform linux/arm64 added; linux/amd64: unchanged, linux/arm64: rebuild");
        expect(reasonOf({ ...plan, platforms: platforms.filter(({ action }) => action !== "rebuild") })).toBe(
            "platform linux/arm64 added",
        );
    });

    test("counts what is too much to say", () => {
        const causes = Array.from({ length: 200 }, (_, index) => fileChanged(`file${index.toString()}`));
        expect(reasonOf(imagePlan("bot", { action: "rebuild", causes }))).toMatch(/; file5 changed; and 194 more$/);
    });
});

describe("the expected time", () => {
    const rebuild = imagePlan("base", { action: "rebuild" });
    const maybe = imagePlan("bot", { action: "maybe", parent: "base" });

    test("says what cutoff may save", () => {
        const expected = { least: 60, most: 240, unknown: [] };
        expect(expectedSentence({ images: [rebuild, maybe], expected })).toBe(
            "Expected: 60 s if no digest of a rebuilt parent changes, 4 min if all do.",
        );
    });

    test("is one number where nothing depends on a digest", () => {
        expect(expectedSentence({ images: [rebuild], expected: { least: 60, most: 60, unknown: [] } })).toBe(
            "Expected: 60 s.",
        );
    });

    test("says what was never recorded", () => {
        expect(
            expectedSentence({ images: [rebuild, maybe], expected: { least: 60, most: 60, unknown: ["bot"] } }),
        ).toBe("Expected: 60 s (without bot: not recorded yet).");
        expect(expectedSentence({ images: [rebuild], expected: { least: 0, most: 0, unknown: ["base"] } })).toBe(
            "No build of these was recorded yet: how long they take is not known.",
        );
    });

    test("is not said where nothing is built", () => {
        const images = [imagePlan("a"), imagePlan("b", { action: "retag" })];
        expect(expectedSentence(planOf(images))).toBe("");
    });
});

test("an image's seconds are those of its slowest platform that is built", () => {
    const platforms = [
        { platform: "linux/amd64", action: "rebuild" as const, seconds: 20 },
        { platform: "linux/arm64", action: "unchanged" as const, seconds: 90 },
    ];
    expect(secondsOf({ ...imagePlan("a"), platforms })).toBe(20);
    expect(secondsOf(imagePlan("a", { action: "rebuild" }))).toBeUndefined();
});
