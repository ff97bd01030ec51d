import { expect, test } from "../tests/mocha";
import { timeLimitWarnings } from "./timeLimits";

const hour = 3600;
const up = [
    { file: "soil.yml", name: "Soil", minutes: 60 },
    { file: "shop.yml", name: "Shop" },
];

test.each<[string, number, readonly [file: string, minutes: number][]]>([
    ["nothing to build", 0, []],
    ["half an hour", hour / 2, []],
    ["what fits into three quarters of a limit", hour / 2 + 1, [["soil.yml", 75]]],
    [
        "three hours",
        3 * hour,
        [
            ["soil.yml", 270],
            ["shop.yml", 270],
        ],
    ],
    [
        "more than a job may have",
        9 * hour,
        [
            ["soil.yml", 360],
            ["shop.yml", 360],
        ],
    ],
])("of %s the limits that are near are named, with a value that is enough", (_what, seconds, expected) => {
    const warnings = timeLimitWarnings({ up }, seconds);
    expect(warnings.map((text) => /set minutes: (\d+) for (\S+) in/.exec(text)?.slice(1))).toEqual(
        expected.map(([file, minutes]) => [String(minutes), file]),
    );
    // What it says to set is not near any longer, if there is such a value.
    const mended = up.map((one) => ({
        ...one,
        ...Object.fromEntries(
            expected.filter(([file]) => file === one.file).map(([, minutes]) => ["minutes", minutes]),
        ),
    }));
    expect(timeLimitWarnings({ up: mended }, seconds)).toEqual([]);
});

test("a repository without a workflows.ts has one job with the default", () => {
    expect(timeLimitWarnings({}, 2 * hour)).toEqual([]);
    expect(timeLimitWarnings({}, 3 * hour)).toEqual([expect.stringContaining("images.yml")]);
});
