import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { intervalOf, namesIn, periodOf, rebuildHost, rebuildsSchema } from "./rebuild";

describe("the period of a scheduled rebuild", () => {
    test.each<[string, string, string, string]>([
        // ISO 8601: a week belongs to the year that has its Thursday.
        ["2026-11-27T10:00:00Z", "2026-11-27", "2026-W48", "2026-11"],
        ["2026-11-29T23:59:59Z", "2026-11-29", "2026-W48", "2026-11"],
        ["2026-11-30T00:00:00Z", "2026-11-30", "2026-W49", "2026-11"],
        ["2027-01-03T12:00:00Z", "2027-01-03", "2026-W53", "2027-01"],
        ["2027-01-04T12:00:00Z", "2027-01-04", "2027-W01", "2027-01"],
        ["2024-12-30T12:00:00Z", "2024-12-30", "2025-W01", "2024-12"],
        ["2026-11-30T00:30:00+02:00", "2026-11-29", "2026-W48", "2026-11"],
    ])("at %s is the day %s, the week %s, the month %s", (time, ...periods) => {
        const intervals = ["daily", "weekly", "monthly"] as const;
        expect(intervals.map((interval) => periodOf(interval, new Date(time)))).toEqual(periods);
        expect(periods.map(intervalOf)).toEqual([...intervals]);
    });

    test("of a user's own has no interval", () => {
        expect(["2026-W48-again", "x", ""].map(intervalOf)).toEqual([undefined, undefined, undefined]);
    });

    test.each([
        ["2026-W48", true],
        ["2026-11-27", true],
        ["again-2", true],
        ["", false],
        ["-a", false],
        ["a-", false],
        ["a.b", false],
        ["a b", false],
        ["a:127.0.0.1", false],
        ["x".repeat(40), true],
        ["x".repeat(41), false],
    ])("%j is allowed in the configuration: %s, because it becomes part of a host name", (period, allowed) => {
        expect(rebuildsSchema.safeParse({ base: period }).success).toBe(allowed);
        const [host = "", address] = rebuildHost(period).split(":");
        if (allowed) expect([host.length < 64, address]).toEqual([true, "127.0.0.1"]);
    });
});

test("images to build again are names, separated by spaces, commas or lines", () => {
    expect(namesIn(" base, ci\nbot,,devcontainer ")).toEqual(["base", "ci", "bot", "devcontainer"]);
    expect(namesIn(" , ")).toEqual([]);
});
