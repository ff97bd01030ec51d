import type { EngineLog } from "../engine/log";
import { dockerTypes, imageAbove, isMainTag, nameOf, promotionNames, textIn } from "../engine/resources";
import { digestOf, repositoryOf, withDigest } from "../registry/references";

/** The release under the tag of an image's name, after an update. */
export interface PromotedRelease {
    /** Key of the image. */
    readonly image: string;
    /** `<repository>@<digest>`. */
    readonly ref: string;
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
    /** Whether the update moved the tag: the release is another one than before. */
    readonly moved: boolean;
}

/** A release that an update promoted, as the output `releases` of its step has it. */
export type MovedRelease = Omit<PromotedRelease, "moved">;

/** Returns the releases that an update promoted in the place of others, by the keys of their images. */
export const movedReleases = (log: EngineLog): MovedRelease[] =>
    promotedReleases(log)
        .filter(({ moved }) => moved)
        .map(({ image, ref, release }) => ({ image, ref, release }));

/** Returns the releases that are promoted after an update, by the keys of their images; images whose promotion failed are left out. */
export function promotedReleases(log: EngineLog): PromotedRelease[] {
    const indexes = log.steps.filter(
        ({ type, operation, result }) =>
            type === dockerTypes.index && result === "succeeded" && operation !== "refresh" && operation !== "delete",
    );
    const byName = new Map(indexes.map((step) => [nameOf(step.urn), step]));
    const found = indexes.flatMap(({ urn, before, after }): PromotedRelease[] => {
        const image = imageAbove(after?.parent ?? "");
        if (image === undefined || !isMainTag({ name: nameOf(urn), image })) return [];
        const [was, is] = [before, after].map((state) => digestOf(textIn(state?.outputs.ref) ?? ""));
        const tag = textIn(after?.inputs.tag);
        if (is === undefined || tag === undefined) return [];
        const own = textIn(byName.get(promotionNames(image).release)?.after?.inputs.tag) ?? "";
        const ref = withDigest(repositoryOf(tag), is);
        return [{ image, ref, release: own.slice(own.lastIndexOf(":") + 1), moved: is !== was }];
    });
    return found.sort((a, b) => (a.image < b.image ? -1 : 1));
}
