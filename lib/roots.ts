import type { PreparedLayer } from "./layers";
import { parseReference } from "./references";

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
