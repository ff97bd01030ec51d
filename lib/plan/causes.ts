import { syntaxArgument } from "../dockerfile/frontends";
import { type ResourceState, type Step, isUnknown, listOf, textOf, textsOf } from "../engine/preview";
import {
    type ImageInputs,
    type Texts,
    contentIn,
    inputHashArgument,
    isExecutable,
    namedImages,
    pinIn,
} from "../engine/resources";
import { looksSecret } from "../hierarchy/secrets";
import { repositoryOf, shortDigest } from "../registry/references";
import type { Group } from "./groups";

/** What a file is to an image. */
type FileRole = "input" | "smoke test";

/** Why something is pending: facts, without a value that looks like a secret. `causeText` words them. */
export type Cause =
    | { readonly kind: "first build" | "no longer in images.ts" | "lost in the registry" | "update ended" }
    | { readonly kind: "not promoted yet" | "not tested yet" | "smoke tests removed" }
    /** Only the input hash tells: of how this program builds, or of something that an older state does not name. */
    | { readonly kind: "built differently" | "settings changed" }
    | { readonly kind: "image renamed"; readonly from: string }
    | { readonly kind: "file added" | "file removed" | "file changed"; readonly path: string; readonly role: FileRole }
    | { readonly kind: "file executable" | "file not executable"; readonly path: string; readonly role: FileRole }
    | { readonly kind: "file renamed"; readonly from: string; readonly to: string; readonly role: FileRole }
    | { readonly kind: "value added"; readonly of: ValueKind; readonly name: string; readonly value: string }
    | { readonly kind: "value removed"; readonly of: ValueKind; readonly name: string }
    | {
          readonly kind: "value changed";
          readonly of: ValueKind;
          readonly name: string;
          readonly from: string;
          readonly to: string;
      }
    | { readonly kind: "entry added" | "entry removed"; readonly of: EntryKind; readonly name: string }
    /** Digests are their first twelve hexadecimal digits. */
    | { readonly kind: "root pinned"; readonly root: string; readonly to: string }
    | { readonly kind: "root not pinned"; readonly root: string }
    | { readonly kind: "root moved"; readonly root: string; readonly from: string; readonly to: string }
    /** Has the same digest in another repository. */
    | { readonly kind: "root from elsewhere"; readonly root: string }
    | { readonly kind: "parent from elsewhere" | "parent moved"; readonly parent: string }
    /** Whether the digest of that image changes decides. */
    | { readonly kind: "parent decides"; readonly parent: string }
    /** Repositories; "" for none. */
    | { readonly kind: "pushed elsewhere"; readonly from: string; readonly to: string }
    /** Tags. */
    | { readonly kind: "promoted elsewhere"; readonly from: string; readonly to: string }
    /** Stages; "" for the last one. */
    | { readonly kind: "target changed"; readonly from: string; readonly to: string }
    | { readonly kind: "cache switched"; readonly on: boolean }
    /** Properties that the provider names. */
    | { readonly kind: "properties changed"; readonly names: readonly string[] }
    | { readonly kind: "in any case"; readonly tests: boolean; readonly promotion: boolean };

type ValueKind = "build argument" | "label";
type EntryKind = "root" | "secret" | "parent" | "platform";

const roleText = (role: FileRole): string => (role === "input" ? "" : `${role} `);

