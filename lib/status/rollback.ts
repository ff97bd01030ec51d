import type { PromotedBefore } from "../engine/releases";
import { InputError } from "../errors";
import type { ReleasePin } from "../hierarchy/pins";
import { shortDigest, withDigest } from "../registry/references";
import { askBlobs, askRegistries } from "./ask";
import type { ImageReleases } from "./releases";

/** A release that the registry has completely: what a pin needs, with what is recorded of it. */
export interface CompleteRelease extends ReleasePin, Pick<PromotedBefore, "date" | "commit"> {}

/** A release that can't be pinned, and why. */
export interface IncompleteRelease {
    readonly problem: string;
    /** Whether the registry did not answer, so that nothing is known. */
    readonly unknown?: true;
}

/** The functions that query registries. */
export interface Registry {
    readonly askRegistries: typeof askRegistries;
    readonly askBlobs: typeof askBlobs;
}

/**
 * Looks up a release in its registry: its index, the image for each platform, and the configurations and layers of these. Nothing is
 * downloaded.
 *
 * @param wanted platforms that the stack builds
 * @param env environment of buildx
 */
export async function findRelease(
    repository: string,
    { release, digest, date, commit }: PromotedBefore,
    wanted: readonly string[],
    env: NodeJS.ProcessEnv,
    registry: Registry = { askRegistries, askBlobs },
): Promise<CompleteRelease | IncompleteRelease> {
    const at = (one: string) => withDigest(repository, one);
    const index = (await registry.askRegistries([at(digest)], env)).get(at(digest));
    if (!index || "unknown" in index) return { problem: index?.unknown ?? "it was not asked", unknown: true };
    if (!index.found) return { problem: `the registry no longer has it (${at(digest)})` };
    const { platforms } = index.found;
    const missing = wanted.filter((platform) => platforms[platform] === undefined);
    if (missing.length > 0) return { problem: `it is not for ${missing.join(", ")}, which the stack builds` };
    const needed = Object.entries(platforms).filter(([platform]) => wanted.includes(platform));
    const refs = needed.map(([, one]) => at(one));
    const answers = await registry.askBlobs(await registry.askRegistries(refs, env), env);
    for (const [platform, one] of needed) {
        const answer = answers.get(at(one));
        if (!answer || "unknown" in answer) return { problem: answer?.unknown ?? "it was not asked", unknown: true };
        if (!answer.found) return { problem: `the registry no longer has its image for ${platform} (${at(one)})` };
        const { blobs } = answer.found;
        if (blobs && "unknown" in blobs) return { problem: blobs.unknown, unknown: true };
        const lost = blobs?.lost ?? [];
        if (lost.length > 0) {
            const what = lost.map((blob) => blob.digest).join(", ");
            return { problem: `the registry lost parts of its image for ${platform}: ${what}` };
        }
    }
    return {
        ...{ release, digest, platforms: Object.fromEntries(needed) },
        ...(date !== undefined && { date }),
        ...(commit !== undefined && { commit }),
    };
}

/** A descendant of a pinned image that is built again. */
export interface Rebuilt {
    readonly image: string;
    /** Why none of its releases replaces that. */
    readonly reason: string;
}

/** What happens to the images below a pinned one. */
export interface Followers {
    /** Pins of descendants, parents first: releases that were built on exactly what is pinned. */
    readonly pins: readonly (CompleteRelease & { readonly image: string })[];
    /** Descendants that stay as they are, because what runs of them was built on it, or because they are pinned to something else. */
    readonly stay: readonly string[];
    /** Descendants that are built again on what is pinned. */
    readonly rebuilt: readonly Rebuilt[];
}

/** An image below others, as the state has it. */
export interface Below {
    readonly image: string;
    readonly parents: readonly string[];
}

/** Returns the first 12 hexadecimal digits of digests, as releases record what they were built on. */
const short = (digests: readonly string[]): string[] => digests.map((one) => shortDigest(withDigest("", one)));

/**
 * Finds for each descendant of a pinned image the newest of its releases that was built on exactly what its parents then are. Layers can't tell
 * that: two parents that differ in an environment variable alone have the same layers. So the state records it with each release.
 *
 * @param pinned the image and its release
 * @param all images of the state that have parents here, parents first, also those that are never pushed
 * @param published images of the state with their releases
 * @param builds "sha256:…" of the current builds of each image
 * @param pins the pins that the stack's file has
 * @param only whether to pin no descendant
 * @param find looks up a release of an image: `findRelease`
 */
export async function findFollowers(
    pinned: { readonly image: string; readonly platforms: Readonly<Record<string, string>> },
    all: readonly Below[],
    published: readonly ImageReleases[],
    builds: Readonly<Record<string, readonly string[]>>,
    pins: Readonly<Record<string, ReleasePin>>,
    only: boolean,
    find: (image: ImageReleases, release: PromotedBefore) => Promise<CompleteRelease | IncompleteRelease>,
): Promise<Followers> {
    const found: (CompleteRelease & { readonly image: string })[] = [];
    const stay: string[] = [];
    const rebuilt: Rebuilt[] = [];
    const offered = new Map(Object.entries(builds).map(([image, digests]) => [image, short(digests)] as const));
    for (const [image, { platforms }] of Object.entries({ ...pins, [pinned.image]: pinned }))
        offered.set(image, short(Object.values(platforms)));
    const changed = new Set([pinned.image]);
    for (const { image, parents } of all) {
        if (image === pinned.image || !parents.some((parent) => changed.has(parent))) continue;
        const again = parents.find((parent) => rebuilt.some((one) => one.image === parent));
        const releases = published.find((one) => one.image === image);
        const base = new Set(parents.flatMap((parent) => offered.get(parent) ?? []));
        const standing = (releases?.releases ?? []).filter(
            ({ on = [] }) => on.length > 0 && on.every((one) => base.has(one)),
        );
        const isPinned = pins[image] !== undefined;
        if (again === undefined && !isPinned && standing.some(({ digest }) => digest === releases?.current)) {
            stay.push(image);
            continue;
        }
        let follower: CompleteRelease | undefined;
        if (!only && again === undefined && releases) {
            for (const release of standing) {
                const complete = await find(releases, release);
                if ("problem" in complete) continue;
                follower = complete;
                break;
            }
        }
        if (follower) {
            if (pins[image]?.digest === follower.digest) stay.push(image);
            else {
                found.push({ image, ...follower });
                changed.add(image);
            }
            offered.set(image, short(Object.values(follower.platforms)));
        } else if (isPinned) stay.push(image);
        else {
            const reason = !releases
                ? "it is never pushed"
                : again !== undefined
                  ? `its parent ${again} is built again`
                  : only
                    ? "only the named image is pinned"
                    : "the registry has no release of it that is recorded as built on that";
            rebuilt.push({ image, reason });
            changed.add(image);
        }
    }
    return { pins: found, stay, rebuilt };
}

/** Returns the error for a release that can't be pinned. */
export function refusal(
    image: string,
    release: string,
    { problem, unknown }: IncompleteRelease,
    list: string,
): InputError {
    return new InputError({
        problem: unknown
            ? `whether the registry has ${release} of image ${image} can't be found out: ${problem}`
            : `image ${image} can't go back to ${release}: ${problem}`,
        next: unknown
            ? "give this machine access to the registry (network, docker login, its certificate in SSL_CERT_FILE), then try again"
            : `choose another release: ${list}`,
    });
}
