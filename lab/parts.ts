import { declaredPlatforms } from "../lib/hierarchy/definition";
import type { ResolvedImage } from "../lib/hierarchy/resolve";
import { type Platform, hostPlatform } from "../lib/platform";
import { sameImage } from "../lib/registry/references";
import { standInRoot } from "./root/standIn";
import type { LabParts } from "./toolchain/packages";

/**
 * Returns the parts that the images of a repository need.
 *
 * @param placed as `readImages` returns them
 */
export const partsOf = (
    placed: readonly Pick<ResolvedImage, "roots" | "definition">[],
    host: Platform = hostPlatform(),
): LabParts => ({
    standIn: placed.some(({ roots }) => roots.some((root) => sameImage(root, standInRoot))),
    emulation: placed.some(({ definition }) => declaredPlatforms(definition).some((platform) => platform !== host)),
});
