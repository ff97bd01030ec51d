import { syntaxArgument } from "../dockerfile/frontends";
import { type Texts, listOf, textOf, textsOf, type ResourceState, type Step, isUnknown } from "../engine/preview";
import { looksSecret } from "../hierarchy/secrets";
import { repositoryOf } from "../registry/references";
import type { Group } from "./groups";
import type { Cause } from "./plan";

/** "registry/repository" of a tag, as everywhere; "" where there is no tag. */
export const placeOf = (tag: string): string => (tag === "" ? "" : repositoryOf(tag));

/**
 * The repositories that an image was and will be pushed to, where they differ; "" for none. The tag of a build whose parent
 * is built anew is not known before, that of its promotion is.
 */
export function moveOf({ builds, index }: Pick<Group, "builds" | "index">): { from: string; to: string } | undefined {
    const before = builds.find((step) => step.old)?.old;
    const after = builds.find((step) => step.new)?.new;
    if (!before || !after) return undefined;
    const open = isUnknown(after.inputs.tags);
    if (open && !index?.new) return undefined;
    const from = placeOf(listOf(before, "tags")[0] ?? "");
    const to = placeOf(open && index?.new ? textOf(index.new, "tag") : (listOf(after, "tags")[0] ?? ""));
    return from === to ? undefined : { from, to };
}

