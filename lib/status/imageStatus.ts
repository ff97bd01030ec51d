import { withDigest } from "../registry/references";
import type { UpdateRecord } from "../update/history";
import type { Answer } from "./findings";
import type { DeployedBuild, DeployedImage } from "../engine/state";

interface Blob {
    readonly digest: string;
    readonly size: number;
}

/** A blob that a registry does not give. */
export interface LostBlob {
    readonly digest: string;
    /** Whether the registry says that it has it: then a push leaves it out, until the registry is started anew. */
    readonly remembered: boolean;
}

/** What a registry has, as far as the comparison reads it; `lib/registry.ts` has it in full. */
export interface Held {
    readonly digest: string;
    readonly config?: Blob;
    readonly layers: readonly Blob[];
    readonly platforms: Readonly<Record<string, string>>;
    /** What is lost of its configuration and layers, or why that is not known; absent where nobody looked. */
    readonly blobs?: { readonly lost: readonly LostBlob[] } | { readonly unknown: string };
}

/** What was answered, by the reference that was asked for. */
export type Answers = ReadonlyMap<string, Answer<Held>>;

/** A published build beside what the registry has of it. */
export interface BuildStatus {
    readonly platform: string;
    readonly digest: string;
    /** Whether the registry has it; absent when it could not be asked. */
    readonly present?: boolean;
    /** Digests of its configuration and layers that the registry lost; absent when these could not be asked for. */
    readonly lostBlobs?: readonly string[];
    /** Compressed size of its layers, in bytes, and how many they are; absent when it is not there. */
    readonly size?: number;
    readonly layers?: number;
    /** The same of the layers that are its parent's. */
    readonly sharedSize?: number;
    readonly sharedLayers?: number;
    /** When it was built: ISO 8601, UTC. */
    readonly built?: string;
    /** Commit and seconds of its last recorded build. */
    readonly commit?: string;
    readonly seconds?: number;
}

/** A published image beside what the registry has of it. */
export interface ImageStatus {
    readonly image: string;
    readonly parents: readonly string[];
    /** "registry/repository:latest" */
    readonly tag?: string;
    /** What the tag was promoted to, and what it points at; absent when it could not be asked, null for nothing. */
    readonly promoted?: string;
    readonly found?: string | null;
    readonly builds: readonly BuildStatus[];
}

/** The reference of a build. */
export const refOf = ({ repository, digest }: DeployedBuild): string => withDigest(repository, digest);

/** The references that registries are asked for, each once. */
export const imageQuestions = (images: readonly DeployedImage[]): string[] => [
    ...new Set(
        images.flatMap(({ builds, promotion }) => [...builds.map(refOf), ...(promotion ? [promotion.tag] : [])]),
    ),
];

const sizeOf = (layers: Held["layers"]): number => layers.reduce((sum, { size }) => sum + size, 0);

const heldAt = (answers: Answers, ref: string): Held | undefined => {
    const answer = answers.get(ref);
    return answer && "found" in answer ? answer.found : undefined;
};

/** The layers that a child begins with, as far as they are its parent's. */
function sharedLayers(child: Held["layers"], parents: readonly Held[]): Held["layers"] {
    const shared = parents.map(({ layers }) => {
        const end = child.findIndex((layer, index) => layer.digest !== layers[index]?.digest);
        return child.slice(0, end < 0 ? child.length : end);
    });
    return shared.sort((a, b) => b.length - a.length)[0] ?? [];
}

/** The newest recorded build of an image for a platform. History is newest first. */
function lastBuild(history: readonly UpdateRecord[], image: string, platform: string) {
    for (const { commit, images } of history) {
        const build = images.find(
            (one) => one.image === image && one.platform === platform && one.kind === "build" && isDone(one),
        );
        if (build) return { seconds: build.seconds, ...(commit !== undefined && { commit }) };
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
    const { platform, digest, built } = build;
    const answer = answers.get(refOf(build));
    const held = heldAt(answers, refOf(build));
    const parentsHeld = all
        .filter((one) => parents.includes(one.image))
        .flatMap((one) => one.builds.filter((parent) => parent.platform === platform))
        .flatMap((parent) => heldAt(answers, refOf(parent)) ?? []);
    const shared = held && sharedLayers(held.layers, parentsHeld);
    return {
        platform,
        digest,
        ...(answer && "found" in answer && { present: answer.found !== undefined }),
        ...(held?.blobs && "lost" in held.blobs && { lostBlobs: held.blobs.lost.map((one) => one.digest) }),
        ...(held && { size: sizeOf(held.layers), layers: held.layers.length }),
        ...(shared && parents.length > 0 && { sharedSize: sizeOf(shared), sharedLayers: shared.length }),
        ...(built !== undefined && { built }),
        ...lastBuild(history, image, platform),
    };
}

/** What there is of an image: the state beside what registries answered to `imageQuestions`. */
export function imageStatus(
    one: DeployedImage,
    all: readonly DeployedImage[],
    answers: Answers,
    history: readonly UpdateRecord[],
): ImageStatus {
    const { image, parents, builds, promotion } = one;
    const answer = promotion && answers.get(promotion.tag);
    return {
        image,
        parents,
        ...(promotion && { tag: promotion.tag, promoted: promotion.digest }),
        ...(answer && "found" in answer && { found: answer.found?.digest ?? null }),
        builds: builds.map((build) => buildStatus(one, build, all, answers, history)),
    };
}
