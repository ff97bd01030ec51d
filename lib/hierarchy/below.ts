import type { PreparedImage } from "./prepare";

/**
 * Returns the keys of the images that are built on any of these, directly or not, in build order.
 *
 * @param images in build order
 * @param keys of images; they are not in the result
 */
export function imagesBelow(
    images: readonly Pick<PreparedImage, "key" | "parents">[],
    keys: readonly string[],
): string[] {
    const found = new Set(keys);
    for (const { key, parents } of images) if (parents.some((parent) => found.has(parent.key))) found.add(key);
    return images.map(({ key }) => key).filter((key) => found.has(key) && !keys.includes(key));
}
