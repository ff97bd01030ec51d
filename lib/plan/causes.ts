import { z } from "zod";
import { syntaxArgument } from "../dockerfile/frontends";
import { type ResourceState, type Step, isUnknown, listOf, textOf, textsOf } from "../engine/preview";
import {
    type DeploymentInputs,
    type ImageInputs,
    type Texts,
    contentIn,
    deploymentPlace,
    inputHashArgument,
    isExecutable,
    namedImages,
    pinIn,
} from "../engine/resources";
import { compressionIn } from "../hierarchy/compression";
import { intervalOf } from "../hierarchy/rebuild";
import { looksSecret } from "../hierarchy/secrets";
import { repositoryOf, shortDigest } from "../registry/references";
import type { Group } from "./groups";

/** The exports of a build that is pushed. */
const exportsSchema = z.tuple([z.object({ raw: z.string() })]);

/** The role of a file in an image. */
type FileRole = "input" | "smoke test";

/** The reason for pending work: facts, without values that look like secrets. `causeText` puts them into words. */
export type Cause =
    | { readonly kind: "first build" | "no longer in images.ts" | "lost in the registry" | "update ended" }
    | { readonly kind: "not promoted yet" | "not tested yet" | "smoke tests removed" }
    /**
     * Visible only in the input hash: a change in how this program builds, or in something that an older state does not
     * name.
     */
    | { readonly kind: "built differently" | "settings changed" }
    | { readonly kind: "image renamed"; readonly from: string }
    /** Releases: "r-<12 hex>". */
    | { readonly kind: "pinned"; readonly to: string; readonly changed: boolean }
    | { readonly kind: "no longer pinned"; readonly from: string }
    | { readonly kind: "changed while pinned" }
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
    /** Periods of scheduled rebuilds ("2026-W48"); "" for none. */
    | { readonly kind: "scheduled rebuild"; readonly from: string; readonly to: string }
    | { readonly kind: "entry added" | "entry removed"; readonly of: EntryKind; readonly name: string }
    /** Digests are shortened to their first twelve hexadecimal digits. */
    | { readonly kind: "root pinned"; readonly root: string; readonly to: string }
    | { readonly kind: "root not pinned"; readonly root: string }
    | { readonly kind: "root moved"; readonly root: string; readonly from: string; readonly to: string }
    /** The same digest in another repository. */
    | { readonly kind: "root from elsewhere"; readonly root: string }
    | { readonly kind: "parent from elsewhere" | "parent moved"; readonly parent: string }
    /** The work depends on whether the digest of this parent changes. */
    | { readonly kind: "parent decides"; readonly parent: string }
    /** Repositories; "" if not pushed. */
    | { readonly kind: "pushed elsewhere"; readonly from: string; readonly to: string }
    /** Tags. */
    | { readonly kind: "promoted elsewhere"; readonly from: string; readonly to: string }
    /** Platforms, and the stacks that build them. */
    | {
          readonly kind: "built by another stack" | "built again by another stack" | "another stack is behind";
          readonly platform: string;
          readonly stack: string;
      }
    | { readonly kind: "built by this stack"; readonly platform: string }
    /** Stages; "" for the last stage. */
    | { readonly kind: "target changed"; readonly from: string; readonly to: string }
    | { readonly kind: "cache switched"; readonly on: boolean }
    /** Of the layers: "gzip", "zstd (level 19)". */
    | { readonly kind: "compression changed"; readonly from: string; readonly to: string }
    | { readonly kind: "first deployment" | "deployment removed" | "deployment key changed" }
    /** The release or the settings of an earlier update: its deployment failed, or it was not reached. */
    | { readonly kind: "not deployed yet" }
    /** Of a deployment. The last depends on whether the digest of the image changes. */
    | { readonly kind: "release moves" | "release decides"; readonly image: string }
    | { readonly kind: "deployed image changed" | "host changed"; readonly from: string; readonly to: string }
    /** Names of settings. */
    | { readonly kind: "deployment changed"; readonly names: readonly string[] }
    /** Properties that the provider reports. */
    | { readonly kind: "properties changed"; readonly names: readonly string[] }
    | { readonly kind: "in any case"; readonly tests: boolean; readonly promotion: boolean };

