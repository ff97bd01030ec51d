import { InputError } from "../lib/errors";
import type { Definitions } from "../lib/hierarchy/definition";
import { type PreparedLayer, prepareLayers } from "../lib/hierarchy/prepare";
import { ciBuildArgs } from "./ciStack";

/**
 * The images as the workflows know them: all of them for all platforms, with the build arguments of the stack that CI runs,
 * whatever the stack at hand builds, because the same files are delivered by every stack.
 *
 * @param root the repository's root
 * @throws InputError for every kind of bad input in images.ts and the Dockerfiles
 */
export const workflowLayers = (root: string, definitions: Definitions): PreparedLayer[] =>
    prepareLayers(root, definitions, {
        platforms: "declared",
        roots: {},
        buildArgs: ciBuildArgs(root),
        secretNames: Object.values(definitions.images).flatMap(({ secrets = [] }) => secrets),
    });

/**
 * The image `key`.
 *
 * @throws InputError that lists the images there are
 */
export function layerOf(layers: readonly PreparedLayer[], key: string): PreparedLayer {
    const layer = layers.find((one) => one.key === key);
    if (layer) return layer;
    throw new InputError({
        problem: `a workflow is about image "${key}", which images.ts does not have`,
        where: "workflows/",
        allowed: layers.map((one) => one.key),
        next: "name another image in workflows/up.ts or workflows/checks.ts",
    });
}
