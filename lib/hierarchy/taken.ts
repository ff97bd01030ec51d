import { z } from "zod";
import { InputError } from "../errors";
import type { Platform } from "../platform";
import { repositoryOf, withDigest } from "../registry/references";
import { keyArguments } from "../system/shell";
import type { Elsewhere, StackBuild, StackBuilds } from "./elsewhere";
import { stackName } from "./platformStacks";
import { type PreparedImage, buildTagOf } from "./prepare";

/* Builds that a stack takes from other stacks instead of building them: a stack of a pull request builds only what differs from the stack of the main
   branch, and a stack that only promotes builds nothing. */

/** `layered-images:buildsFrom`: the stacks whose builds are taken, the first one that has a build first. With none of them left, what was taken stays. */
export const buildsFromSchema = z.array(stackName, {
    error: 'not a list of stacks, such as ["ci"]',
});

/** What is there before an update, from which a stack may take builds. */
export interface Sources {
    /** Whether a name, in any of the forms that Pulumi takes, is that of the stack itself. */
    readonly isSelf: (stack: string) => boolean;
    /** Returns `<repository>@<digest>` and the build tag of what the stack itself has built last of an image for a platform; undefined if there is nothing. */
    readonly own: (key: string, platform: Platform) => Pick<StackBuild, "ref" | "tag"> | undefined;
    /** The builds of other stacks, in the order in which they are asked. */
    readonly others: readonly (readonly [stack: string, builds: StackBuilds])[];
    /** What the last update took, with the stack that built it: it is still there when that stack has gone on to other inputs. */
    readonly taken: StackBuilds;
}

/** A hierarchy in which builds are taken. */
export interface Taken {
    /** The images, each with the platforms that are taken among those that other stacks build. */
    readonly images: readonly PreparedImage[];
    readonly elsewhere: Elsewhere;
}

/**
 * Finds the builds that need not be made, in build order. What the stack has built itself stays its own, and what it took stays until the stack that built it
 * builds it again. A build of another stack is taken if it was pushed
 * to the same repository, and has the build tag that it would get here from the same parents; so nothing is taken that stands on an image which is built now. If it passed other smoke
 * tests, it is tested here.
 *
 * @param images in build order
 * @param elsewhere what the stacks of other platforms have: those are never built here
 * @param uncached keys of images that are to be built without cache, and so are not taken
 */
export function takeBuilds(
    images: readonly PreparedImage[],
    elsewhere: Elsewhere,
    { isSelf, own, others, taken }: Sources,
    uncached: readonly string[],
): Taken {
    /** By image and platform, what is there already, wherever it was built. */
    const known = new Map<string, string>();
    const at = (key: string, platform: Platform) => `${key} ${platform}`;
    const builds: Record<string, Partial<Record<Platform, StackBuild>>> = { ...elsewhere.builds };
    const found = (image: PreparedImage, platform: Platform): StackBuild | undefined => {
        const { key, repository = "", pin, tests } = image;
        const pinned = pin?.platforms[platform];
        if (pinned !== undefined) known.set(at(key, platform), withDigest(repository, pinned));
        if (pinned !== undefined || uncached.includes(key)) return undefined;
        if (image.elsewhere?.[platform] !== undefined) {
            const there = elsewhere.builds[key]?.[platform];
            if (there) known.set(at(key, platform), there.ref);
            return undefined;
        }
        const parents = image.parents.flatMap(({ key: parent, platforms }) => {
            const used = platforms[platform];
            return used === undefined ? [] : [known.get(at(parent, used))];
        });
        const refs = parents.filter((ref) => ref !== undefined);
        if (refs.length < parents.length) return undefined;
        const tag = buildTagOf(image, platform, refs);
        const isSame = (build: Pick<StackBuild, "ref" | "tag">): boolean =>
            build.tag === tag && repositoryOf(build.ref) === repository;
        const mine = own(key, platform);
        if (mine && isSame(mine)) {
            known.set(at(key, platform), mine.ref);
            return undefined;
        }
        // What another stack took from here, and is here no longer, may be what a refresh found lost in the registry.
        const isTakable = (build: StackBuild): boolean =>
            isSame(build) && (build.from === undefined || !isSelf(build.from));
        const offers = others.flatMap(([stack, ofStack]) => {
            const build = ofStack[key]?.[platform];
            return build && isTakable(build) ? [{ ...build, from: build.from ?? stack }] : [];
        });
        const last = taken[key]?.[platform];
        const kept = last?.from !== undefined && isTakable(last) ? last : undefined;
        // What was taken stays unless its stack built it again, whatever other stacks have: with another digest everything below would be built again.
        const ref = (offers.find(({ from }) => from === kept?.from) ?? kept)?.ref;
        const same = kept ? [...offers, kept].filter((build) => build.ref === ref) : offers;
        const offer = same.find((build) => build.tests === tests?.inputHash) ?? same[0];
        if (offer) known.set(at(key, platform), offer.ref);
        return offer;
    };
    const withTaken = images.map((image) => {
        if (image.repository === undefined) return image;
        const takenHere = image.platforms.flatMap((platform) => {
            const build = found(image, platform);
            return build ? [[platform, build] as const] : [];
        });
        if (takenHere.length === 0) return image;
        builds[image.key] = { ...builds[image.key], ...Object.fromEntries(takenHere) };
        const stacks = takenHere.map(([platform, { from = "" }]) => [platform, from] as const);
        return { ...image, elsewhere: { ...image.elsewhere, ...Object.fromEntries(stacks) } };
    });
    return { images: withTaken, elsewhere: { ...elsewhere, builds } };
}

/** Returns the error for a stack that does not exist: with a mistyped one everything would be built here. */
export const missingSource = (stack: string, index: number): InputError =>
    new InputError({
        problem: `there is no stack ${stack}, from which builds are to be taken`,
        where: "the stack's setting `buildsFrom`",
        next: `correct it, or remove it: pulumi config rm ${keyArguments(["buildsFrom", index])}`,
    });
