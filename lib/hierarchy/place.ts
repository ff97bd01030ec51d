import { type Platform, platformToUse } from "../platform";
import type { ResolvedImage } from "./resolve";

/** An image's parent, as used by the image's builds. */
export interface PlacedParent {
    /** The reference as BuildKit sees it: the key of the named build context. */
    readonly expanded: string;
    /** The parent's key. */
    readonly key: string;
    /** Whether the image is built FROM it, rather than copying from it. */
    readonly base: boolean;
    /** The parent's platform by target platform; absent if the build for that platform does not name the parent. */
    readonly platforms: Readonly<Partial<Record<Platform, Platform>>>;
}

/**
 * Selects, for each platform of an image, the platforms of its parents.
 *
 * @param below the images before it in build order, by key, with their platforms
 * @returns the parents that the builds name, and whether a matching platform of each parent is available
 */
export function placeParents(
    { parents }: ResolvedImage,
    platforms: readonly Platform[],
    below: ReadonlyMap<string, { readonly platforms: readonly Platform[] }>,
): { readonly parents: readonly PlacedParent[]; readonly complete: boolean } {
    let complete = true;
    const placed = parents.flatMap(({ key, expanded, base, platforms: uses }) => {
        const offered = below.get(key)?.platforms ?? [];
        const using = platforms.flatMap((platform) => {
            const use = uses[platform];
            return use ? [[platform, platformToUse(use, offered)] as const] : [];
        });
        complete &&= using.every(([, parentPlatform]) => parentPlatform !== undefined);
        return using.length === 0 ? [] : [{ expanded, key, base, platforms: Object.fromEntries(using) }];
    });
    return { parents: placed, complete };
}
