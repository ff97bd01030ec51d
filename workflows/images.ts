import { InputError } from "../lib/errors";
import type { Checkout } from "../lib/context/checkout";
import type { Definitions } from "../lib/hierarchy/definition";
import { type PreparedImage, readHierarchy } from "../lib/hierarchy/prepare";
import { ciBuildArgs } from "./ciStack";

/**
 * The images as the workflows know them: all of them for all platforms, with the build arguments of the stack that CI runs,
 * whatever the stack at hand builds, because the same files are delivered by every stack.
 *
 * @throws InputError for every kind of bad input in images.ts and the Dockerfiles
 */
export const workflowImages = (checkout: Checkout, definitions: Definitions): readonly PreparedImage[] =>
    readHierarchy(checkout, definitions, {
        platforms: "declared",
        roots: {},
        buildArgs: ciBuildArgs(checkout.root),
        secretNames: Object.values(definitions.images).flatMap(({ secrets = [] }) => secrets),
    }).images;

/**
 * The image `key`.
 *
 * @throws InputError that lists the images there are
 */
export function imageOf(images: readonly PreparedImage[], key: string): PreparedImage {
    const image = images.find((one) => one.key === key);
    if (image) return image;
    throw new InputError({
        problem: `a workflow is about image "${key}", which images.ts does not have`,
        where: "workflows/",
        allowed: images.map((one) => one.key),
        next: "name another image in workflows/up.ts or workflows/checks.ts",
    });
}