type ValueKind = "build argument" | "label";
type EntryKind = "root" | "secret" | "parent" | "platform" | "tag";

const roleText = (role: FileRole): string => (role === "input" ? "" : `${role} `);

function scheduledText(from: string, to: string): string {
    if (to === "") return `scheduled rebuild ${from} removed`;
    const interval = intervalOf(to);
    return `scheduled rebuild${interval === undefined ? "" : ` (${interval})`}: ${to}`;
}

/** Returns a cause in words, as all output formats show it. */
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
        case "built by another stack":
            return `${cause.platform} is built by stack ${cause.stack}`;
        case "built again by another stack":
            return `stack ${cause.stack} has built ${cause.platform} again`;
        case "built by this stack":
            return `${cause.platform} is built by this stack`;
        case "another stack is behind":
            return `waits for stack ${cause.stack}, which has not built it for ${cause.platform} yet`;
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
        case "pinned":
            return `pinned to ${cause.to}${cause.changed ? ", and its inputs changed since" : ""}`;
        case "no longer pinned":
            return `no longer pinned to ${cause.from}`;
        case "changed while pinned":
            return "its inputs changed while it was pinned";
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
        case "scheduled rebuild":
            return scheduledText(cause.from, cause.to);
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
        case "compression changed":
            return `compression: ${cause.from} → ${cause.to}`;
        case "first deployment":
            return "first deployment";
        case "deployment removed":
            return "no longer in the stack's configuration; what runs on the host stays";
        case "deployment key changed":
            return "the key that opens the host changed";
        case "not deployed yet":
            return "the last deployment failed or was not reached";
        case "release moves":
            return `another release of image ${cause.image}`;
        case "release decides":
            return `only if the digest of image ${cause.image} changes`;
        case "deployed image changed":
            return `image: ${cause.from} → ${cause.to}`;
        case "host changed":
            return `host: ${cause.from} → ${cause.to}`;
        case "deployment changed":
            return `changed: ${cause.names.join(", ")}`;
        case "properties changed":
            return `changed: ${cause.names.join(", ")}`;
        case "in any case":
            return `in any case: ${[cause.tests ? "its smoke tests run" : "", cause.promotion ? "its tag moves" : ""]
                .filter((text) => text !== "")
                .join(", and ")}`;
    }
}

/** Returns the causes without duplicates. */
export const unique = (causes: readonly Cause[]): Cause[] => [
    ...new Map(causes.map((cause) => [causeText(cause), cause])).values(),
];

/** Returns "registry/repository" of a tag; "" for an empty tag. */
export const placeOf = (tag: string): string => (tag === "" ? "" : repositoryOf(tag));

/**
 * Returns the previous and the next repository of an image if they differ; "" if not pushed. Before an update the tag
 * of a build whose parent is rebuilt is unknown, but the tag of its promotion is known.
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

/** Returns the cause for an image whose repository or promoted tag changes. */
export function placeCauses(group: Pick<Group, "builds" | "index">): Cause[] {
    const move = moveOf(group);
    if (move) return [{ kind: "pushed elsewhere", ...move }];
    const { old: before, new: after } = group.index ?? {};
    if (!before || !after) return [];
    const [from, to] = [textOf(before, "tag"), textOf(after, "tag")];
    return from === to || isUnknown(to) ? [] : [{ kind: "promoted elsewhere", from, to }];
}

/** Returns the causes from platforms that other stacks build. */
export function stackCauses(before: ImageInputs, after: ImageInputs): Cause[] {
    const { elsewhere = {}, behind = {} } = after;
    const { added, removed, changed } = difference(before.elsewhere ?? {}, elsewhere);
    const named = (names: readonly string[], stacks: Texts) =>
        names.map((platform) => ({ platform, stack: stacks[platform] ?? "" }));
    return [
        ...named([...added, ...changed], elsewhere).map((one): Cause => ({
            kind: "built by another stack",
            ...one,
        })),
        ...removed
            .filter((platform) => after.platforms.includes(platform))
            .map((platform): Cause => ({ kind: "built by this stack", platform })),
        ...named(Object.keys(behind), behind).map((one): Cause => ({
            kind: "another stack is behind",
            ...one,
        })),
    ];
}

