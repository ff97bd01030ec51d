import { describe } from "mocha";
import { expect, test } from "../tests/mocha";
import type { Competitor } from "./competitors";
import { type Bench, measureCase, median, movedImages, summarise } from "./measure";
import { type Usage, nothing, sum } from "./meter";
import { type Case, casesOf } from "./scenarios";

test("the median is the middle value, or the mean of the two in the middle", () => {
    expect(median([3])).toBe(3);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("an image moved when latest names another digest, or names one for the first time", () => {
    expect(movedImages({ base: "a", bot: "b" }, { base: "a", bot: "c", ci: "d" })).toEqual(["bot", "ci"]);
});

const usage = (wall: number): Usage => ({ ...nothing(false), wall, memory: wall, disk: wall });

test("costs of work done in turn add up, except memory and disk, of which there was never more than the most", () => {
    const second: Usage = { ...{ wall: 2, cpu: 1, steps: 3, pulled: 4, pushed: 5, memory: 1, disk: 9 } };
    expect(sum({ ...usage(3), cpu: 1 }, second)).toEqual({
        ...{ wall: 5, cpu: 2, steps: 3, pulled: 4, pushed: 5, memory: 3, disk: 9 },
    });
    expect(sum({ ...second, instructions: 3 }, { ...second, instructions: 7 })).toMatchObject({ instructions: 10 });
});

test("a quantity that was not measured in every run has no summary", () => {
    const without: Usage = { ...{ wall: 3, cpu: 1, steps: 0, pulled: 0, pushed: 0, memory: 0, disk: 0 } };
    const summaries = summarise([{ ...usage(1), instructions: 5 }, without, { ...usage(8), instructions: 5 }]);
    expect(summaries).toMatchObject({ wall: { median: 3, min: 1, max: 8 }, cpu: { median: 0, min: 0, max: 1 } });
    expect(summaries).not.toHaveProperty("instructions");
});

test("warm builders come before empty ones, and the first build, which has no warm one, comes last", () => {
    expect(casesOf(["cold", "app", "nothing"]).map(({ event, builder }) => `${event} ${builder}`)).toEqual([
        ...["nothing warm", "app warm", "nothing empty", "app empty", "cold empty"],
    ]);
    expect(casesOf(undefined)).toHaveLength(15);
});

describe("a case", () => {
    const one = (changes: Partial<Case> = {}): Case => ({
        ...{ event: "app", title: "app code", changed: [], builder: "warm", ...changes },
    });

    /** Returns a competitor that logs its builds, each of groups of one command, and moves its image with each if `moves` is true. */
    function competitor(name: string, log: string[], { moves = false, groups = 1, fails = false } = {}): Competitor {
        let builds = 0;
        return {
            ...{ name, kind: "peer", takesPart: () => true },
            prepare: () => {
                log.push(`${name} is new`);
                return Promise.resolve();
            },
            happen: (event, { run }, root) => log.push(`${name}: ${event} ${run > 0 ? "marked" : ""}${root}`),
            commands: () => {
                if (fails) throw new Error("no such file");
                builds++;
                return Array.from({ length: groups }, () => [{ command: name, args: [], cwd: "/" }]);
            },
            digests: () => Promise.resolve({ image: moves ? builds.toString() : "same" }),
        };
    }

    const bench = (competitors: readonly Competitor[], log: string[]): Bench => ({
        competitors: () => competitors,
        meter: {
            counts: false,
            measure: (commands) => {
                log.push(`${commands[0]?.command ?? ""} runs`);
                return Promise.resolve(usage(2));
            },
        },
        emptyBuilder: () => {
            log.push("emptied");
            return Promise.resolve();
        },
        newRoot: ({ competitor: name }) => Promise.resolve(` on a root for ${name}`),
        tell: () => undefined,
    });

    test("has its competitors run in turn, each after its own change, and another one first in each run", async () => {
        const log: string[] = [];
        const result = await measureCase(
            bench([competitor("ours", log), competitor("peer", log, { moves: true })], log),
            one(),
            2,
        );
        const turn = (name: string) => [`${name}: app marked`, `${name} runs`];
        expect(log).toEqual(["ours", "peer", "peer", "ours"].flatMap(turn));
        expect(result.outcomes).toMatchObject([
            { competitor: "ours", moved: [], usage: { wall: { median: 2 } } },
            { competitor: "peer", moved: ["image"], usage: { wall: { median: 2 } } },
        ]);
    });

    test("empties the builder before each group of commands, and adds up what they cost", async () => {
        const log: string[] = [];
        const filtered = competitor("filtered", log, { groups: 2 });
        const result = await measureCase(bench([filtered], log), one({ builder: "empty" }), 1);
        expect(log.slice(1)).toEqual(["emptied", "filtered runs", "emptied", "filtered runs"]);
        expect(result.outcomes[0]?.usage?.wall?.median).toBe(4);
    });

    test("costs nothing where there is nothing to run", async () => {
        const result = await measureCase(bench([competitor("filtered", [], { groups: 0 })], []), one(), 1);
        const { usage: costs } = result.outcomes[0] ?? {};
        expect(costs).toMatchObject({ wall: { median: 0, min: 0, max: 0 }, steps: { median: 0 } });
        // The machine does not count them.
        expect(costs).not.toHaveProperty("instructions");
    });

    test("of a first build begins with new competitors, one of a root with a root that only one has seen", async () => {
        const log: string[] = [];
        await measureCase(bench([competitor("ours", log)], log), one({ event: "cold" }), 1);
        await measureCase(bench([competitor("ours", log)], log), one({ event: "root" }), 1);
        expect(log.filter((line) => !line.endsWith("runs"))).toEqual([
            ...["ours is new", "ours: cold marked", "ours: root marked on a root for ours"],
        ]);
    });

    test("says who failed, and goes on with the others", async () => {
        const log: string[] = [];
        const both = [competitor("ours", log, { fails: true }), competitor("peer", log)];
        const result = await measureCase(bench(both, log), one(), 2);
        expect(result.outcomes).toMatchObject([{ failure: "no such file" }, { usage: { wall: { median: 2 } } }]);
        expect(log.filter((line) => line === "peer runs")).toHaveLength(2);
        expect(log.filter((line) => line.startsWith("ours"))).toHaveLength(1);
    });
});
