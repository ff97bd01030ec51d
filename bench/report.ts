import { size } from "../lib/system/progress";
import { names } from "./competitors";
import type { Outcome, Quantity, Result, Summary } from "./measure";
import type { Builder, Event } from "./scenarios";

/** The versions of what was measured, and the machine: cores and memory, nothing that identifies it. */
export interface Circumstances {
    /** Date of the run, YYYY-MM-DD. */
    readonly date: string;
    readonly hierarchy: "light" | "torch";
    readonly machine: { readonly cores: number; readonly memoryGB: number; readonly countsInstructions: boolean };
    readonly versions: Readonly<Record<string, string>>;
}

/** Everything that a run measured: the content of bench/results.json. */
export interface Results extends Circumstances {
    readonly results: readonly Result[];
}

const peers = [names.bake, names.usual, names.filtered] as const;

const seconds = (value: number) => `${value.toFixed(1)} s`;
const ratio = (value: number) => value.toFixed(2);
const count = (value: number) => value.toFixed(0);
const billions = (value: number) => `${(value / 1e9).toFixed(1)} G`;

const form: Readonly<Record<Quantity, (value: number) => string>> = {
    ...{ wall: seconds, cpu: seconds, instructions: billions, steps: count },
    ...{ pulled: size, pushed: size, memory: size, disk: size },
};

/** Formats a median; with its extremes, if they are wanted and differ from it. */
function summaryText(quantity: Quantity, summary: Summary | undefined, extremes: boolean): string {
    if (!summary) return "";
    const { median, min, max } = summary;
    const text = form[quantity](median);
    if (!extremes || min === max) return text;
    const [from, to] = [form[quantity](min), form[quantity](max)].map((one) => one.replace(/ \w+$/, ""));
    return `${text} (${from ?? ""}–${to ?? ""})`;
}

/** Returns the outcome of a competitor in a case; undefined if it was not measured or failed. */
function usageOf(results: readonly Result[], event: Event, builder: Builder, competitor: string): Outcome["usage"] {
    const result = results.find((one) => one.event === event && one.builder === builder);
    return result?.outcomes.find((one) => one.competitor === competitor)?.usage;
}

/** Aligns cells in columns, the first to the left and the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
    return rows.map((row) =>
        row
            .map((cell, column) =>
                column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
            )
            .join("  ")
            .trimEnd(),
    );
}

/** What a store that started warm holds comes from all competitors, so it is not shown. */
const isShown = (result: Pick<Result, "builder">, quantity: Quantity) =>
    quantity !== "disk" || result.builder === "empty";

/**
 * Formats what a case came to, for a terminal: a line for each competitor, with medians, the extremes of times, and the ratio of its wall
 * time to this program's.
 */
export function terminalTable(result: Result): string {
    const { title, builder, runs, outcomes } = result;
    const measured = outcomes.filter(({ usage }) => usage !== undefined);
    const shown = (Object.keys(form) as Quantity[]).filter(
        (quantity) => isShown(result, quantity) && measured.some(({ usage }) => usage?.[quantity]),
    );
    const own = measured.find(({ kind }) => kind === "ours")?.usage?.wall?.median;
    const row = ({ competitor, usage, moved }: Outcome) => [
        `  ${competitor}`,
        ...shown.map((quantity) => summaryText(quantity, usage?.[quantity], quantity === "wall" || quantity === "cpu")),
        own === undefined || !usage?.wall ? "" : ratio(usage.wall.median / own),
        moved === undefined ? "" : moved.length === 0 ? "none" : moved.join(" "),
    ];
    const head = ["", ...shown, "× ours", "moved"];
    return [
        `${title}, ${builder} builder (${runs.toString()} ${runs === 1 ? "run" : "runs"})`,
        ...(measured.length > 0 ? aligned([head, ...measured.map(row)]) : []),
        ...outcomes.flatMap(({ competitor, failure }) =>
            failure === undefined ? [] : [`  ${competitor} failed: ${failure.split("\n").join("\n    ")}`],
        ),
    ].join("\n");
}

/** An aim: a ratio of two figures, or a figure, and what it may be at most. */
interface Aim {
    readonly text: string;
    readonly most: number;
    /** Returns the figure; undefined if something that it needs was not measured. */
    readonly figure: (results: readonly Result[]) => number | undefined;
}

const medianOf = (
    results: readonly Result[],
    [event, builder, competitor]: readonly [Event, Builder, string],
    quantity: Quantity,
): number | undefined => usageOf(results, event, builder, competitor)?.[quantity]?.median;

/** Returns the ratio of one competitor's figure to the sum of others'. */
const ratioOf =
    (
        quantity: Quantity,
        one: readonly [Event, Builder, string],
        ...others: readonly (readonly [Event, Builder, string])[]
    ): Aim["figure"] =>
    (results) => {
        const above = medianOf(results, one, quantity);
        const below = others.map((other) => medianOf(results, other, quantity));
        if (above === undefined || below.includes(undefined)) return undefined;
        return above / below.reduce<number>((sum, value) => sum + (value ?? 0), 0);
    };