/** A cause in words, as every form shows it. */
export function causeText(cause: Cause): string {
    switch (cause.kind) {
        case "first build":
            return "first build";
        case "no longer in images.ts":
            return "no longer in images.ts; what was published stays";
        case "lost in the registry":
            return "the registry no longer has it";
        case "update ended":
            return "an update ended before it was built";
        case "not promoted yet":
            return "what was built last is not promoted yet";
        case "not tested yet":
            return "its smoke tests have not passed yet";
        case "smoke tests removed":
            return "smoke test removed";
        case "built differently":
            return "this program builds differently";
        case "settings changed":
            return "Dockerfile or build settings changed";
        case "image renamed":
            return `renamed from ${cause.from}`;
        case "file added":
            return `${roleText(cause.role)}${cause.path} added`;
        case "file removed":
            return `${roleText(cause.role)}${cause.path} ${cause.role === "input" ? "removed or ignored" : "removed"}`;
        case "file changed":
            return `${roleText(cause.role)}${cause.path} changed`;
        case "file executable":
            return `${roleText(cause.role)}${cause.path} is now executable`;
        case "file not executable":
            return `${roleText(cause.role)}${cause.path} is no longer executable`;
        case "file renamed":
            return `${roleText(cause.role)}${cause.from} renamed to ${cause.to}`;
        case "value added":
            return `${cause.of} ${cause.name} added: ${cause.value}`;
        case "value removed":
            return `${cause.of} ${cause.name} removed`;
        case "value changed":
            return `${cause.of} ${cause.name}: ${cause.from} → ${cause.to}`;
        case "entry added":
            return `${cause.of} ${cause.name} added`;
        case "entry removed":
            return `${cause.of} ${cause.name} removed`;
        case "root pinned":
            return `root ${cause.root} pinned (${cause.to})`;
        case "root not pinned":
            return `root ${cause.root} no longer pinned`;
        case "root moved":
            return `root ${cause.root} moved (${cause.from} → ${cause.to})`;
        case "root from elsewhere":
            return `root ${cause.root} comes from elsewhere`;
        case "parent from elsewhere":
            return `parent ${cause.parent} comes from elsewhere`;
        case "parent moved":
            return `parent ${cause.parent} has moved`;
        case "parent decides":
            return `parent ${cause.parent}`;
        case "pushed elsewhere":
            return `pushed to ${cause.to || "nowhere"} instead of ${cause.from || "nowhere"}`;
        case "promoted elsewhere":
            return `promoted as ${cause.to} instead of ${cause.from}`;
        case "target changed":
            return `target: ${cause.from || "the last stage"} → ${cause.to || "the last stage"}`;
        case "cache switched":
            return `registry cache switched ${cause.on ? "on" : "off"}`;
        case "properties changed":
            return `changed: ${cause.names.join(", ")}`;
        case "in any case":
            return `in any case: ${[cause.tests ? "its smoke tests run" : "", cause.promotion ? "its tag moves" : ""]
                .filter((text) => text !== "")
                .join(", and ")}`;
    }
}

/** The causes, each once. */
export const unique = (causes: readonly Cause[]): Cause[] => [
    ...new Map(causes.map((cause) => [causeText(cause), cause])).values(),
];

/** "registry/repository" of a tag, as everywhere; "" where there is no tag. */
export const placeOf = (tag: string): string => (tag === "" ? "" : repositoryOf(tag));

/**
 * The repositories that an image was and will be pushed to, where they differ; "" for none. The tag of a build whose parent
 * is rebuilt is not known before, that of its promotion is.
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
    if (move) return [{ kind: "pushed elsewhere", ...move }];
    const { old: before, new: after } = group.index ?? {};
    if (!before || !after) return [];
    const [from, to] = [textOf(before, "tag"), textOf(after, "tag")];
    return from === to || isUnknown(to) ? [] : [{ kind: "promoted elsewhere", from, to }];
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

/**
 * Files, links and folders (with a slash at their end) that were added, removed, renamed or changed, from what an image's component says
 * of them. A rename is one removed and one added with the same content.
 */
