import { z } from "zod";
import { InputError } from "../errors";
import type { Platform } from "../platform";
import { isPinned, repositoryOf, withDigest } from "../registry/references";
import { typed } from "../system/commandLine";
import { removingPlatform } from "./platformStacks";
import { type PreparedImage, buildTagOf } from "./prepare";
import { buildSettings } from "./settings";

/* What other stacks built of this stack's images: see platformStacks.ts. */

/** A build that a stack pushed after it passed its smoke tests. */
export interface StackBuild {
    /** `<repository>@<digest>` of what was pushed. */
    readonly ref: string;
    /** Its build tag, which is over its inputs, its platform and what it was built from; of a pinned image, the release. */
    readonly tag: string;
    /** The input hash of the smoke tests that it passed; absent if it has none. */
    readonly tests?: string | undefined;
    /** The stack that built it; absent if it is the one that says so. */
    readonly from?: string | undefined;
}

const stackBuild: z.ZodType<StackBuild> = z.object({
    ref: z.string().refine(isPinned),
    tag: z.string(),
    tests: z.string().optional(),
    from: z.string().optional(),
});

/** The stack output `builds`: what a stack has, by image and platform. */
export const stackBuildsSchema = z.record(z.string(), z.record(z.string(), stackBuild));

/** The builds of a stack, by image and platform. */
export type StackBuilds = z.infer<typeof stackBuildsSchema>;

/** An image for a platform that its stack has not built, tested and pushed as it is in this checkout. */
export interface Behind {
    /** Its key in images.ts. */
    readonly image: string;
    /** The platform, which another stack builds. */
    readonly platform: Platform;
    /** That stack, as `platformStacks` names it. */
    readonly stack: string;
    /** What the stack has instead. */
    readonly reason: string;
}

/** What other stacks have of a stack's images. */
export interface Elsewhere {
    /** By image and platform; without those that are behind. */
    readonly builds: Readonly<Record<string, Readonly<Partial<Record<Platform, StackBuild>>>>>;
    /** In build order. */
    readonly behind: readonly Behind[];
}

/** Nothing from other stacks. */
export const nothingElsewhere: Elsewhere = { builds: {}, behind: [] };

/**
 * Compares what other stacks built with this checkout, in build order. A build counts if it is pushed to the same repository, has the build tag that
 * it would get here from the same parents, and passed the same smoke tests.
 *
 * @param images in build order
 * @param stacks the builds by stack; undefined for a stack that has none
 * @throws InputError for an image that its stack can't build, because it stands on a platform that another stack builds
 */
export function findElsewhere(
    images: readonly PreparedImage[],
    stacks: ReadonlyMap<string, StackBuilds | undefined>,
): Elsewhere {
    const known: Record<string, Partial<Record<Platform, StackBuild>>> = {};
    const behind: Behind[] = [];
    const byKey = new Map(images.map((image) => [image.key, image]));
    for (const image of images) {
        for (const [platform, stack] of stacksOf(image)) {
            const parents = image.parents.flatMap(({ key, platforms }) => {
                const used = platforms[platform];
                return used === undefined ? [] : [{ parent: byKey.get(key), key, platform: used }];
            });
            const foreign = parents.find(({ parent, platform: used }) => parent?.elsewhere?.[used] !== stack);
            if (foreign) refuseForeignParent(image.key, platform, stack, foreign);
            const bases = parents.map(({ key, platform: used }) => known[key]?.[used]?.ref);
            const refs = bases.filter((ref) => ref !== undefined);
            const builds = stacks.get(stack);
            const found = builds?.[image.key]?.[platform];
            const wanted = refs.length === bases.length ? buildTagOf(image, platform, refs) : undefined;
            const pinned = image.pin?.platforms[platform];
            const reason = pinned === undefined ? problemOf(image, builds, found, wanted) : undefined;
            if (reason !== undefined) behind.push({ image: image.key, platform, stack, reason });
            const build =
                pinned === undefined || !image.pin
                    ? found && { ...found, from: found.from ?? stack }
                    : { ref: withDigest(image.repository ?? "", pinned), tag: image.pin.release, from: stack };
            if (reason === undefined && build) known[image.key] = { ...known[image.key], [platform]: build };
        }
    }
    return { builds: known, behind };
}

const stacksOf = ({ elsewhere = {} }: PreparedImage): [Platform, string][] =>
    Object.entries(elsewhere) as [Platform, string][];

function refuseForeignParent(
    image: string,
    platform: Platform,
    stack: string,
    parent: { readonly key: string; readonly platform: Platform },
): never {
    throw new InputError({
        problem:
            `image ${image} for ${platform} is built by stack ${stack}, but stands on image ${parent.key} for ${parent.platform}, ` +
            "which that stack does not build",
        where: "the stack's setting `platformStacks`",
        next: `build ${platform} in this stack, with emulation or a builder's node: ${removingPlatform(platform)}`,
    });
}

function problemOf(
    { repository = "", tests }: PreparedImage,
    builds: StackBuilds | undefined,
    found: StackBuild | undefined,
    wanted: string | undefined,
): string | undefined {
    if (!builds) return "the stack has built nothing yet";
    if (!found) return "not built yet";
    if (repositoryOf(found.ref) !== repository) return `pushed to ${repositoryOf(found.ref)}, not to ${repository}`;
    if (wanted === undefined) return "its parent is behind";
    if (found.tag !== wanted) return `built from other inputs (${found.tag}, not ${wanted})`;
    return found.tests === tests?.inputHash ? undefined : "tested by other smoke tests";
}

/** Returns the error for a stack of which the backend says neither that it has it nor that it has not. */
export const unreadableStack = (stack: string, reason: string): InputError =>
    new InputError({
        problem: `stack ${stack} can't be read: ${reason}`,
        where: "the stack's settings `buildsFrom` and `platformStacks`",
        allowed: ["a stack of this project by its name", "<organization>/<project>/<stack>"],
        next: "correct its name; if that is right, the backend did not answer: the same command again",
    });

/** Returns the error of an update that other stacks are behind of, which a preview shows as a warning. */
export function behindError(behind: readonly Behind[]): InputError {
    const stacks = [...new Set(behind.map(({ stack }) => stack))];
    const lines = stacks.flatMap((stack) => {
        const own = behind.filter((one) => one.stack === stack);
        const platforms = [...new Set(own.map(({ platform }) => platform))].join(", ");
        const images = own.map(({ image, platform, reason }) => `\n    image ${image} for ${platform}: ${reason}`);
        return `stack ${stack}, which builds ${platforms}, is behind this checkout:${images.join("")}`;
    });
    const commands = stacks.map((stack) => typed("up", "--stack", stack)).join(" and ");
    return new InputError({
        problem: lines.join("\n  "),
        next:
            `build there first, from this commit, on a machine of that platform: ${commands} (in CI: start the workflow again, whose job ` +
            `for that platform does it). If nothing is left to build there, these settings differ between the stacks: ${buildSettings.join(", ")}. The setting ` +
            "buildSettingsOf has a stack read them from the other one's file",
    });
}
