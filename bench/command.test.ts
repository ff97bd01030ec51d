import { InputError } from "../lib/errors";
import { expect, test } from "../tests/mocha";
import { type BenchOptions, selection } from "./command";

test.each<[string, BenchOptions, { cases: number; runs: number; isComplete: boolean }]>([
    ["no option", {}, { cases: 15, runs: 5, isComplete: true }],
    ["more runs", { runs: 9 }, { cases: 15, runs: 9, isComplete: true }],
    ["too few runs to be published", { runs: 4 }, { cases: 15, runs: 4, isComplete: false }],
    ["--quick", { quick: true }, { cases: 4, runs: 1, isComplete: false }],
    ["--quick with runs", { quick: true, runs: 5 }, { cases: 4, runs: 5, isComplete: false }],
    ["scenarios", { scenario: "app, cold" }, { cases: 3, runs: 5, isComplete: false }],
])("%s: cases and runs", (_name, options, expected) => {
    const { cases, runs, isComplete } = selection(options);
    expect({ cases: cases.length, runs, isComplete }).toEqual(expected);
});

test("an unknown scenario is refused with the known ones", () => {
    expect(() => selection({ scenario: "app,tea" })).toThrow(InputError);
    expect(() => selection({ scenario: "app,tea" })).toThrow(/"tea"\n {2}allowed: nothing, app,/);
});