export function fileCauses(before: Texts, after: Texts, role: FileRole = "input"): Cause[] {
    const all = difference(before, after);
    // A folder is named where nothing else lies in it: it need not come or go with what does.
    const isThere = (texts: Texts, name: string) =>
        name.endsWith("/") && Object.keys(texts).some((other) => other.startsWith(name));
    const removed = all.removed.filter((name) => !isThere(after, name));
    const added = all.added.filter((name) => !isThere(before, name));
    const left = [...added];
    const renames = removed.flatMap((from) => {
        const to = left.find((name) => after[name] === before[from]);
        if (to === undefined) return [];
        left.splice(left.indexOf(to), 1);
        return [{ from, to }];
    });
    const lost = removed.filter((name) => !renames.some(({ from }) => from === name));
    return [
        ...all.changed.map((path): Cause => {
            const [was = "", is = ""] = [before[path], after[path]];
            if (contentIn(was) !== contentIn(is)) return { kind: "file changed", path, role };
            return { kind: isExecutable(is) ? "file executable" : "file not executable", path, role };
        }),
        ...left.map((path): Cause => ({ kind: "file added", path, role })),
        ...renames.map((rename): Cause => ({ kind: "file renamed", ...rename, role })),
        ...lost.map((path): Cause => ({ kind: "file removed", path, role })),
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

/** Values that were added, removed or changed. */
export function valueCauses(of: ValueKind, before: Texts, after: Texts): Cause[] {
    const { added, removed, changed } = difference(before, after);
    const show = (from: Texts, name: string) => shown(name, from[name] ?? "");
    return [
        ...added.map((name): Cause => ({ kind: "value added", of, name, value: show(after, name) })),
        ...removed.map((name): Cause => ({ kind: "value removed", of, name })),
        ...changed.map((name): Cause => ({
            kind: "value changed",
            ...{ of, name },
            from: show(before, name),
            to: show(after, name),
        })),
    ];
}

/** What a list gained and lost. */
export function listCauses(of: EntryKind, before: readonly string[], after: readonly string[]): Cause[] {
    return [
        ...after.filter((one) => !before.includes(one)).map((name): Cause => ({ kind: "entry added", of, name })),
        ...before.filter((one) => !after.includes(one)).map((name): Cause => ({ kind: "entry removed", of, name })),
    ];
}

/** Build arguments that the program sets for itself; the frontend is among the roots. */
const ownArguments = [inputHashArgument, "SOURCE_DATE_EPOCH", syntaxArgument];

const withoutOwn = (texts: Texts): Texts =>
    Object.fromEntries(Object.entries(texts).filter(([name]) => !ownArguments.includes(name)));

/** Build arguments that look like secrets: they are masked, and warned about. */
export const suspiciousArguments = (state: ResourceState | undefined): string[] =>
    Object.entries(withoutOwn(textsOf(state, "buildArgs")))
        .filter(([name, value]) => looksSecret(name, value))
        .map(([name]) => name);

/** What happened to a root that is pinned in another way than before. */
function pinCause(root: string, was: string | undefined, is: string | undefined): Cause {
    if (is === undefined) return { kind: "root not pinned", root };
    const to = shortDigest(is);
    if (was === undefined) return { kind: "root pinned", root, to };
    const from = shortDigest(was);
    return from === to ? { kind: "root from elsewhere", root } : { kind: "root moved", root, from, to };
}

function rootCauses(before: Texts, after: Texts): Cause[] {
    const changed = difference(before, after).changed;
    return [
        ...listCauses("root", Object.keys(before), Object.keys(after)),
        ...changed.map((root) => pinCause(root, pinIn(before[root]), pinIn(after[root]))),
    ];
}

/** What changed in an image's component: its Dockerfile, files, roots, names of secrets, parents and platforms. */
export function imageCauses(before: ImageInputs, after: ImageInputs): Cause[] {
    return [
        ...(before.dockerfile ? fileCauses(before.dockerfile, after.dockerfile ?? {}) : []),
        ...fileCauses(before.inputs, after.inputs),
        ...rootCauses(before.roots, after.roots),
        ...listCauses("secret", before.secrets, after.secrets),
        ...listCauses("parent", before.parents, after.parents),
        ...listCauses("platform", before.platforms, after.platforms),
    ];
}

/** Smoke tests of an image that changed. */
export const testCauses = (before: ImageInputs, after: ImageInputs): Cause[] =>
    fileCauses(before.smokeTests, after.smokeTests, "smoke test");

/** What one build says besides its files: arguments, labels, target, cache. */
export function buildCauses({ old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after) return [];
    const both = (property: string) => [textsOf(before, property), textsOf(after, property)] as const;
    const [had = false, has = false] = [before, after].map((state) => state.inputs.cacheTo !== undefined);
    const [target, newTarget] = [textOf(before, "target"), textOf(after, "target")];
    return [
        ...valueCauses("build argument", withoutOwn(both("buildArgs")[0]), withoutOwn(both("buildArgs")[1])),
        ...valueCauses("label", ...both("labels")),
        ...(target === newTarget ? [] : [{ kind: "target changed", from: target, to: newTarget } as const]),
        ...(had === has ? [] : [{ kind: "cache switched", on: has } as const]),
    ];
}

/**
 * Parents that were rebuilt by an update that did not come to this image: their digests are known, and differ from those that the image
 * stands on. They differ by platform, and are not shown.
 */
export function parentCauses(
    { roots, parents }: ImageInputs,
    { old: before, new: after }: Pick<Step, "old" | "new">,
): Cause[] {
    const [was, is] = [namedImages(before?.inputs ?? {}), namedImages(after?.inputs ?? {})];
    return difference(was, is)
        .changed.filter((name) => !Object.hasOwn(roots, name))
        .map((name): Cause => {
            const [parent = name] = parents.length === 1 ? parents : [];
            const isSame = shortDigest(was[name] ?? "") === shortDigest(is[name] ?? "");
            return { kind: isSame ? "parent from elsewhere" : "parent moved", parent };
        });
}

const inputHashOf = (build: ResourceState | undefined): string | undefined =>
    textsOf(build, "buildArgs")[inputHashArgument];

/**
 * A component keeps the inputs of the update that ran last, a build those of its last success: where they differ, what
 * changed in between is not known any more.
 */
export function endedCauses({ inputHash }: ImageInputs, { old: before }: Pick<Step, "old">): Cause[] {
    const built = inputHashOf(before);
    return inputHash === undefined || built === undefined || inputHash === built ? [] : [{ kind: "update ended" }];
}

/** A change that shows in the input hash alone: how this program builds, or what an older state does not name. */
export function settingCauses(component: ImageInputs, { old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after || (component.inputHash ?? inputHashOf(before)) === inputHashOf(after)) return [];
    return [{ kind: component.dockerfile ? "built differently" : "settings changed" }];
}
