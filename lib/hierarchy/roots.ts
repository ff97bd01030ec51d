import { parseReference, sameImage } from "../registry/references";
import { keyArguments } from "../system/shell";
import type { Definitions } from "./definition";
import type { PreparedImage, Root } from "./prepare";
import { readImages } from "./readImages";
import type { HierarchySettings } from "./settings";

/** The roots of an image, each once: what its Dockerfile names, then what reads it. */
export const rootsOf = ({ roots, frontend }: Pick<PreparedImage, "roots" | "frontend">): readonly Root[] =>
    !frontend || roots.some(({ expanded }) => expanded === frontend.expanded) ? roots : [...roots, frontend];

/** Roots that nobody pinned, each with the images that stand on it: their moves go unnoticed. */
export function unpinnedRoots(
    prepared: readonly PreparedImage[],
): { readonly root: string; readonly images: string[] }[] {
    const found = new Map<string, string[]>();
    for (const { key, ...image } of prepared) {
        for (const { expanded, by } of rootsOf(image)) {
            if (by === undefined && parseReference(expanded).digest === undefined) {
                found.set(expanded, [...(found.get(expanded) ?? []), key]);
            }
        }
    }
    return [...found].map(([root, images]) => ({ root, images }));
}

/**
 * Pins of roots, and roots of images.ts, that no Dockerfile names, mistyped or left over: a sentence each with what to do about it.
 * (They are no errors: a build argument may make another stack's Dockerfiles name them.)
 *
 * @param root the repository's root
 * @param settings.pins the keys of the stack's `roots`
 */
export function unusedPins(
    root: string,
    definitions: Definitions,
    settings: Pick<HierarchySettings, "buildArgs" | "builtinFrontend" | "roots" | "platforms"> & {
        readonly pins: readonly string[];
    },
): string[] {
    const { placed } = readImages(root, definitions, settings);
    const named = [...new Set(placed.flatMap(({ roots, frontend = [] }) => [...roots, ...[frontend].flat()]))];
    const unused = (all: readonly string[]) => all.filter((one) => !named.some((other) => sameImage(one, other)));
    const which = `which no Dockerfile names; they name ${named.join(", ") || "none"}. Remove it`;
    return [
        ...unused(settings.pins).map(
            (pin) => `roots pins ${pin}, ${which}: pulumi config rm ${keyArguments(["roots", pin])}`,
        ),
        ...unused(Object.keys(definitions.roots ?? {})).map((one) => `roots in images.ts has ${one}, ${which} there`),
    ];
}
