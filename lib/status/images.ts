import type { UpdateRecord } from "../plan/history";
import { type Answer, type Finding, unknownFindings } from "./findings";
import { parseReference, repositoryOf } from "../references";
import type { DeployedBuild, DeployedImage } from "./state";

/** What a registry has, as far as the comparison reads it; `review/registry.ts` has it in full. */
export interface Held {
    readonly digest: string;
    readonly layers: readonly { readonly digest: string; readonly size: number }[];
    readonly platforms: Readonly<Record<string, string>>;
}

/** What was answered, by the reference that was asked for. */
export type Answers = ReadonlyMap<string, Answer<Held>>;

/** A published build beside what the registry has of it. */
export interface BuildStatus {
    readonly platform: string;
    readonly digest: string;
    /** Whether the registry has it; absent when it could not be asked. */
    readonly present?: boolean;
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

const refOf = ({ repository, digest }: DeployedBuild): string => `${repository}@${digest}`;

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
        ...(held && { size: sizeOf(held.layers), layers: held.layers.length }),
        ...(shared && parents.length > 0 && { sharedSize: sizeOf(shared), sharedLayers: shared.length }),
        ...(built !== undefined && { built }),
        ...lastBuild(history, image, platform),
    };
}

/** How `latest` differs from what it was promoted to; undefined when it does not. */
function movedText(tag: string, image: DeployedImage, found: Held | undefined): string | undefined {
    const { promotion, builds } = image;
    if (!promotion || found?.digest === promotion.digest) return undefined;
    if (!found) return `${tag} is not in the registry; it was promoted to ${promotion.digest}`;
    const promoted = builds.filter(({ digest }) => promotion.sources.includes(digest)).map(({ platform }) => platform);
    const missing = promoted.filter((platform) => found.platforms[platform] === undefined);
    const lacks = missing.length > 0 ? `; it lacks ${missing.join(" and ")}` : "";
    return `${tag} points at ${found.digest} instead of ${promotion.digest}, which was promoted${lacks}`;
}

function imageFindings(image: DeployedImage, answers: Answers): Finding[] {
    const { promotion, builds } = image;
    const about = `image ${image.image}`;
    const lost = builds.flatMap(({ urn, platform, digest, ...rest }): Finding[] => {
        const answer = answers.get(refOf({ urn, platform, digest, ...rest }));
        if (!answer || "unknown" in answer || answer.found) return [];
        const text = `${platform}: ${digest} is not in the registry`;
        return [{ kind: "drift", about, text, repair: { by: "replace", urn } }];
    });
    const answer = promotion && answers.get(promotion.tag);
    const moved = answer && "found" in answer ? movedText(promotion.tag, image, answer.found) : undefined;
    const waiting = builds.filter(({ digest }) => promotion && !promotion.sources.includes(digest));
    return [
        // An index over manifests that are not there would be refused: they come first.
        ...lost,
        ...(promotion && moved !== undefined
            ? [{ kind: "drift", about, text: moved, repair: { by: "replace", urn: promotion.urn } } as const]
            : []),
        ...(waiting.length > 0
            ? [
                  {
                      kind: "note",
                      about,
                      text: `${waiting.map(({ platform }) => platform).join(" and ")} was built and not promoted: its smoke test failed, or the update was cut off`,
                      repair: { by: "up" },
                  } as const,
              ]
            : []),
    ];
}

/** Compares the images of the state with what registries answered to `imageQuestions`. */
export function compareImages(
    images: readonly DeployedImage[],
    answers: Answers,
    history: readonly UpdateRecord[],
): { readonly images: ImageStatus[]; readonly findings: Finding[] } {
    const statuses = images.map((one): ImageStatus => {
        const { image, parents, builds, promotion } = one;
        const answer = promotion && answers.get(promotion.tag);
        return {
            image,
            parents,
            ...(promotion && { tag: promotion.tag, promoted: promotion.digest }),
            ...(answer && "found" in answer && { found: answer.found?.digest ?? null }),
            builds: builds.map((build) => buildStatus(one, build, images, answers, history)),
        };
    });
    return { images: statuses, findings: images.flatMap((image) => imageFindings(image, answers)) };
}

/** What registries could not be asked, a finding for each registry and reason. */
export function unansweredFindings(answers: Answers): Finding[] {
    const byRegistry = new Map<string, { what: string; reason: string }[]>();
    for (const [ref, answer] of answers) {
        if (!("unknown" in answer)) continue;
        const { registry } = parseReference(ref);
        const what = repositoryOf(ref).slice(registry.length + 1);
        byRegistry.set(registry, [...(byRegistry.get(registry) ?? []), { what, reason: answer.unknown }]);
    }
    return [...byRegistry].flatMap(([registry, failed]) => unknownFindings(`registry ${registry}`, failed));
}
