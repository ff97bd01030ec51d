import type { DockerfileReading } from "../lib/dockerfile/reading";
import { declaredPlatforms } from "../lib/hierarchy/definition";
import type { ResolvedImage } from "../lib/hierarchy/resolve";
import { type Platform, hostPlatform } from "../lib/platform";
import { sameImage } from "../lib/registry/references";
import { standInRoot } from "./root/standIn";
import type { LabParts } from "./toolchain/packages";

type PlacedImage = Pick<ResolvedImage, "roots" | "definition">;

/** What a Dockerfile says about the images that it names. */
interface Reading {
    readonly references: readonly Pick<DockerfileReading["references"][number], "expanded" | "platforms">[];
}

/**
 * Returns the parts that the images of a repository need.
 *
 * @param images as `readImages` returns them
 */
export function partsOf(
    {
        placed,
        readings,
    }: { readonly placed: readonly PlacedImage[]; readonly readings: Readonly<Record<string, Reading>> },
    host: Platform = hostPlatform(),
): LabParts {
    const uses = Object.values(readings)
        .flatMap(({ references }) => references)
        .filter(({ expanded }) => sameImage(expanded, standInRoot))
        .flatMap(({ platforms }) => platforms[host]?.native ?? []);
    return {
        standIn: placed.some(({ roots }) => roots.some((root) => sameImage(root, standInRoot))),
        emulation: placed.some(({ definition }) => declaredPlatforms(definition).some((platform) => platform !== host)),
        otherRoots: uses.some((platform) => platform !== host),
    };
}
