import { looksSecret } from "../hierarchy/secrets";
import type { Cause } from "./plan";
import type { ResourceState } from "../engine/preview";

/** Texts by name: files, build arguments, labels. */
export type Texts = Readonly<Record<string, string>>;

/** The texts of a property that is a record; what is no text is left out. */
export function textsOf(state: ResourceState | undefined, property: string): Texts {
    const value = state?.inputs[property];
    if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
}

/** The text of a property; "" where it is none. */
export const textOf = (state: ResourceState, property: string): string => {
    const value = state.inputs[property];
    return typeof value === "string" ? value : "";
};

/** The texts of a property that is a list. */
export function listOf(state: ResourceState | undefined, property: string): readonly string[] {
    const value = state?.inputs[property];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** Names by what happened to them. */
export interface Difference {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    /** Names whose text is another. */
    readonly changed: readonly string[];
}

/** What differs between two records. */
export function difference(before: Texts, after: Texts): Difference {
    return {
        added: Object.keys(after).filter((name) => !Object.hasOwn(before, name)),
        removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
        changed: Object.keys(after).filter((name) => Object.hasOwn(before, name) && before[name] !== after[name]),
    };
}

/** The mark of an executable file in what a plan shows of it; see components/imageLayer.ts. */
const executable = / executable$/;

/**
 * Files, links and folders (with a slash at their end) that were added, removed, renamed or changed. A rename is one removed and one added with the same content.
 *
 * @param what said before each name, with a space at its end
 * @param gone said of files that are no longer there
 */
export function fileCauses(before: Texts, after: Texts, what = "", gone = "removed or ignored"): Cause[] {
    const all = difference(before, after);
    // A folder is named where nothing else lies in it: it need not come or go with what does.
    const isThere = (texts: Texts, name: string) =>
        name.endsWith("/") && Object.keys(texts).some((other) => other.startsWith(name));
    const removed = all.removed.filter((name) => !isThere(after, name));
    const added = all.added.filter((name) => !isThere(before, name));
    const { changed } = all;
    const left = [...added];
    const renames = removed.flatMap((from) => {
        const to = left.find((name) => after[name] === before[from]);
        if (to === undefined) return [];
        left.splice(left.indexOf(to), 1);
        return [[from, to] as const];
    });
    const lost = removed.filter((name) => !renames.some(([from]) => from === name));
    const onlyMode = (name: string) => before[name]?.replace(executable, "") === after[name]?.replace(executable, "");
    return [
        ...changed.map((name) => {
            if (!onlyMode(name)) return `${what}${name} changed`;
            return `${what}${name} is ${(after[name] ?? "").endsWith(" executable") ? "now" : "no longer"} executable`;
        }),
        ...left.map((name) => `${what}${name} added`),
        ...renames.map(([from, to]) => `${what}${from} renamed to ${to}`),
        ...lost.map((name) => `${what}${name} ${gone}`),
    ];
}

const masked = "•••";

/** Characters of a value that are shown: a value can be a whole file. */
const shownLength = 60;

/** A value as it may be shown: what looks like a secret in none of its parts. */
function shown(name: string, value: string): string {
    if (looksSecret(name, value)) return masked;
    return value === "" ? '""' : value.length > shownLength ? `${value.slice(0, shownLength)}…` : value;
}

/** Values (build arguments, labels) that were added, removed or changed. */
export function valueCauses(what: string, before: Texts, after: Texts): Cause[] {
    const { added, removed, changed } = difference(before, after);
    const show = (from: Texts, name: string) => shown(name, from[name] ?? "");
    return [
        ...added.map((name) => `${what} ${name} added: ${show(after, name)}`),
        ...removed.map((name) => `${what} ${name} removed`),
        ...changed.map((name) => `${what} ${name}: ${show(before, name)} → ${show(after, name)}`),
    ];
}

/** What a list (parents, platforms) gained and lost. */
export function listCauses(what: string, before: readonly string[], after: readonly string[]): Cause[] {
    return [
        ...after.filter((one) => !before.includes(one)).map((one) => `${what} ${one} added`),
        ...before.filter((one) => !after.includes(one)).map((one) => `${what} ${one} removed`),
    ];
}
