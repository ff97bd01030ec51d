import type { EngineLog } from "../engine/log";
import { dockerTypes, imageAbove, isMainTag, nameOf, textIn } from "../engine/resources";
import { digestOf, isDigest, repositoryOf } from "../registry/references";
import { imageSteps } from "./steps";

/** A release that an update promoted: the digest to which the tag of the image's name moved. */
export interface PromotedRelease {
    /** Key in `images.ts`. */
    readonly image: string;
    /** "registry/path", without tag and digest. */
    readonly repository: string;
    /** "sha256:…" of the index for all platforms. */
    readonly digest: string;
}

/** A build in such a release: the image for one platform. */
export interface PromotedBuild extends PromotedRelease {
    /** "linux/amd64". */
    readonly platform: string;
}

/**
 * Returns what an update promoted, also if it failed afterwards: the releases to which tags moved, and their builds. What was promoted
 * before, and copies in other repositories, are not among them.
 */
export function promotedIn(log: EngineLog): {
    readonly releases: readonly PromotedRelease[];
    readonly builds: readonly PromotedBuild[];
} {
    const releases = log.steps.flatMap((step): PromotedRelease[] => {
        const image = imageAbove(step.after?.parent ?? "");
        const ref = textIn(step.after?.outputs.ref) ?? "";
        const digest = digestOf(ref) ?? "";
        if (step.type !== dockerTypes.index || image === undefined || !isDigest(digest)) return [];
        if (!isMainTag({ name: nameOf(step.urn), image }) || step.operation === "delete") return [];
        const former = digestOf(textIn(step.before?.outputs.ref) ?? "");
        if (step.result !== "succeeded" || digest === former) return [];
        return [{ image, repository: repositoryOf(ref), digest }];
    });
    const steps = imageSteps(log).filter(({ operation }) => operation !== "delete");
    const builds = releases.flatMap((release) =>
        steps.flatMap(({ image, pushed = "", platform }): PromotedBuild[] => {
            const digest = digestOf(pushed);
            if (image !== release.image || digest === undefined || platform === undefined) return [];
            return [{ ...release, platform, digest }];
        }),
    );
    return { releases, builds };
}
