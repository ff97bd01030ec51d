import type { EngineLog } from "../engine/log";
import {
    componentTypes,
    dockerTypes,
    imageAbove,
    isMainTag,
    listIn,
    nameOf,
    promotionNames,
    readImage,
    textIn,
} from "../engine/resources";
import { digestOf, isDigest, repositoryOf, withDigest } from "../registry/references";
import { imageSteps } from "./steps";

/** A release: what the tag of an image's name stands for. */
export interface PromotedRelease {
    /** Key in `images.ts`. */
    readonly image: string;
    /** "registry/path", without tag and digest. */
    readonly repository: string;
    /** "sha256:…" of the index for all platforms. */
    readonly digest: string;
    /** `<repository>@<digest>`. */
    readonly ref: string;
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
}

/** A release in the engine's log. */
interface ReleaseAfter {
    readonly release: PromotedRelease;
    /** Whether the update moved the tag to it. */
    readonly isMoved: boolean;
    /** `<repository>@<digest>` of what it was made of: of its builds, in the order of the image's platforms; of the release of a pinned image. */
    readonly sources: readonly string[];
}

/** A build in a release: the image for one platform. */
export interface PromotedBuild {
    readonly image: string;
    readonly repository: string;
    /** "sha256:…" of this build. */
    readonly digest: string;
    /** "linux/amd64". */
    readonly platform: string;
}

/** Returns the releases that are promoted after an update, by the keys of their images. */
function releasesAfter(log: EngineLog): ReleaseAfter[] {
    const indexes = log.steps.filter(
        ({ type, operation, result }) =>
            type === dockerTypes.index && result === "succeeded" && operation !== "refresh" && operation !== "delete",
    );
    const byName = new Map(indexes.map((step) => [nameOf(step.urn), step]));
    const found = indexes.flatMap(({ urn, before, after }) => {
        const image = imageAbove(after?.parent ?? "");
        if (image === undefined || !isMainTag({ name: nameOf(urn), image })) return [];
        const [former = "", current = ""] = [before, after].map((state) => textIn(state?.outputs.ref) ?? "");
        const digest = digestOf(current);
        if (digest === undefined || !isDigest(digest)) return [];
        const own = textIn(byName.get(promotionNames(image).release)?.after?.inputs.tag) ?? "";
        const repository = repositoryOf(current);
        const release: PromotedRelease = {
            ...{ image, repository, digest, ref: withDigest(repository, digest) },
            release: own.slice(own.lastIndexOf(":") + 1),
        };
        return [{ release, isMoved: digest !== digestOf(former), sources: listIn(after?.inputs.sources) }];
    });
    return found.sort((a, b) => (a.release.image < b.release.image ? -1 : 1));
}

/** Returns the releases that are promoted after an update, by the keys of their images; images whose promotion failed are left out. */
export const promotedReleases = (log: EngineLog): PromotedRelease[] => releasesAfter(log).map(({ release }) => release);

/**
 * Returns what an update promoted, also if it failed afterwards: the releases to which tags moved, and their builds, those of other stacks among them. What was
 * promoted before, and copies in other repositories, are not among them.
 */
export function promotedIn(log: EngineLog): {
    readonly releases: readonly PromotedRelease[];
    readonly builds: readonly PromotedBuild[];
} {
    const moved = releasesAfter(log).filter(({ isMoved }) => isMoved);
    const steps = imageSteps(log).filter(({ operation }) => operation !== "delete");
    const images = new Map(
        log.steps.flatMap(({ type, urn, after }) =>
            type === componentTypes.image && after ? [[nameOf(urn), readImage(after.inputs)] as const] : [],
        ),
    );
    const builds = moved.flatMap(({ release: { image, repository }, sources }): PromotedBuild[] => {
        const { pin, platforms = [], elsewhere = {} } = images.get(image) ?? {};
        const build = (platform: string, digest: string | undefined): PromotedBuild[] =>
            digest === undefined ? [] : [{ image, repository, digest, platform }];
        if (pin) return Object.entries(pin.platforms).flatMap(([platform, digest]) => build(platform, digest));
        const here = steps.flatMap(({ image: built, pushed = "", platform }) =>
            built === image && platform !== undefined ? build(platform, digestOf(pushed)) : [],
        );
        const others = platforms.flatMap((platform, at) =>
            elsewhere[platform] === undefined ? [] : build(platform, digestOf(sources[at] ?? "")),
        );
        return [...here, ...others];
    });
    return { releases: moved.map(({ release }) => release), builds };
}
