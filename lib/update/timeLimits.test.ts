import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { RecordedWork, UpdateRecord } from "./history";
import { timeLimits, timeLimitsSchema } from "./timeLimits";

const work: RecordedWork = { image: "base", platform: "linux/amd64", kind: "build" };
const recorded = (seconds: number): UpdateRecord => ({
    ...{ start: "2026-01-01T00:00:00Z", seconds, result: "succeeded" },
    images: [{ ...work, operation: "create", seconds, result: "succeeded" }],
});

test.each([
    ["nothing is recorded", {}, [], 120],
    ["it took less", {}, [recorded(60)], 120],
    ["it took long: three times as much", {}, [recorded(3000)], 150],
    ["the stack sets a limit", { build: 5 }, [recorded(3000)], 5],
    ["the stack sets the limit of something else", { test: 5 }, [], 120],
] as const)("the time limit of a build where %s", (_, settings, history, minutes) => {
    expect(timeLimits(settings, history)(work)).toBe(minutes);
});

describe("in the stack's configuration", () => {
    test.each([0, -1, 1.5, "10m", Number.POSITIVE_INFINITY])("a limit of %s is refused", (build) => {
        expect(timeLimitsSchema.safeParse({ build }).success).toBe(false);
    });
    test("whole minutes are taken, other keys are refused", () => {
        expect(timeLimitsSchema.safeParse({ build: 1, test: 2, promotion: 3 }).success).toBe(true);
        expect(timeLimitsSchema.safeParse({ push: 1 }).success).toBe(false);
    });
});