/** Where an image is pushed and promoted to, when that is another place than before. */
export function placeCauses(group: Pick<Group, "builds" | "index">): Cause[] {
    const move = moveOf(group);
    if (move) return [`pushed to ${move.to || "nowhere"} instead of ${move.from || "nowhere"}`];
    const { old: before, new: after } = group.index ?? {};
    if (!before || !after) return [];
    const [from, to] = [textOf(before, "tag"), textOf(after, "tag")];
    return from === to || isUnknown(to) ? [] : [`promoted as ${to} instead of ${from}`];
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

/** Build arguments that the program sets for itself; the frontend is told among the roots. */
const ownArguments = ["INPUT_HASH", "SOURCE_DATE_EPOCH", syntaxArgument];

const withoutOwn = (texts: Texts): Texts =>
    Object.fromEntries(Object.entries(texts).filter(([name]) => !ownArguments.includes(name)));

/** Build arguments that look like secrets: they are masked, and warned about. */
export const suspiciousArguments = (state: ResourceState | undefined): string[] =>
    Object.entries(withoutOwn(textsOf(state, "buildArgs")))
        .filter(([name, value]) => looksSecret(name, value))
        .map(([name]) => name);

const digestStart = (ref: string): string => ref.replace(/^.*@(sha256:)?([0-9a-f]{12}).*$/, "$2");

/** What to say of a reference `<repository>@<digest>` that became another. */
function moveCause(what: string, from: string, to: string): Cause {
    if (!from.includes("@")) return `${what} pinned (${digestStart(to)})`;
    if (!to.includes("@")) return `${what} no longer pinned`;
    const [was, is] = [digestStart(from), digestStart(to)];
    return was === is ? `${what} comes from elsewhere` : `${what} moved (${was} → ${is})`;
}

function rootCauses(before: Texts, after: Texts): Cause[] {
    const { added, removed, changed } = difference(before, after);
    return [
        ...added.map((root) => `root ${root} added`),
        ...removed.map((root) => `root ${root} removed`),
        ...changed.map((root) => moveCause(`root ${root}`, before[root] ?? "", after[root] ?? "")),
    ];
}

/** What an image's component says: its Dockerfile, files, roots, names of secrets, parents and platforms. */
export function imageCauses(before: ResourceState, after: ResourceState): Cause[] {
    const both = (property: string) => [textsOf(before, property), textsOf(after, property)] as const;
    const lists = (property: string) => [listOf(before, property), listOf(after, property)] as const;
    return [
        ...(knowsDockerfile(before) ? fileCauses(...both("dockerfile")) : []),
        ...fileCauses(...both("inputs")),
        ...rootCauses(...both("roots")),
        ...listCauses("secret", ...lists("secrets")),
        ...listCauses("parent", ...lists("parents")),
        ...listCauses("platform", ...lists("platforms")),
    ];
}

/** Whether a component's state names the Dockerfile: one that an older version wrote does not. */
const knowsDockerfile = (component: ResourceState): boolean => component.inputs.dockerfile !== undefined;

/** Smoke tests of an image that changed. */
export const testCauses = (before: ResourceState, after: ResourceState): Cause[] =>
    fileCauses(textsOf(before, "smokeTests"), textsOf(after, "smokeTests"), "smoke test ", "removed");

/** What one build says beside its files: arguments, labels, target, cache. */
export function buildCauses({ old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after) return [];
    const both = (property: string) => [textsOf(before, property), textsOf(after, property)] as const;
    const [had, has] = [before, after].map((state) => state.inputs.cacheTo !== undefined);
    const [target, newTarget] = [textOf(before, "target"), textOf(after, "target")];
    return [
        ...valueCauses("build argument", withoutOwn(both("buildArgs")[0]), withoutOwn(both("buildArgs")[1])),
        ...valueCauses("label", ...both("labels")),
        ...(target === newTarget ? [] : [`target: ${target || "the last stage"} → ${newTarget || "the last stage"}`]),
        ...(had === has ? [] : [`registry cache switched ${has ? "on" : "off"}`]),
    ];
}

/** What a build stands on, by the name in its Dockerfile: "docker-image://<repository>@<digest>". */
function standsOn(state: ResourceState | undefined): Texts {
    const { named } = (state?.inputs.context ?? {}) as { readonly named?: Readonly<Record<string, unknown>> };
    const locations = Object.entries(named ?? {}).map(([name, context]) => [
        name,
        (context as { readonly location?: unknown }).location,
    ]);
    return Object.fromEntries(locations.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/**
 * Parents that were built anew by an update that did not come to this image: their digests are known, and others than
 * those it stands on. They differ by platform, and are not said.
 */
export function parentCauses(
    component: ResourceState,
    { old: before, new: after }: Pick<Step, "old" | "new">,
): Cause[] {
    const [was, is, roots] = [standsOn(before), standsOn(after), textsOf(component, "roots")];
    const parents = listOf(component, "parents");
    return difference(was, is)
        .changed.filter((name) => !Object.hasOwn(roots, name) && !isUnknown(is[name]))
        .map((name) => {
            const [only = name] = parents.length === 1 ? parents : [];
            const from = (ref: string | undefined) => digestStart(ref ?? "");
            return `parent ${only} ${from(was[name]) === from(is[name]) ? "comes from elsewhere" : "has moved"}`;
        });
}

const inputHashOf = (build: ResourceState | undefined): string | undefined => textsOf(build, "buildArgs").INPUT_HASH;

/** Input hash of the build that an update wanted last; undefined in a state that an older version wrote. */
const wantedHash = (component: ResourceState): string | undefined => textOf(component, "inputHash") || undefined;

/**
 * A component keeps the inputs of the update that ran last, a build those of its last success: where they differ, what
 * changed in between is not known any more.
 */
export function endedCauses(component: ResourceState, { old: before }: Pick<Step, "old">): Cause[] {
    const [wanted, built] = [wantedHash(component), inputHashOf(before)];
    return wanted === undefined || built === undefined || wanted === built
        ? []
        : ["an update ended before it was built"];
}

/** A change that shows in the input hash alone: how this program builds, or what an older state does not name. */
export function settingCauses(
    component: ResourceState,
    { old: before, new: after }: Pick<Step, "old" | "new">,
): Cause[] {
    if (!before || !after || (wantedHash(component) ?? inputHashOf(before)) === inputHashOf(after)) return [];
    return [knowsDockerfile(component) ? "this program builds differently" : "Dockerfile or build settings changed"];
}