/** Names by kind of change. */
export interface Difference {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    /** Names whose value changed. */
    readonly changed: readonly string[];
}

/** Compares two records. */
export function difference(before: Texts, after: Texts): Difference {
    return {
        added: Object.keys(after).filter((name) => !Object.hasOwn(before, name)),
        removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
        changed: Object.keys(after).filter((name) => Object.hasOwn(before, name) && before[name] !== after[name]),
    };
}

/**
 * Returns the causes for files, links and folders (with a slash at the end) that were added, removed, renamed or
 * changed, from their descriptions in an image's component. A removed and an added file with the same content are a
 * rename.
 */
export function fileCauses(before: Texts, after: Texts, role: FileRole = "input"): Cause[] {
    const differences = difference(before, after);
    // Only empty folders are listed, so a folder disappears from the list when it gets a file; that is neither added
    // nor removed.
    const hasContent = (texts: Texts, name: string) =>
        name.endsWith("/") && Object.keys(texts).some((other) => other.startsWith(name));
    const removed = differences.removed.filter((name) => !hasContent(after, name));
    const added = differences.added.filter((name) => !hasContent(before, name));
    const onlyAdded = [...added];
    const renames = removed.flatMap((from) => {
        const to = onlyAdded.find((name) => after[name] === before[from]);
        if (to === undefined) return [];
        onlyAdded.splice(onlyAdded.indexOf(to), 1);
        return [{ from, to }];
    });
    const onlyRemoved = removed.filter((name) => !renames.some(({ from }) => from === name));
    return [
        ...differences.changed.map((path): Cause => {
            const [was = "", is = ""] = [before[path], after[path]];
            if (contentIn(was) !== contentIn(is)) return { kind: "file changed", path, role };
            return { kind: isExecutable(is) ? "file executable" : "file not executable", path, role };
        }),
        ...onlyAdded.map((path): Cause => ({ kind: "file added", path, role })),
        ...renames.map((rename): Cause => ({ kind: "file renamed", ...rename, role })),
        ...onlyRemoved.map((path): Cause => ({ kind: "file removed", path, role })),
    ];
}

const masked = "•••";

/** Maximum number of characters that are shown of a value: a value can be a whole file. */
const shownLength = 60;

/** Returns a value for display: masked if it looks like a secret, shortened if it is long. */
function shown(name: string, value: string): string {
    if (looksSecret(name, value)) return masked;
    return value === "" ? '""' : value.length > shownLength ? `${value.slice(0, shownLength)}…` : value;
}

/** Returns the causes for values that were added, removed or changed. */
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

/** Returns the causes for entries that were added to or removed from a list. */
export function listCauses(of: EntryKind, before: readonly string[], after: readonly string[]): Cause[] {
    return [
        ...after.filter((name) => !before.includes(name)).map((name): Cause => ({ kind: "entry added", of, name })),
        ...before.filter((name) => !after.includes(name)).map((name): Cause => ({ kind: "entry removed", of, name })),
    ];
}

/** Build arguments that the program sets; changes of the frontend are reported as changes of a root. */
const programArguments = [inputHashArgument, "SOURCE_DATE_EPOCH", syntaxArgument];

const userArguments = (buildArguments: Texts): Texts =>
    Object.fromEntries(Object.entries(buildArguments).filter(([name]) => !programArguments.includes(name)));

/** Returns the names of build arguments that look like secrets: they are masked, and cause a warning. */
export const suspiciousArguments = (state: ResourceState | undefined): string[] =>
    Object.entries(userArguments(textsOf(state, "buildArgs")))
        .filter(([name, value]) => looksSecret(name, value))
        .map(([name]) => name);

/** Returns the cause for a root whose pin changed. */
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

const rebuildCauses = ({ rebuild: from = "" }: ImageInputs, { rebuild: to = "" }: ImageInputs): Cause[] =>
    from === to ? [] : [{ kind: "scheduled rebuild", from, to }];

