import { expect, test } from "../tests/mocha";
import { names } from "./competitors";
import { colours, drawing } from "./drawing";
import type { Result } from "./measure";
import type { Results } from "./report";

const summary = { median: 4.25, min: 4, max: 5 };
const nothingChanged = (builder: Result["builder"]): Result => ({
    ...{ event: "nothing", title: "nothing changed", builder, runs: 5 },
    outcomes: [
        { competitor: names.ours, kind: "ours", usage: { wall: summary } },
        { competitor: names.usual, kind: "peer", failure: "exit code 1" },
    ],
});
const results: Results = {
    ...{ date: "2026-11-27", hierarchy: "light", versions: {} },
    machine: { cores: 2, memoryGB: 23, countsInstructions: false },
    results: [nothingChanged("warm"), nothingChanged("empty")],
};

/** Contrast of two colours (WCAG 2.2, relative luminance). */
function contrast(...pair: readonly [string, string]): number {
    const [high = 0, low = 0] = pair
        .map((colour) => {
            const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
            const [red = 0, green = 0, blue = 0] = channels.map((value) =>
                value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
            );
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        })
        .sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
}

test("the drawing has a bar's value for each competitor, and text that its own background makes readable on any page", () => {
    const svg = drawing(results);
    for (const text of [
        "nothing changed",
        "warm builder",
        "empty builder",
        names.ours,
        names.filtered,
        "2026-11-27",
        "4.3",
    ])
        expect(svg).toContain(text);
    expect(svg).toContain(`fill="${colours.background}"`);
    const fills = [...svg.matchAll(/<text[^>]* fill="(#[0-9a-f]{6})"/g)].map(([, fill]) => fill ?? "");
    expect(fills.length).toBeGreaterThan(10);
    for (const fill of fills) expect(contrast(fill, colours.background)).toBeGreaterThan(4.5);
    // Bars next to the background: 3 is what WCAG asks of graphics.
    for (const bar of Object.values(colours.bars)) expect(contrast(bar, colours.background)).toBeGreaterThan(3);
});
