import { treeLines } from "../forms/tree";
import type { Note } from "./build";
import type { Checked } from "./check";
import type { Entry } from "./entries";
import { optionFor } from "./expressions";
import type { PlannedFile } from "./files";
import type { StepUse } from "./workflows";

/** A value to ask for. */
export interface NeededValue {
    /** The option that gives it: "--set secrets.USER=<value>". */
    readonly option: string;
    /** The expressions that it makes known: "secrets.USER". */
    readonly values: readonly string[];
    /** What depends on it. */
    readonly uses: readonly Note[];
}

/** What `adopt` found, and what it writes: the output of `--json`. */
export interface AdoptionPlan {
    readonly images: readonly (Entry & { readonly parent?: string })[];
    /** Images that can't be read yet, and why. */
    readonly left: Checked["left"];
    /** Dockerfiles without an image, because nothing builds them. */
    readonly unused: readonly string[];
    /** Values that only people know, and without which images are missing or have other names: nothing is written before they are given. */
    readonly needed: readonly NeededValue[];
    /** What was not understood, or is not written. */
    readonly notes: readonly Note[];
    /** What is left to do before images can be built. */
    readonly tasks: readonly Note[];
    /** Steps of existing workflows that build images, and the other steps of the same jobs. */
    readonly steps: readonly StepUse[];
    readonly files: readonly PlannedFile[];
}

/** Returns the values that notes ask for, by the options that give them. */
export function neededValues(notes: readonly Note[]): NeededValue[] {
    const asking = notes.flatMap((note) => {
        const option = note.wants === undefined ? undefined : optionFor(note.wants);
        return note.wants === undefined || option === undefined ? [] : [{ note, option, value: note.wants }];
    });
    return [...new Set(asking.map(({ option }) => option))].map((option) => {
        const own = asking.filter((one) => one.option === option);
        const values = [...new Set(own.map(({ value }) => value))];
        return { option, values, uses: own.map(({ note }) => note) };
    });
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** Returns lines with their first column as wide as its longest text. */
function columns(rows: readonly (readonly string[])[], indent = ""): string[] {
    const widths = (rows[0] ?? []).map((_text, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    return rows.map((row) =>
        (indent + row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")).trimEnd(),
    );
}

const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", title, ...lines];

const onOneLine = (text: string): string => text.replace(/:\n\s*/g, ": ").replace(/\n\s*/g, "; ");

const noteLines = (notes: readonly Note[]): string[] =>
    notes.map(({ where, text }) => `  ${where}: ${onOneLine(text)}`);

const stepLines = (steps: readonly StepUse[], role: StepUse["role"]): string[] =>
    columns(
        steps.filter((step) => step.role === role).map(({ where, what }) => [where, what]),
        "  ",
    );

function imageLines(images: AdoptionPlan["images"]): string[] {
    const lines = treeLines(images.map((entry) => ({ image: entry.key, parent: entry.parent, entry })));
    return columns(
        lines.map(({ prefix, plan: { entry } }) => {
            const { name = "never pushed", platforms, dockerfile } = entry.definition;
            const where =
                typeof platforms === "string"
                    ? platforms
                    : platforms.map((platform) => platform.replace("linux/", "")).join(" ");
            const from = entry.from.filter((place) => place !== dockerfile);
            return [
                prefix + entry.key,
                name,
                where,
                from.length > 0 ? `${dockerfile}; ${from.join(", ")}` : dockerfile,
            ];
        }),
        "  ",
    );
}

/** Words a plan for a terminal. */
export function planText({ images, left, unused, needed, notes, tasks, steps, files }: AdoptionPlan): string {
    return [
        ...needed.flatMap(({ option, values, uses }) => [
            `This plan is incomplete, because ${values.join(", ")} ${values.length === 1 ? "is" : "are"} not known. Give it: ${option}`,
            ...noteLines(uses),
            "",
        ]),
        counted(images.length, "image"),
        ...section("Images, by parent: name, platforms, Dockerfile and what builds it today", imageLines(images)),
        ...section(
            "Left out, as comments in images.ts:",
            left.map(({ entry, problem }) => `  ${entry.key}: ${onOneLine(problem)}`),
        ),
        ...section(
            "Dockerfiles that nothing builds, so they get no image (to have one: --name <Dockerfile>=<name>):",
            unused.map((file) => `  ${file}`),
        ),
        ...section("Not understood, or not written:", noteLines(notes)),
        ...section("To do before the images can be built:", noteLines(tasks)),
        ...section(
            "Existing workflows stay. Once `up` builds the images, these steps are superfluous:",
            stepLines(steps, "superfluous"),
        ),
        ...section("The same jobs also do this, which the generated workflows don't:", stepLines(steps, "other")),
        ...section(
            "Files:",
            columns(
                files.map(({ file, action, remark = "" }) => [action, file, remark]),
                "  ",
            ),
        ),
    ].join("\n");
}
