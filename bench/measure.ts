import { isInterrupted } from "../lib/system/process";
import type { Competitor } from "./competitors";
import type { Mark } from "./hierarchies";
import { type Meter, type Usage, nothing, sum } from "./meter";
import type { Case } from "./scenarios";

/** The middle value, the smallest and the largest of several measurements of one quantity. */
export interface Summary {
    readonly median: number;
    readonly min: number;
    readonly max: number;
}

/** A quantity that is measured. */
export type Quantity = keyof Usage;

/** What a competitor's runs of a case came to. */
export interface Outcome {
    readonly competitor: string;
    readonly kind: Competitor["kind"];
    /** Summaries of its runs: seconds, counts and bytes, as in `Usage`. Absent if it failed. */
    readonly usage?: Readonly<Partial<Record<Quantity, Summary>>>;
    /** Images of which `latest` has another digest after a run, in any of the runs. Absent for floors. */
    readonly moved?: readonly string[];
    /** Why it failed: its later runs of this case were left out. */
    readonly failure?: string;
}

/** What the runs of a case came to. */
export interface Result {
    readonly event: Case["event"];
    readonly title: string;
    readonly builder: Case["builder"];
    readonly runs: number;
    readonly outcomes: readonly Outcome[];
}

/** Returns the middle value, or the mean of the two middle values of an even number of values; NaN without values. */
export function median(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (index: number) => sorted[index] ?? NaN;
    const middle = (sorted.length - 1) / 2;
    return (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
}

const quantities: readonly Quantity[] = [
    ...(["wall", "cpu", "instructions", "steps", "pulled", "pushed", "memory", "disk"] as const),
];

/** Summarises runs; a quantity that a run lacks is left out. */
export function summarise(usages: readonly Usage[]): Partial<Record<Quantity, Summary>> {
    const measured = quantities.flatMap((quantity): [Quantity, Summary][] => {
        const values = usages.flatMap((usage) => usage[quantity] ?? []);
        if (values.length < usages.length || values.length === 0) return [];
        return [[quantity, { median: median(values), min: Math.min(...values), max: Math.max(...values) }]];
    });
    return Object.fromEntries(measured);
}

/** Returns the keys of `after` whose value differs from `before`. */
export const movedImages = (
    before: Readonly<Record<string, string>>,
    after: Readonly<Record<string, string>>,
): string[] => Object.keys(after).filter((image) => before[image] !== after[image]);

/** What `measureCase` works with. */
export interface Bench {
    /** The competitors of a run; for the first build new ones, which have built nothing. */
    readonly competitors: (one: Case, run: number) => readonly Competitor[];
    readonly meter: Meter;
    /** Removes everything that the builder has. */
    readonly emptyBuilder: () => Promise<unknown>;
    /** Publishes a root that nobody has seen, and returns `<repository>@<digest>`. */
    readonly newRoot: (mark: Mark) => Promise<string>;
    /** Reports what is measured next. */
    readonly tell: (text: string) => void;
}

/** Number of the last run of a case: every change has one of its own. */
let lastRun = 0;

/** Runs one competitor once. Returns what it cost, and the images whose `latest` it moved. */
async function runOnce(bench: Bench, one: Case, competitor: Competitor, run: number) {
    const mark: Mark = { competitor: competitor.name.replace(/\W+/g, "-"), run };
    if (one.event === "cold") await competitor.prepare();
    const root = one.event === "root" ? await bench.newRoot(mark) : "";
    competitor.happen(one.event, mark, root);
    const before = await competitor.digests();
    const usages: Usage[] = [];
    for (const commands of competitor.commands(one)) {
        if (one.builder === "empty") await bench.emptyBuilder();
        usages.push(await bench.meter.measure(commands));
    }
    const usage = usages.length > 0 ? usages.reduce(sum) : nothing(bench.meter.counts);
    return { usage, moved: movedImages(before, await competitor.digests()) };
}

/**
 * Measures a case. In each run all competitors take part one directly after the other, and each run starts with another one, so that what
 * else happens on the machine affects all of them. A competitor that fails is left out of the case's later runs.
 *
 * @param runs number of runs
 */
export async function measureCase(bench: Bench, one: Case, runs: number): Promise<Result> {
    const taken = new Map<
        string,
        { kind: Competitor["kind"]; usages: Usage[]; moved: Set<string>; failure?: string }
    >();
    for (let run = 0; run < runs; run++) {
        lastRun++;
        const all = bench.competitors(one, lastRun).filter((competitor) => competitor.takesPart(one));
        const first = run % Math.max(1, all.length);
        for (const competitor of [...all.slice(first), ...all.slice(0, first)]) {
            const { name, kind } = competitor;
            const record = taken.get(name) ?? { kind, usages: [], moved: new Set<string>() };
            taken.set(name, record);
            if (record.failure !== undefined) continue;
            bench.tell(
                `${one.title}, ${one.builder} builder, run ${(run + 1).toString()} of ${runs.toString()}: ${name}`,
            );
            try {
                const { usage, moved } = await runOnce(bench, one, competitor, lastRun);
                record.usages.push(usage);
                for (const image of moved) record.moved.add(image);
            } catch (error) {
                if (isInterrupted()) throw error;
                record.failure = error instanceof Error ? error.message : String(error);
            }
        }
    }
    const outcomes = [...taken].map(([competitor, { kind, usages, moved, failure }]): Outcome => {
        if (failure !== undefined) return { competitor, kind, failure };
        const usage = summarise(usages);
        return kind === "floor" ? { competitor, kind, usage } : { competitor, kind, usage, moved: [...moved].sort() };
    });
    return { event: one.event, title: one.title, builder: one.builder, runs, outcomes };
}
