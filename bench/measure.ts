import type { Scenario } from "./scenarios";

/** A compared tool with a separate checkout. */
export interface Tool {
    readonly name: string;
    /** Root of the tool's checkout. */
    readonly root: string;
    /** Updates the registry to the state of the checkout; throws if that fails. */
    readonly build: () => Promise<unknown>;
    /** Returns the digest of `latest` in the registry, by image. */
    readonly digests: () => Promise<Readonly<Record<string, string>>>;
}

/** The result of a tool in a scenario. */
export interface Measurement {
    /** Median build time of the runs, in seconds. */
    readonly seconds: number;
    /** Images whose `latest` moved in any run. */
    readonly moved: readonly string[];
}

export interface Result {
    readonly scenario: string;
    readonly runs: number;
    /** Measurements by tool. */
    readonly tools: Readonly<Record<string, Measurement>>;
}

/** Returns the middle value, or the mean of the two middle values of an even number of values. */
export function median(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (index: number) => sorted[index] ?? NaN;
    const middle = (sorted.length - 1) / 2;
    return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}

/** Returns the keys of `after` whose value differs from `before`. */
export const movedImages = (
    before: Readonly<Record<string, string>>,
    after: Readonly<Record<string, string>>,
): string[] => Object.keys(after).filter((image) => before[image] !== after[image]);

/**
 * Runs every scenario with every tool. The tools run directly after each other and take turns at running first, so that
 * other load on the machine affects them equally.
 *
 * @param emptyBuilder removes everything from the builder's cache
 * @param runs number of runs of each scenario that can be repeated
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
 * Formats the results as a Markdown table.
 *
 * @param own name of the reference tool: a ratio above 1 is how many times as long the other tool took
 * @param other name of the tool to compare with it
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
