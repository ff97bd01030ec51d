import type { Action } from "../plan/builds";
import type { DeploymentPlan } from "../plan/deployments";
import type { Plan } from "../plan/plan";
import type { RepositoryPlan } from "../plan/repository";
import { roughly } from "../system/progress";
import { treeLines } from "./tree";
import { countsOf, deploymentText, expectedSentence, reasonOf, secondsOf } from "./words";

/** Options of the table. */
export interface TableOptions {
    /** Width of a line in characters. */
    readonly width: number;
    readonly colour: boolean;
}

/** SGR codes (ECMA-48). */
const colours = { red: 31, green: 32, yellow: 33, blue: 34, grey: 90 } as const;
type Colour = keyof typeof colours;

const colourOf: Readonly<Record<Action, Colour>> = {
    rebuild: "yellow",
    maybe: "blue",
    recreate: "yellow",
    retag: "green",
    retest: "green",
    remove: "red",
    unchanged: "grey",
};

/** Breaks a text into lines of at most `width` characters: at spaces, or inside a word that is longer than a line. */
export function wrap(text: string, width: number): string[] {
    const lines: string[] = [];
    const piece = new RegExp(`.{1,${Math.max(1, width).toString()}}`, "gsu");
    const pieces = (word: string) => word.match(piece) ?? [word];
    for (const word of text.split(" ").flatMap(pieces)) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(word);
    }
    return lines;
}

/** Characters that control a terminal instead of being shown: control characters, and marks that change the writing direction. */
const obeyed = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Makes text safe for a terminal. */
const plain = (text: string): string => text.replace(obeyed, "\ufffd");

/** Narrowest column for causes; with less space they are printed below the row. */
const narrow = 30;

function imageLines(plan: Plan, { width }: TableOptions, paint: (text: string, colour: Colour) => string): string[] {
    const lines = treeLines(plan.images);
    const nameWidth = Math.max(...lines.map(({ prefix, plan: { image } }) => prefix.length + image.length));
    const actionWidth = Math.max(...lines.map(({ plan: { action } }) => action.length));
    const timeWidth = Math.max(0, ...lines.map(({ plan: one }) => time(secondsOf(one)).length));
    const left = nameWidth + 2 + actionWidth + 2 + (timeWidth > 0 ? timeWidth + 2 : 0);
    const beside = width - left >= narrow;
    return lines.flatMap(({ plan: one, prefix, depth }, index) => {
        const columns = [
            (prefix + one.image).padEnd(nameWidth),
            paint(one.action, colourOf[one.action]) + " ".repeat(actionWidth - one.action.length),
            ...(timeWidth > 0 ? [time(secondsOf(one)).padStart(timeWidth)] : []),
        ].join("  ");
        const reason = plain(reasonOf(one));
        if (reason === "") return [columns.trimEnd()];
        // The causes below a row continue the lines of the tree.
        const children = (lines[index + 1]?.depth ?? 0) > depth ? "│" : "";
        const tree = prefix.replace("├─ ", "│  ").replace("└─ ", "   ") + children;
        const indent = beside ? tree.padEnd(left) : `${tree.padEnd(prefix.length)}  `;
        const [first = "", ...rest] = wrap(reason, width - indent.length);
        const below = (beside ? rest : [first, ...rest]).map((text) => indent + text);
        return [beside ? `${columns}  ${first}` : columns.trimEnd(), ...below];
    });
}

const time = (seconds: number | undefined): string => (seconds === undefined ? "" : roughly(seconds));

function repositoryLines(repository: readonly RepositoryPlan[]): string[] {
    const kindWidth = Math.max(...repository.map(({ kind }) => kind.length));
    const actionWidth = Math.max(...repository.map(({ action }) => action.length));
    return repository.map(
        ({ kind, name, action }) => `${action.padEnd(actionWidth)}  ${kind.padEnd(kindWidth)}  ${plain(name)}`,
    );
}

function deploymentLines(deployments: readonly DeploymentPlan[], { width }: TableOptions): string[] {
    const actionWidth = Math.max(...deployments.map(({ action }) => action.length));
    return deployments.flatMap((plan) => {
        const [first = "", ...rest] = wrap(plain(deploymentText(plan)), width - actionWidth - 2);
        return [
            `${plan.action.padEnd(actionWidth)}  ${first}`,
            ...rest.map((text) => " ".repeat(actionWidth + 2) + text),
        ];
    });
}

/** Renders the plan for a terminal: one line per image, as a tree, then deployments, GitHub, dangers and warnings. */
export function tableForm(plan: Plan, options: TableOptions): string {
    const paint = (text: string, colour: Colour) =>
        options.colour ? `\u001b[${colours[colour].toString()}m${text}\u001b[0m` : text;
    const wrapped = (text: string) =>
        text
            .split("\n")
            .flatMap((line) => wrap(plain(line), options.width))
            .join("\n");
    const section = (title: string, lines: readonly string[]) =>
        lines.length > 0 ? [[title, ...lines].join("\n")] : [];
    const expected = expectedSentence(plan);
    return [
        [
            wrapped(`stack ${plan.stack}: ${countsOf(plan)}`),
            ...(plan.images.length > 0 ? ["", ...imageLines(plan, options, paint)] : []),
        ].join("\n"),
        ...(expected === "" ? [] : [wrapped(expected)]),
        ...section("Deployments", deploymentLines(plan.deployments, options)),
        ...section("GitHub", plan.repository.length > 0 ? repositoryLines(plan.repository) : []),
        ...plan.dangers.map((danger) => paint(wrapped(`DANGER: ${danger}`), "red")),
        ...plan.warnings.map((warning) => wrapped(`warning: ${warning}`)),
        ...(plan.pending ? [] : ["Nothing to do."]),
    ]
        .filter((text) => text !== "")
        .join("\n\n");
}
