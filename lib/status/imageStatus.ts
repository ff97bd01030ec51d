import { repositoryOf, withDigest } from "../registry/references";
import type { UpdateRecord } from "../update/history";
import type { Answer, Finding } from "./findings";
import { type DeployedBuild, type DeployedImage, tagsOf } from "../engine/state";

interface Blob {
    readonly digest: string;
    readonly size: number;
}

/** A blob that a registry can't deliver. */
export interface LostBlob {
    readonly digest: string;
    /** Whether the registry still reports it as present: a push then skips it until the registry is restarted. */
    readonly remembered: boolean;
}

/**
 * A manifest in a registry, reduced to the fields that the comparison reads; `lib/registry/manifest.ts` has the
 * complete type.
 */
export interface Held {
    readonly digest: string;
    readonly config?: Blob;
    readonly layers: readonly Blob[];
    readonly platforms: Readonly<Record<string, string>>;
    /**
     * Lost blobs of its configuration and layers, or the reason why that is unknown; absent if they were not checked.
     */
    readonly blobs?: { readonly lost: readonly LostBlob[] } | { readonly unknown: string };
}

/** Answers of registries by reference. */
export type Answers = ReadonlyMap<string, Answer<Held>>;

/** A published build, compared with the registry. */
export interface BuildStatus {
    readonly platform: string;
    readonly digest: string;
    /** Whether the registry has it; absent if the query failed. */
    readonly present?: boolean;
    /** Digests of its configuration and layers that the registry lost; absent if they could not be checked. */
    readonly lostBlobs?: readonly string[];
    /** Compressed size of its layers in bytes, and their number; absent if the registry does not have it. */
    readonly size?: number;
    readonly layers?: number;
    /** Size and number of the layers that it shares with its parent. */
    readonly sharedSize?: number;
    readonly sharedLayers?: number;
    /** Time of the build: ISO 8601, UTC. */
    readonly built?: string;
    /** Commit and duration in seconds of its last recorded build. */
    readonly commit?: string;
    readonly seconds?: number;
    /** Files that this build read and that were not committed. */
    readonly uncommitted?: readonly string[];
    /** The stack that built it; absent if it is this one. */
    readonly from?: string;
}

/** A tag, compared with the registry. */
export interface TagStatus {
    /** "registry/repository:3.12" */
    readonly tag: string;
    /** Digest that the tag was moved to. */
    readonly promoted: string;
    /** Digest that it points at: absent if the query failed, null if the tag is missing. */
    readonly found?: string | null;
}

/** A published image, compared with the registry. */
export interface ImageStatus {
    readonly image: string;
    readonly parents: readonly string[];
    /** "registry/repository:latest" */
    readonly tag?: string;
    /**
     * Digest that the tag was promoted to, and digest that it points at: absent if the query failed, null if the tag is
     * missing.
     */
    readonly promoted?: string;
    readonly found?: string | null;
    /** The same for its other tags: releases, and tags that move, in all repositories. */
    readonly otherTags: readonly TagStatus[];
    readonly builds: readonly BuildStatus[];
}

/** Returns the reference of a build. */
export const refOf = ({ repository, digest }: DeployedBuild): string => withDigest(repository, digest);

/**
 * Returns the promoted builds of an image in the other repositories that have its release, each with the URN of the resource that
 * copies the release there.
 */
export function copiesOf({ builds, promotion, otherTags }: DeployedImage): DeployedBuild[] {
    const promoted = builds.filter(({ digest }) => promotion?.sources.includes(digest));
    const own = new Set(builds.map(({ repository }) => repository));
    const copies = new Map<string, string>();
    // The release comes first in the state: the tags of a repository are made from it.
    for (const { tag, urn } of otherTags) {
        const repository = repositoryOf(tag);
        if (!own.has(repository) && !copies.has(repository)) copies.set(repository, urn);
    }
    return [...copies].flatMap(([repository, urn]) => promoted.map((build) => ({ ...build, repository, urn })));
}

/** Returns the references to query from registries, without duplicates. */
export const imageQuestions = (images: readonly DeployedImage[]): string[] => [
    ...new Set(
        images.flatMap((image) => [
            ...[...image.builds, ...copiesOf(image)].map(refOf),
            ...tagsOf(image).map(({ tag }) => tag),
        ]),
    ),
];

