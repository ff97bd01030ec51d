import type { EngineLog } from "../engine/log";
import { dockerTypes, imageAbove, isMainTag, nameOf, promotionNames, textIn } from "../engine/resources";
import { digestOf, repositoryOf, withDigest } from "../registry/references";

/** A release to which an update moved an image's tags. */
export interface MovedRelease {
    /** Key of the image. */
    readonly image: string;
    /** `<repository>@<digest>`. */
    readonly ref: string;
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
}

/** Returns the releases that an update promoted, of images whose digest is another one than before; in the order of their keys. */
export function movedReleases(log: EngineLog): MovedRelease[] {
    const indexes = log.steps.filter(
        ({ type, operation, result }) =>
            type === dockerTypes.index && result === "succeeded" && operation !== "refresh" && operation !== "delete",
    );
    const byName = new Map(indexes.map((step) => [nameOf(step.urn), step]));
    const moved = indexes.flatMap(({ urn, before, after }): MovedRelease[] => {
        const image = imageAbove(after?.parent ?? "");
        if (image === undefined || !isMainTag({ name: nameOf(urn), image })) return [];
        const [was, is] = [before, after].map((state) => digestOf(textIn(state?.outputs.ref) ?? ""));
        const tag = textIn(after?.inputs.tag);
        if (is === undefined || is === was || tag === undefined) return [];
        const own = textIn(byName.get(promotionNames(image).release)?.after?.inputs.tag) ?? "";
        return [{ image, ref: withDigest(repositoryOf(tag), is), release: own.slice(own.lastIndexOf(":") + 1) }];
    });
    return moved.sort((a, b) => (a.image < b.image ? -1 : 1));
}
