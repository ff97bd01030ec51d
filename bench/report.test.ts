import { names } from "./competitors";
import { expect, test } from "../tests/mocha";
import type { Outcome, Result } from "./measure";
import { type Results, markdownResults, terminalTable, withResults } from "./report";

const summary = (median: number, spread = 0) => ({ median, min: median - spread, max: median + spread });
const outcome = (competitor: string, kind: Outcome["kind"], wall: number, spread = 0): Outcome => ({
    ...{ competitor, kind },
    usage: {
        ...{ wall: summary(wall, spread), cpu: summary(wall / 2), steps: summary(3), pulled: summary(0) },
        ...{ pushed: summary(1_200_000), memory: summary(2e8), disk: summary(1e9) },
    },
    ...(kind !== "floor" && { moved: kind === "ours" ? [] : ["base", "ci"] }),
});
const nothingChanged = (builder: Result["builder"]): Result => ({
    ...{ event: "nothing", title: "nothing changed", builder, runs: 5 },
    outcomes: [
        outcome(names.ours, "ours", 4, 0.5),
        outcome(names.bake, "peer", 6),
        { competitor: names.usual, kind: "peer", failure: "exit code 1\nno space left" },
        outcome(names.bare, "floor", 2),
    ],
});
const results: Results = {
    ...{ date: "2026-11-27", hierarchy: "light", versions: { node: "20.20.0" } },
    machine: { cores: 2, memoryGB: 23, countsInstructions: false },
    results: [nothingChanged("warm"), nothingChanged("empty")],
};

test("the terminal's table has medians, extremes of times, ratios, what moved and who failed", () => {
    expect(terminalTable(nothingChanged("warm"))).toBe(
        [
            "nothing changed, warm builder (5 runs)",
            "                                   wall    cpu  steps  pulled  pushed  memory  × ours    moved",
            "  layered-images up     4.0 s (3.5–4.5)  2.0 s      3     0 B  1.2 MB  200 MB    1.00     none",
            "  bake, our exporter              6.0 s  3.0 s      3     0 B  1.2 MB  200 MB    1.50  base ci",
            "  same resources, bare            2.0 s  1.0 s      3     0 B  1.2 MB  200 MB    0.50",
            "  bake, usual settings failed: exit code 1",
            "    no space left",
        ].join("\n"),
    );
});

test("the store is shown where it began empty: a warm one holds what all competitors left", () => {
    expect(terminalTable(nothingChanged("empty"))).toContain("1.0 GB");
});

test("the page says which aims are reached and which are not, and of what was not measured nothing", () => {
    const rows = markdownResults(results).split("\n");
    const aims = rows.slice(rows.indexOf("### Aims"), rows.indexOf("### Wall time"));
    expect(aims.filter((line) => line.startsWith("|")).slice(2)).toEqual([
        "| nothing changed: CPU, to the same resources bare | ≤ 1.25 | 2.00 | **no** |",
        "| nothing changed, empty builder: wall, to bake with our exporter | ≤ 1 | 0.67 | yes |",
    ]);
    expect(rows).toContain("| nothing changed, warm | 4.0 s | 6.0 s (×1.50) | failed |  |");
});

test("results replace those of an earlier run and nothing else of the page", () => {
    const [begin, end] = ["<!-- written by npm run bench -->", "<!-- end of what npm run bench writes -->"];
    expect(withResults(`before\n${begin}\nold\n${end}\nafter\n`, "new")).toBe(
        `before\n${begin}\n\nnew\n\n${end}\nafter\n`,
    );
    expect(() => withResults("a page without them", "new")).toThrow("lacks the line");
});
