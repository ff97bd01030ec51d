import { looksSecret } from "../secrets";
import type { Cause } from "./plan";
import { type ResourceState, type Step, isUnknown } from "./preview";

type Texts = Readonly<Record<string, string>>;

/** The texts of a property that is a record; what is no text is left out. */
export function textsOf(state: ResourceState | undefined, property: string): Texts {
    const value = state?.inputs[property];
    if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
}

/** The texts of a property that is a list. */
export function listOf(state: ResourceState | undefined, property: string): readonly string[] {
    const value = state?.inputs[property];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

interface Difference {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    /** Names whose text is another. */
    readonly changed: readonly string[];
}

function difference(before: Texts, after: Texts): Difference {
    return {
        added: Object.keys(after).filter((name) => !(name in before)),
        removed: Object.keys(before).filter((name) => !(name in after)),
        changed: Object.keys(after).filter((name) => name in before && before[name] !== after[name]),
    };
}

/** The mark of an executable file in what a plan shows of it; see components/imageLayer.ts. */
const executable = / executable$/;

/** Files that were added, removed, renamed or changed. A rename is one removed and one added with the same content. */
export function fileCauses(before: Texts, after: Texts, what = ""): Cause[] {
    const { added, removed, changed } = difference(before, after);
    const left = [...added];
    const renames = removed.flatMap((from) => {
        const to = left.find((name) => after[name] === before[from]);
        if (to === undefined) return [];
        left.splice(left.indexOf(to), 1);
        return [[from, to] as const];
    });
    const gone = removed.filter((name) => !renames.some(([from]) => from === name));
    const onlyMode = (name: string) => before[name]?.replace(executable, "") === after[name]?.replace(executable, "");
    return [
        ...changed.map((name) => {
            if (!onlyMode(name)) return `${what}${name} changed`;
            return `${what}${name} is ${(after[name] ?? "").endsWith(" executable") ? "now" : "no longer"} executable`;
        }),
        ...left.map((name) => `${what}${name} added`),
        ...renames.map(([from, to]) => `${what}${from} renamed to ${to}`),
        ...gone.map((name) => `${what}${name} removed or ignored`),
    ];
}

/** Build arguments that the program sets for itself. */
const ownArguments = ["INPUT_HASH", "SOURCE_DATE_EPOCH"];

const masked = "•••";

/** A value as it may be shown. */
const shown = (name: string, value: string): string =>
    looksSecret(name, value) ? masked : value === "" ? '""' : value;

function valueCauses(what: string, before: Texts, after: Texts): Cause[] {
    const { added, removed, changed } = difference(before, after);
    const show = (from: Texts, name: string) => shown(name, from[name] ?? "");
    return [
        ...added.map((name) => `${what} ${name} added: ${show(after, name)}`),
        ...removed.map((name) => `${what} ${name} removed`),
        ...changed.map((name) => `${what} ${name}: ${show(before, name)} → ${show(after, name)}`),
    ];
}

const withoutOwn = (texts: Texts): Texts =>
    Object.fromEntries(Object.entries(texts).filter(([name]) => !ownArguments.includes(name)));

/** Build arguments that look like secrets: they are masked, and warned about. */
export const suspiciousArguments = (state: ResourceState | undefined): string[] =>
    Object.entries(withoutOwn(textsOf(state, "buildArgs")))
        .filter(([name, value]) => looksSecret(name, value))
        .map(([name]) => name);

const digestStart = (ref: string): string => ref.replace(/^.*@(sha256:)?([0-9a-f]{12}).*$/, "$2");

function rootCauses(before: Texts, after: Texts): Cause[] {
    const { added, removed, changed } = difference(before, after);
    return [
        ...added.map((root) => `root ${root} added`),
        ...removed.map((root) => `root ${root} removed`),
        ...changed.map((root) => {
            const [from, to] = [before[root] ?? "", after[root] ?? ""];
            if (!from.includes("@")) return `root ${root} pinned (${digestStart(to)})`;
            if (!to.includes("@")) return `root ${root} no longer pinned`;
            const [was, is] = [digestStart(from), digestStart(to)];
            return was === is ? `root ${root} comes from elsewhere` : `root ${root} moved (${was} → ${is})`;
        }),
    ];
}

function listCauses(what: string, before: readonly string[], after: readonly string[]): Cause[] {
    return [
        ...after.filter((one) => !before.includes(one)).map((one) => `${what} ${one} added`),
        ...before.filter((one) => !after.includes(one)).map((one) => `${what} ${one} removed`),
    ];
}

/** What an image's component says: its Dockerfile, files, roots, parents, platforms and names of secrets. */
export function layerCauses(before: ResourceState, after: ResourceState): Cause[] {
    const both = (property: string) => [textsOf(before, property), textsOf(after, property)] as const;
    const lists = (property: string) => [listOf(before, property), listOf(after, property)] as const;
    // A state that an older version wrote does not have it.
    const knowsDockerfile = before.inputs.dockerfile !== undefined;
    return [
        ...(knowsDockerfile ? fileCauses(...both("dockerfile")) : []),
        ...fileCauses(...both("inputs")),
        ...rootCauses(...both("roots")),
        ...listCauses("secret", ...lists("secrets")),
        ...listCauses("parent", ...lists("parents")),
        ...listCauses("platform", ...lists("platforms")),
    ];
}

/** Smoke tests of an image that changed. */
export const testCauses = (before: ResourceState, after: ResourceState): Cause[] =>
    fileCauses(textsOf(before, "smokeTests"), textsOf(after, "smokeTests"), "smoke test ");

const repositoryOf = (state: ResourceState): string => (listOf(state, "tags")[0] ?? "").replace(/:[^:/]*$/, "");

const textOf = (state: ResourceState, property: string): string => {
    const value = state.inputs[property];
    return typeof value === "string" ? value : "";
};

/** What one build says beside its files: arguments, labels, target, cache, where it is pushed. */
export function buildCauses({ old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after) return [];
    const both = (property: string) => [textsOf(before, property), textsOf(after, property)] as const;
    const [had, has] = [before, after].map((state) => state.inputs.cacheTo !== undefined);
    const [from, to] = [repositoryOf(before), repositoryOf(after)];
    const [target, newTarget] = [textOf(before, "target"), textOf(after, "target")];
    const moved = !isUnknown(after.inputs.tags) && from !== to;
    return [
        ...valueCauses("build argument", withoutOwn(both("buildArgs")[0]), withoutOwn(both("buildArgs")[1])),
        ...valueCauses("label", ...both("labels")),
        ...(target === newTarget ? [] : [`target: ${target || "the last stage"} → ${newTarget || "the last stage"}`]),
        ...(had === has ? [] : [`registry cache switched ${has ? "on" : "off"}`]),
        ...(moved ? [`pushed to ${to || "nowhere"} instead of ${from || "nowhere"}`] : []),
    ];
}
