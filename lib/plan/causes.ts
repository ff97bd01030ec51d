import { syntaxArgument } from "../dockerfile/frontends";
import { looksSecret } from "../hierarchy/secrets";
import { type Texts, difference, fileCauses, listCauses, listOf, textOf, textsOf, valueCauses } from "./differences";
import type { Cause } from "./plan";
import { type ResourceState, type Step, isUnknown } from "../engine/preview";

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
export function layerCauses(before: ResourceState, after: ResourceState): Cause[] {
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
const knowsDockerfile = (layer: ResourceState): boolean => layer.inputs.dockerfile !== undefined;

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
export function parentCauses(layer: ResourceState, { old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    const [was, is, roots] = [standsOn(before), standsOn(after), textsOf(layer, "roots")];
    const parents = listOf(layer, "parents");
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
const wantedHash = (layer: ResourceState): string | undefined => textOf(layer, "inputHash") || undefined;

/**
 * A component keeps the inputs of the update that ran last, a build those of its last success: where they differ, what
 * changed in between is not known any more.
 */
export function endedCauses(layer: ResourceState, { old: before }: Pick<Step, "old">): Cause[] {
    const [wanted, built] = [wantedHash(layer), inputHashOf(before)];
    return wanted === undefined || built === undefined || wanted === built
        ? []
        : ["an update ended before it was built"];
}

/** A change that shows in the input hash alone: how this program builds, or what an older state does not name. */
export function settingCauses(layer: ResourceState, { old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after || (wantedHash(layer) ?? inputHashOf(before)) === inputHashOf(after)) return [];
    return [knowsDockerfile(layer) ? "this program builds differently" : "Dockerfile or build settings changed"];
}