const sizeOf = (layers: Held["layers"]): number => layers.reduce((sum, { size }) => sum + size, 0);

const heldAt = (answers: Answers, ref: string): Held | undefined => {
    const answer = answers.get(ref);
    return answer && "found" in answer ? answer.found : undefined;
};

/** Returns the first layers of a child that are also the first layers of a parent. */
function sharedLayers(child: Held["layers"], parents: readonly Held[]): Held["layers"] {
    const shared = parents.map(({ layers }) => {
        const end = child.findIndex((layer, index) => layer.digest !== layers[index]?.digest);
        return child.slice(0, end < 0 ? child.length : end);
    });
    return shared.sort((a, b) => b.length - a.length)[0] ?? [];
}

/** Returns the newest recorded build of an image for a platform. The history is newest first. */
function lastBuild(history: readonly UpdateRecord[], image: string, platform: string) {
    for (const { commit, images } of history) {
        const build = images.find(
            (record) =>
                record.image === image && record.platform === platform && record.kind === "build" && isDone(record),
        );
        const { seconds, uncommitted } = build ?? {};
        if (seconds !== undefined)
            return { seconds, ...(commit !== undefined && { commit }), ...(uncommitted && { uncommitted }) };
    }
    return {};
}
const isDone = ({ operation, result }: UpdateRecord["images"][number]) =>
    result === "succeeded" && operation !== "delete";

function buildStatus(
    { image, parents }: DeployedImage,
    build: DeployedBuild,
    all: readonly DeployedImage[],
    answers: Answers,
    history: readonly UpdateRecord[],
): BuildStatus {
    const { platform, digest, built, from } = build;
    const answer = answers.get(refOf(build));
    const held = heldAt(answers, refOf(build));
    const parentsHeld = all
        .filter((candidate) => parents.includes(candidate.image))
        .flatMap((parentImage) => parentImage.builds.filter((parent) => parent.platform === platform))
        .flatMap((parent) => heldAt(answers, refOf(parent)) ?? []);
    const shared = held && sharedLayers(held.layers, parentsHeld);
    return {
        platform,
        digest,
        ...(answer && "found" in answer && { present: answer.found !== undefined }),
        ...(held?.blobs && "lost" in held.blobs && { lostBlobs: held.blobs.lost.map((blob) => blob.digest) }),
        ...(held && { size: sizeOf(held.layers), layers: held.layers.length }),
        ...(shared && parents.length > 0 && { sharedSize: sizeOf(shared), sharedLayers: shared.length }),
        ...(built !== undefined && { built }),
        ...(from === undefined ? lastBuild(history, image, platform) : { from }),
    };
}

/** Returns the status of an image: the state compared with the registries' answers to `imageQuestions`. */
export function imageStatus(
    deployed: DeployedImage,
    all: readonly DeployedImage[],
    answers: Answers,
    history: readonly UpdateRecord[],
): ImageStatus {
    const { image, parents, builds, promotion, otherTags } = deployed;
    const foundAt = (tag: string): Pick<TagStatus, "found"> => {
        const answer = answers.get(tag);
        return answer && "found" in answer ? { found: answer.found?.digest ?? null } : {};
    };
    return {
        image,
        parents,
        ...(promotion && { tag: promotion.tag, promoted: promotion.digest, ...foundAt(promotion.tag) }),
        otherTags: otherTags.map(({ tag, digest }) => ({ tag, promoted: digest, ...foundAt(tag) })),
        builds: builds.map((build) => buildStatus(deployed, build, all, answers, history)),
    };
}

/** Returns a note for each image that was published from files that were not committed, from the statuses of the images. */
export const uncommittedNotes = (images: readonly ImageStatus[]): Finding[] =>
    images.flatMap(({ image, builds }) => {
        const files = [...new Set(builds.flatMap(({ uncommitted = [] }) => uncommitted))];
        if (files.length === 0) return [];
        const commit = builds.find(({ uncommitted }) => uncommitted)?.commit?.slice(0, 10);
        const than = commit === undefined ? "were not committed" : `were not as commit ${commit} has them`;
        const text = `it was built from files that ${than}: ${files.join(", ")}`;
        return [{ kind: "note", about: `image ${image}`, text }];
    });
