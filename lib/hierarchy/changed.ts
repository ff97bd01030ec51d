import type { PreparedImage } from "./prepare";

/** An image that an update would build, or may have to build, because of a change of the repository. */
export interface ChangedImage {
    readonly image: string;
    /**
     * - `new`: the earlier definitions do not have it.
     * - `inputs`: what decides its build or its smoke test differs.
     * - `parent`: it stands on such an image, so it is built if the digest of that one changes.
     */
    readonly because: "new" | "inputs" | "parent";
}

type Compared = Pick<PreparedImage, "key" | "inputHash" | "parents"> & {
    readonly tests?: Pick<NonNullable<PreparedImage["tests"]>, "inputHash">;
};

/**
 * Compares the images of two commits by what decides their builds. A comment in a Dockerfile is no change, and neither is a file that no
 * image reads.
 *
 * @param before the images of the earlier commit
 * @param now the images of the later one, parents first
 * @returns the changed images and what stands on them, in the order of `now`
 */
export function changedImages(before: readonly Compared[], now: readonly Compared[]): ChangedImage[] {
    const changed = new Map<string, ChangedImage["because"]>();
    for (const { key, inputHash, parents, tests } of now) {
        const former = before.find((image) => image.key === key);
        if (!former) changed.set(key, "new");
        else if (former.inputHash !== inputHash || former.tests?.inputHash !== tests?.inputHash)
            changed.set(key, "inputs");
        else if (parents.some((parent) => changed.has(parent.key))) changed.set(key, "parent");
    }
    return [...changed].map(([image, because]) => ({ image, because }));
}