/** What this program has to reach. */
const aims: readonly Aim[] = [
    {
        text: "nothing changed: CPU, to the same resources bare",
        most: 1.25,
        figure: ratioOf("cpu", ["nothing", "warm", names.ours], ["nothing", "warm", names.bare]),
    },
    {
        text: "nothing changed, empty builder: wall, to bake with our exporter",
        most: 1,
        figure: ratioOf("wall", ["nothing", "empty", names.ours], ["nothing", "empty", names.bake]),
    },
    {
        text: "nothing changed, empty builder: wall, to bake with usual settings",
        most: 1,
        figure: ratioOf("wall", ["nothing", "empty", names.ours], ["nothing", "empty", names.usual]),
    },
    {
        text: "requirements, empty builder: wall, to path filters",
        most: 0.5,
        figure: ratioOf("wall", ["requirements", "empty", names.ours], ["requirements", "empty", names.filtered]),
    },
    {
        text: "requirements, empty builder: wall, to bake with our exporter",
        most: 1,
        figure: ratioOf("wall", ["requirements", "empty", names.ours], ["requirements", "empty", names.bake]),
    },
    {
        text: "requirements, empty builder: wall, to bake with usual settings",
        most: 1,
        figure: ratioOf("wall", ["requirements", "empty", names.ours], ["requirements", "empty", names.usual]),
    },
    {
        text: "a comment in the base's Dockerfile, empty builder: steps executed",
        most: 0,
        figure: (results) => medianOf(results, ["comment", "empty", names.ours], "steps"),
    },
    ...(["warm", "empty"] as const).map((builder): Aim => ({
        text: `app code, ${builder} builder: wall, to buildctl and a run with nothing to do`,
        most: 1.2,
        figure: ratioOf(
            "wall",
            ["app", builder, names.ours],
            ["app", builder, names.raw],
            ["nothing", builder, names.ours],
        ),
    })),
];

const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
    [row(head), row(head.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(row)].join("\n");

const caseText = ({ title, builder }: Pick<Result, "title" | "builder">) => `${title}, ${builder}`;

/** Returns a table of the competitors' medians; `compared` adds the ratio to this program's. */
function medians(results: readonly Result[], competitors: readonly string[], quantity: Quantity, compared: boolean) {
    const rows = results.flatMap((result) => {
        const own = usageOf(results, result.event, result.builder, names.ours)?.[quantity]?.median;
        const outcomes = competitors.map((name) => result.outcomes.find(({ competitor }) => competitor === name));
        if (outcomes.slice(1).every((outcome) => outcome === undefined)) return [];
        const cells = outcomes.map((outcome) => {
            if (outcome?.failure !== undefined) return "failed";
            const summary = outcome?.usage?.[quantity];
            const isOther = outcome?.kind !== "ours" && own !== undefined && summary !== undefined && compared;
            return `${summaryText(quantity, summary, false)}${isOther ? ` (×${ratio(summary.median / own)})` : ""}`;
        });
        return [[caseText(result), ...cells]];
    });
    return markdownTable(["scenario, builder", ...competitors], rows);
}

/** Returns a table of three figures for each competitor: steps executed, bytes pulled and bytes pushed. */
function work(results: readonly Result[], competitors: readonly string[]): string {
    const shown = ["steps", "pulled", "pushed"] as const;
    const rows = results.map((result) => [
        caseText(result),
        ...competitors.map((name) => {
            const usage = usageOf(results, result.event, result.builder, name);
            return usage ? shown.map((quantity) => summaryText(quantity, usage[quantity], false)).join(" / ") : "";
        }),
    ]);
    return markdownTable(["steps / pulled / pushed", ...competitors], rows);
}

/** Formats a run's results as Markdown: circumstances, aims, and tables of medians. */
export function markdownResults({ date, hierarchy, machine, versions, results }: Results): string {
    const all = [names.ours, ...peers];
    const reached = aims.flatMap(({ text, most, figure }) => {
        const value = figure(results);
        return value === undefined
            ? []
            : [[text, `≤ ${most.toString()}`, ratio(value), value <= most ? "yes" : "**no**"]];
    });
    const runs = [...new Set(results.map((one) => one.runs.toString()))].join(" or ");
    const counted = machine.countsInstructions ? "" : " This machine does not count executed instructions.";
    return [
        `Measured on ${date}: ${hierarchy} hierarchy, ${runs} runs of each, ${machine.cores.toString()} cores, ` +
            `${machine.memoryGB.toString()} GB of memory; ` +
            `${Object.entries(versions)
                .map(([name, version]) => `${name} ${version}`)
                .join(", ")}.${counted}`,
        "Medians; in brackets how many times as much as this program.",
        "### Aims",
        markdownTable(["aim", "at most", "measured", "reached"], reached),
        "### Wall time",
        medians(results, all, "wall", true),
        "### CPU time",
        medians(results, all, "cpu", true),
        ...(machine.countsInstructions
            ? ["### Executed instructions", medians(results, all, "instructions", true)]
            : []),
        "### Build steps executed, bytes pulled and pushed",
        work(results, all),
        "### Memory of the commands, and BuildKit's store",
        medians(results, all, "memory", true),
        medians(
            results.filter((result) => isShown(result, "disk")),
            all,
            "disk",
            true,
        ),
        "### Floors",
        medians(results, [names.ours, names.raw, names.bare, names.empty], "wall", true),
        medians(results, [names.ours, names.raw, names.bare, names.empty], "cpu", true),
    ].join("\n\n");
}

/** The lines around the part of a document that a run replaces. */
const [begin, end] = ["<!-- written by npm run bench -->", "<!-- end of what npm run bench writes -->"];

/**
 * Replaces the results in a document.
 *
 * @throws Error if the document lacks the lines between which they stand
 */
export function withResults(document: string, results: string): string {
    const [from, to] = [document.indexOf(begin), document.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the document lacks the line ${begin}, or ${end} after it`);
    return `${document.slice(0, from + begin.length)}\n\n${results}\n\n${document.slice(to)}`;
}
