import { expect, test } from "../tests/mocha";
import { type Tool, measure, median, movedImages, table } from "./measure";

test("the median is the middle value, or the mean of the two in the middle", () => {
    expect(median([3])).toBe(3);
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("an image moved when latest names another digest, or names one for the first time", () => {
    expect(movedImages({ base: "a", bot: "b" }, { base: "a", bot: "c", ci: "d" })).toEqual(["bot", "ci"]);
});

/** Returns a tool that logs its builds. If `moves` is true, each build moves its image. */
function tool(name: string, log: string[], moves: boolean): Tool {
    let builds = 0;
    return {
        name,
        root: `/${name}`,
        build: async () => {
            log.push(`${name} builds`);
            builds++;
            await Promise.resolve();
        },
        digests: () => Promise.resolve({ image: moves ? builds.toString() : "same" }),
    };
}

test("tools take turns at being first, each change has a mark of its own, and an empty builder is emptied for each", async () => {
    const log: string[] = [];
    const scenario = {
        name: "change",
        freshBuilder: true,
        change: (root: string, mark: string) => log.push(`${root} gets ${mark}`),
    };
    const empty = () => {
        log.push("emptied");
        return Promise.resolve();
    };
    const results = await measure(
        [scenario],
        [tool("ours", log, false), tool("peer", log, true)],
        empty,
        2,
        () => undefined,
    );
    const turn = (name: string, mark: string) => [`/${name} gets ${name} ${mark}`, "emptied", `${name} builds`];
    expect(log).toEqual([...turn("ours", "1"), ...turn("peer", "1"), ...turn("peer", "2"), ...turn("ours", "2")]);
    expect(results).toMatchObject([
        { scenario: "change", runs: 2, tools: { ours: { moved: [] }, peer: { moved: ["image"] } } },
    ]);
});

test("what can be done only once is done once", async () => {
    const log: string[] = [];
    const once = { name: "first", once: true, change: () => undefined };
    const results = await measure(
        [once],
        [tool("ours", log, true)],
        () => Promise.resolve(),
        5,
        () => undefined,
    );
    expect(log).toEqual(["ours builds"]);
    expect(results[0]?.runs).toBe(1);
});

test("the table says how many times as long the other tool took, and what moved", () => {
    const tools = { ours: { seconds: 2, moved: [] }, peer: { seconds: 5, moved: ["bot", "ci"] } };
    const lines = table([{ scenario: "nothing changed", runs: 3, tools }], "ours", "peer").split("\n");
    expect(lines[0]).toBe("| scenario | ours | peer | peer / ours | moved by ours | moved by peer |");
    expect(lines[2]).toBe("| nothing changed | 2.0 s | 5.0 s | 2.50 | none | bot, ci |");
});
