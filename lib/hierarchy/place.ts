import { type Platform, platformToUse } from "../platform";
import type { ResolvedImage } from "./resolve";

/** An image's parent, as its builds get it. */
export interface PlacedParent {
    /** The reference as BuildKit sees it: the key of the named build context. */
    readonly expanded: string;
    /** The parent's key. */
    readonly by: string;
    /** Whether the image is built FROM it, rather than copying from it. */
    readonly base: boolean;
    /** By platform that is built for, the parent's platform; absent where that build does not name the parent. */
    readonly platforms: Readonly<Partial<Record<Platform, Platform>>>;
}

/**
 * Puts an image that is built for `platforms` on its parents.
 *
 * @param below the images before it, with the platforms that they are built for
 * @returns the parents that these builds name, and whether there is one for each of them
 */
export function placeOn(
    { parents }: ResolvedImage,
    platforms: readonly Platform[],
    below: readonly { readonly key: string; readonly platforms: readonly Platform[] }[],
): { readonly parents: readonly PlacedParent[]; readonly complete: boolean } {
    let complete = true;
    const placed = parents.flatMap(({ key, expanded, base, platforms: uses }) => {
        const offered = below.find((one) => one.key === key)?.platforms ?? [];
        const using = platforms.flatMap((platform) => {
            const use = uses[platform];
            return use ? [[platform, platformToUse(use, offered)] as const] : [];
        });
        complete &&= using.every(([, own]) => own !== undefined);
        return using.length === 0 ? [] : [{ expanded, by: key, base, platforms: Object.fromEntries(using) }];
    });
    return { parents: placed, complete };
}
