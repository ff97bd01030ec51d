import type { ImageDefinitions } from "./images";
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
 * Pins of roots that no Dockerfile names, mistyped or left over: a sentence each with what to do about it.
 *
 * @param root the repository's root
 * @param settings.pins the keys of the stack's `roots`
 */
export function unusedPins(
    root: string,
    images: ImageDefinitions,
    settings: Pick<LayerSettings, "buildArgs" | "roots" | "platforms"> & { readonly pins: readonly string[] },
): string[] {
    const { placed } = readImages(root, images, settings);
    const named = [...new Set(placed.flatMap((layer) => layer.roots))];
    const unused = settings.pins.filter((pin) => !named.some((one) => sameImage(one, pin)));
    return unused.map(
        (pin) =>
            `roots pins ${pin}, which no Dockerfile names; they name ${named.join(", ") || "none"}. Remove it: ` +
            `pulumi config rm --path 'roots["${pin}"]'`,
    );
}
