import { z } from "zod";
import { InputError } from "../errors";
import { type Platform, isPlatform } from "../platform";
import { keyArguments } from "../system/shell";
import { type Definitions, declaredPlatforms } from "./definition";

/* Platforms that other stacks build, each on a runner of its own: those stacks build, test and push, this one promotes an index over
   the digests of all of them. Nothing but the other stacks' outputs connects them. */

/** The name of a stack in a setting, in any of the forms that Pulumi takes. */
export const stackName = z.string().regex(/^[\w./-]+$/, 'not the name of a stack, such as "ci"');

/** `layered-images:platformStacks`: by platform, the stack that builds it. */
export const platformStacksSchema = z.record(z.string(), stackName).superRefine((stacks, context) => {
    for (const name of Object.keys(stacks).filter((name) => !isPlatform(name))) {
        const message = "not a platform, such as linux/arm64";
        context.addIssue({ code: "custom", path: [name], message, params: { remove: true } });
    }
}) as z.ZodType<PlatformStacks>;

/** By platform, the stack that builds it. */
export type PlatformStacks = Readonly<Record<Platform, string>>;

/** Names the command that takes a platform away from its stack. */
export const removingPlatform = (platform: string) => `pulumi config rm ${keyArguments(["platformStacks", platform])}`;

/**
 * Refuses platforms of other stacks that no image has: a mistyped one would be built here.
 *
 * @throws InputError with the platform, and those that images.ts has
 */
export function checkPlatformStacks({ images }: Pick<Definitions, "images">, stacks: PlatformStacks): void {
    const allowed = [...new Set(Object.values(images).flatMap(declaredPlatforms))];
    const unknown = Object.keys(stacks).find((platform) => !allowed.includes(platform as Platform));
    if (unknown === undefined) return;
    throw new InputError({
        problem: `it names ${unknown}, which no image in images.ts is built for`,
        where: "the stack's setting `platformStacks`",
        allowed,
        next: `correct it, or remove it: ${removingPlatform(unknown)}`,
    });
}

/** Returns the platforms of an image that this stack builds. */
export const platformsHere = ({
    platforms,
    elsewhere = {},
}: {
    readonly platforms: readonly Platform[];
    readonly elsewhere?: PlatformStacks;
}): readonly Platform[] => platforms.filter((platform) => elsewhere[platform] === undefined);