/**
 * Returns the causes from an image's component: its Dockerfile, files, roots, scheduled rebuild, names of secrets, parents and platforms.
 */
export function imageCauses(before: ImageInputs, after: ImageInputs): Cause[] {
    return [
        ...(before.dockerfile ? fileCauses(before.dockerfile, after.dockerfile ?? {}) : []),
        ...fileCauses(before.inputs, after.inputs),
        ...rootCauses(before.roots, after.roots),
        ...rebuildCauses(before, after),
        ...listCauses("secret", before.secrets, after.secrets),
        ...listCauses("parent", before.parents, after.parents),
        ...listCauses("platform", before.platforms, after.platforms),
    ];
}

/** Returns the causes for changed smoke tests of an image. */
export const testCauses = (before: ImageInputs, after: ImageInputs): Cause[] =>
    fileCauses(before.smokeTests, after.smokeTests, "smoke test");

/** Describes the compression of the layers that a build pushes; undefined if it pushes nothing. */
function compressionOf({ inputs }: ResourceState): string | undefined {
    const [exporter] = exportsSchema.safeParse(inputs.exports).data ?? [];
    return exporter && compressionIn(exporter.raw);
}

/** Returns the causes from a build apart from its files: arguments, labels, target, cache, compression. */
export function buildCauses({ old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after) return [];
    const both = (property: string) => [textsOf(before, property), textsOf(after, property)] as const;
    const [had = false, has = false] = [before, after].map((state) => state.inputs.cacheTo !== undefined);
    const [from, to] = [before, after].map(compressionOf);
    const [target, newTarget] = [textOf(before, "target"), textOf(after, "target")];
    return [
        ...valueCauses("build argument", userArguments(both("buildArgs")[0]), userArguments(both("buildArgs")[1])),
        ...valueCauses("label", ...both("labels")),
        ...(target === newTarget ? [] : [{ kind: "target changed", from: target, to: newTarget } as const]),
        ...(had === has ? [] : [{ kind: "cache switched", on: has } as const]),
        ...(from === undefined || to === undefined || from === to
            ? []
            : [{ kind: "compression changed", from, to } as const]),
    ];
}

/**
 * Returns the causes for parents that were rebuilt by an update that did not reach this image: their digests are known,
 * and differ from the digests that the image was built from. The digests differ by platform and are not shown.
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

/** Returns the causes from the settings of a deployment. */
export function deploymentCauses(before: DeploymentInputs, after: DeploymentInputs): Cause[] {
    const [from, to] = [deploymentPlace(before), deploymentPlace(after)];
    const others = ["hostKey", "command", "health", "timeout"] as const;
    const names = others.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
    return [
        ...(before.image === after.image
            ? []
            : [{ kind: "deployed image changed", from: before.image, to: after.image } as const]),
        ...(from === to ? [] : [{ kind: "host changed", from, to } as const]),
        ...(names.length === 0 ? [] : [{ kind: "deployment changed", names } as const]),
    ];
}

const inputHashOf = (build: ResourceState | undefined): string | undefined =>
    textsOf(build, "buildArgs")[inputHashArgument];

/**
 * Returns the cause for a build that an earlier update did not complete. A component keeps the inputs of the last
 * update, a build keeps the inputs of its last success: if they differ, the changes in between are no longer known.
 */
export function endedCauses({ inputHash }: ImageInputs, { old: before }: Pick<Step, "old">): Cause[] {
    const built = inputHashOf(before);
    return inputHash === undefined || built === undefined || inputHash === built ? [] : [{ kind: "update ended" }];
}

/** Returns the cause for a change that is visible only in the input hash: see "built differently" in `Cause`. */
export function settingCauses(component: ImageInputs, { old: before, new: after }: Pick<Step, "old" | "new">): Cause[] {
    if (!before || !after || (component.inputHash ?? inputHashOf(before)) === inputHashOf(after)) return [];
    return [{ kind: component.dockerfile ? "built differently" : "settings changed" }];
}
