import type { Checkout } from "../lib/context/checkout";
import type { Definitions } from "../lib/hierarchy/definition";
import { type PreparedImage, readHierarchy } from "../lib/hierarchy/prepare";
import { ciBuildArgs } from "./ciStack";

/**
 * Returns all images for all their declared platforms, with the build arguments of CI's stack. The settings of the current stack do not
 * matter, because every stack delivers the same workflow files.
 *
 * @throws InputError for bad input in images.ts and the Dockerfiles
 */
export const workflowImages = (checkout: Checkout, definitions: Definitions): readonly PreparedImage[] =>
    readHierarchy(checkout, definitions, {
        platforms: "declared",
        roots: {},
        buildArgs: ciBuildArgs(checkout.root),
        secretNames: Object.values(definitions.images).flatMap(({ secrets = [] }) => secrets),
    }).images;

/** Returns the image with this key. `workflowProblems` has refused keys that do not exist. */
export function imageOf(images: readonly PreparedImage[], key: string): PreparedImage {
    const image = images.find((candidate) => candidate.key === key);
    if (image) return image;
    throw new Error(`there is no image ${key}`);
}
