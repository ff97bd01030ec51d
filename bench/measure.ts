import type { Scenario } from "./scenarios";

/** One of the compared tools, with a checkout of its own. */
export interface Tool {
    readonly name: string;
    /** Root of its checkout. */
    readonly root: string;
    /** Brings the registry up to the checkout; throws where that fails. */
    readonly build: () => Promise<unknown>;
    /** What `latest` of each image points at in the registry. */
    readonly digests: () => Promise<Readonly<Record<string, string>>>;
}

/** What one tool did in one scenario. */
export interface Measurement {
    /** Median over the runs. */
    readonly seconds: number;
    /** Images of which `latest` moved in any run. */
    readonly moved: readonly string[];
}

export interface Result {
    readonly scenario: string;
    readonly runs: number;
    /** By tool. */
    readonly tools: Readonly<Record<string, Measurement>>;
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (index: number) => sorted[index] ?? NaN;
    const middle = (sorted.length - 1) / 2;
    return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}

/** Keys whose value is another in `after`. */
export const movedImages = (
    before: Readonly<Record<string, string>>,
    after: Readonly<Record<string, string>>,
): string[] => Object.keys(after).filter((image) => before[image] !== after[image]);

/**
 * Runs every scenario with every tool, one directly after the other and in turns first, so that what the machine does beside
 * meets them alike.
 *
 * @param emptyBuilder makes the builder forget everything
 * @param runs of each scenario that can be repeated
 */
export async function measure(
    scenarios: readonly Scenario[],
    tools: readonly Tool[],
    emptyBuilder: () => Promise<unknown>,
    runs: number,
    tell: (line: string) => void,
): Promise<Result[]> {
    const results: Result[] = [];
    let mark = 0;
    for (const scenario of scenarios) {
        const count = scenario.once ? 1 : runs;
        const seconds = new Map<string, number[]>(tools.map(({ name }) => [name, []]));
        const moved = new Map<string, Set<string>>(tools.map(({ name }) => [name, new Set()]));
        for (let run = 0; run < count; run++) {
            mark++;
            for (const tool of run % 2 === 0 ? tools : [...tools].reverse()) {
                scenario.change(tool.root, `${tool.name} ${mark.toString()}`);
                if (scenario.freshBuilder) await emptyBuilder();
                const before = await tool.digests();
                const start = performance.now();
                await tool.build();
                seconds.get(tool.name)?.push((performance.now() - start) / 1000);
                for (const image of movedImages(before, await tool.digests())) moved.get(tool.name)?.add(image);
            }
        }
        const measured = tools.map(({ name }): [string, Measurement] => [
            name,
            { seconds: median(seconds.get(name) ?? []), moved: [...(moved.get(name) ?? [])].sort() },
        ]);
        results.push({ scenario: scenario.name, runs: count, tools: Object.fromEntries(measured) });
        tell(`${scenario.name}: ${measured.map(([name, one]) => `${name} ${one.seconds.toFixed(1)} s`).join(", ")}`);
    }
    return results;
}

const movedText = (moved: readonly string[]): string => (moved.length === 0 ? "none" : moved.join(", "));

/**
 * The results as a table in Markdown.
 *
 * @param own the tool that the others are compared with: a ratio above 1 says how many times as long the other took
 */
export function table(results: readonly Result[], own: string, other: string): string {
    const rows = results.map(({ scenario, tools }) => {
        const [a, b] = [tools[own], tools[other]];
        if (!a || !b) throw new Error(`${scenario} was not measured with ${own} and ${other}`);
        const cells = [`${a.seconds.toFixed(1)} s`, `${b.seconds.toFixed(1)} s`, (b.seconds / a.seconds).toFixed(2)];
        return [scenario, ...cells, movedText(a.moved), movedText(b.moved)];
    });
    const head = ["scenario", own, other, `${other} / ${own}`, `moved by ${own}`, `moved by ${other}`];
    return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
