import type { Measured } from "./measure";

/** Keys of images that a tool rebuilt without need, and those that it should have rebuilt and did not. */
export interface Verdict {
    readonly false: readonly string[];
    readonly missed: readonly string[];
}

/** Compares what a tool rebuilt with the label. */
export const verdictOf = (rebuilt: readonly string[], label: readonly string[]): Verdict => ({
    false: rebuilt.filter((key) => !label.includes(key)),
    missed: label.filter((key) => !rebuilt.includes(key)),
});

/** The columns of the report: a tool, and what it rebuilt. */
export const tools = {
    "`up`: repeated or changed": ({ ours }: Measured) => ours.changed,
    "`up`: builds started": ({ ours }: Measured) => ours.built,
    "bake: repeated or changed": ({ bake }: Measured) => bake,
    "path filters": ({ pathFilters }: Measured) => pathFilters,
} as const;

/** Images for which the review had not announced what `up` then did: built without a word, or not built although that was certain. */
export function unannounced({ ours: { built, announced } }: Measured): string[] {
    const silent = built.filter((key) => !["rebuild", "maybe"].includes(announced[key] ?? ""));
    const certain = Object.keys(announced).filter((key) => announced[key] === "rebuild" && !built.includes(key));
    return [...silent, ...certain];
}

/** Counts of a tool: changes that it got wrong, and images rebuilt in vain and missed in all changes. */
export interface Total {
    readonly wrong: number;
    readonly false: number;
    readonly missed: number;
}

/** Returns the counts of each tool. */
export function totals(results: readonly Measured[]): Record<keyof typeof tools, Total> {
    const of = (rebuilt: (one: Measured) => readonly string[]): Total => {
        const verdicts = results.map((one) => verdictOf(rebuilt(one), one.rebuilt));
        const sum = (kind: keyof Verdict) => verdicts.reduce((count, verdict) => count + verdict[kind].length, 0);
        const wrong = verdicts.filter((verdict) => verdict.false.length + verdict.missed.length > 0).length;
        return { wrong, false: sum("false"), missed: sum("missed") };
    };
    return Object.fromEntries(Object.entries(tools).map(([name, rebuilt]) => [name, of(rebuilt)])) as Record<
        keyof typeof tools,
        Total
    >;
}

const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;

/** Formats results as Markdown: the counts of each tool, then each change that a tool got wrong. */
export function report(results: readonly Measured[]): string {
    const labels = results.reduce((count, { rebuilt }) => count + rebuilt.length, 0);
    const head = ["tool", "changes wrong", "images rebuilt in vain", "images missed"];
    const counts = Object.entries(totals(results)).map(([name, total]) =>
        row([name, total.wrong, total.false, total.missed]),
    );
    const wrong = Object.entries(tools).flatMap(([name, rebuilt]) => [
        "",
        `${name}:`,
        "",
        ...results.flatMap((one) => {
            const verdict = verdictOf(rebuilt(one), one.rebuilt);
            const parts = (["false", "missed"] as const).filter((kind) => verdict[kind].length > 0);
            if (parts.length === 0) return [];
            const told = parts.map((kind) => `${kind === "false" ? "in vain" : "missed"} ${verdict[kind].join(", ")}`);
            return [`- ${one.hierarchy}/${one.change}: ${told.join("; ")}`];
        }),
    ]);
    const surprises = results.flatMap((one) => unannounced(one).map((key) => `${one.hierarchy}/${one.change}: ${key}`));
    return [
        `${results.length} changes, ${labels} images to rebuild; what \`up\` did and the review had not said: ${surprises.join(", ") || "nothing"}.`,
        "",
        row(head),
        row(head.map(() => "---")),
        ...counts,
        ...wrong,
    ].join("\n");
}
