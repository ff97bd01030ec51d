import type { EngineLog } from "../engine/log";
import {
    componentTypes,
    dockerTypes,
    imageAbove,
    isMainTag,
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

/** A build in a release: the image for one platform. */
export interface PromotedBuild {
    readonly image: string;
    readonly repository: string;
    /** "sha256:…" of this build. */
    readonly digest: string;
    /** "linux/amd64". */
    readonly platform: string;
}

/** Returns the releases that are promoted after an update, by the keys of their images, and whether the update moved the tag to them. */
function releasesAfter(log: EngineLog): { readonly release: PromotedRelease; readonly isMoved: boolean }[] {
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
        return [{ release, isMoved: digest !== digestOf(former) }];
    });
    return found.sort((a, b) => (a.release.image < b.release.image ? -1 : 1));
}

/** Returns the releases that are promoted after an update, by the keys of their images; images whose promotion failed are left out. */
export const promotedReleases = (log: EngineLog): PromotedRelease[] => releasesAfter(log).map(({ release }) => release);

/**
 * Returns what an update promoted, also if it failed afterwards: the releases to which tags moved, and their builds. What was promoted
 * before, and copies in other repositories, are not among them.
 */
export function promotedIn(log: EngineLog): {
    readonly releases: readonly PromotedRelease[];
    readonly builds: readonly PromotedBuild[];
} {
    const releases = releasesAfter(log).flatMap(({ release, isMoved }) => (isMoved ? [release] : []));
    const steps = imageSteps(log).filter(({ operation }) => operation !== "delete");
    const pins = new Map(
        log.steps.flatMap(({ type, urn, after }) => {
            const pin = type === componentTypes.image ? readImage(after?.inputs).pin : undefined;
            return pin ? [[nameOf(urn), pin] as const] : [];
        }),
    );
    const builds = releases.flatMap(({ image, repository }): PromotedBuild[] => {
        const pin = pins.get(image);
        if (pin) {
            const platforms = Object.entries(pin.platforms);
            return platforms.map(([platform, digest]) => ({ image, repository, digest, platform }));
        }
        return steps.flatMap(({ image: built, pushed = "", platform }): PromotedBuild[] => {
            const digest = digestOf(pushed);
            if (built !== image || digest === undefined || platform === undefined) return [];
            return [{ image, repository, digest, platform }];
        });
    });
    return { releases, builds };
}
