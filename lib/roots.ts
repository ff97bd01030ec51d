import type { Definitions } from "./images";
import type { PreparedLayer } from "./layers";
import { readImages } from "./readImages";
import { parseReference, sameImage } from "./references";
import type { LayerSettings } from "./settings";

/** Roots that nobody pinned, each with the images that stand on it: their moves go unnoticed. */
export function unpinnedRoots(
    layers: readonly PreparedLayer[],
): { readonly root: string; readonly images: string[] }[] {
    const found = new Map<string, string[]>();
    for (const { key, roots } of layers) {
        for (const { expanded, by } of roots) {
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
    settings: Pick<LayerSettings, "buildArgs" | "roots" | "platforms"> & { readonly pins: readonly string[] },
): string[] {
    const { placed } = readImages(root, definitions, settings);
    const named = [...new Set(placed.flatMap((layer) => layer.roots))];
    const unused = (all: readonly string[]) => all.filter((one) => !named.some((other) => sameImage(one, other)));
    const which = `which no Dockerfile names; they name ${named.join(", ") || "none"}. Remove it`;
    return [
        ...unused(settings.pins).map((pin) => `roots pins ${pin}, ${which}: pulumi config rm --path 'roots["${pin}"]'`),
        ...unused(Object.keys(definitions.roots ?? {})).map((one) => `roots in images.ts has ${one}, ${which} there`),
    ];
}
