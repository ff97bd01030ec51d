import type { DeployedBuild, DeployedImage, DeployedPromotion } from "../engine/state";
import { parseReference, repositoryOf } from "../registry/references";
import { size } from "../system/progress";
import { type Answer, type Finding, type Repair, unknownFindings } from "./findings";
import { type Answers, type Held, type LostBlob, refOf } from "./imageStatus";

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

/** What a registry has of a build; undefined when it could not be asked. */
function answerTo(build: DeployedBuild, answers: Answers): { readonly found: Held | undefined } | undefined {
    const answer = answers.get(refOf(build));
    return answer && "found" in answer ? answer : undefined;
}

const lostBlobs = ({ blobs }: Held): readonly LostBlob[] => (blobs && "lost" in blobs ? blobs.lost : []);

/** A blob by its place in the image that it is of. */
function blobText({ digest }: LostBlob, { layers }: Held): string {
    const index = layers.findIndex((layer) => layer.digest === digest);
    return index < 0
        ? `its configuration (${digest})`
        : `layer ${index + 1} of ${layers.length} (${digest}, ${size(layers[index]?.size ?? 0)})`;
}

/** What a registry lost of a build; undefined when it has all that was looked for. */
function lostText(build: DeployedBuild, answers: Answers): string | undefined {
    const { platform, digest } = build;
    const answer = answerTo(build, answers);
    if (!answer) return undefined;
    if (!answer.found) return `${platform}: ${digest} is not in the registry`;
    const { found } = answer;
    const lost = lostBlobs(found);
    if (lost.length === 0) return undefined;
    const it = lost.length > 1 ? "them" : "it";
    const remembered = lost.some((one) => one.remembered)
        ? `, and says that it has ${it}: it takes ${it} again once it is started anew`
        : "";
    return `${platform}: of ${digest} the registry lost ${lost.map((one) => blobText(one, found)).join(" and ")}${remembered}`;
}

/** Whether a registry lost a build, or something of it; what could not be asked counts as there. */
export const isLost = (build: DeployedBuild, answers: Answers): boolean => lostText(build, answers) !== undefined;

/**
 * Whether what a registry lost of a build only comes back when the registry was started anew: it says of blobs that are gone that it
 * has them, and a push leaves out what a registry has.
 */
const isRemembered = (build: DeployedBuild, answers: Answers): boolean => {
    const found = answerTo(build, answers)?.found;
    return found !== undefined && lostBlobs(found).some(({ remembered }) => remembered);
};

/**
 * The registries that have to be started anew before an update can bring back what they lost.
 *
 * @param answers of `askBlobs`
 * @returns hosts, each once
 */
export const registriesToRestart = (images: readonly DeployedImage[], answers: Answers): string[] => [
    ...new Set(
        images
            .flatMap(({ builds }) => builds.filter((build) => isRemembered(build, answers)))
            .map(({ repository }) => parseReference(repository).registry),
    ),
];

/** Whether the registry says of a promoted tag that it has nothing under it. */
const isGone = ({ tag }: DeployedPromotion, answers: Answers): boolean => {
    const answer = answers.get(tag);
    return answer !== undefined && "found" in answer && answer.found === undefined;
};

const lostIn = (image: DeployedImage, answers: Answers): DeployedBuild[] =>
    image.builds.filter((build) => isLost(build, answers));

/**
 * The builds that a registry lost, or lost something of: what has to be replaced for them to be there again.
 *
 * @param images parents first
 * @param answers of `askRegistries` to `imageQuestions`, and of `askBlobs` where layers count; what could not be asked counts as there
 * @returns URNs, the parents' first
 */
export const lostBuilds = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap((image) => lostIn(image, answers).map(({ urn }) => urn));

/**
 * The promotions whose tag is gone from its registry, the whole repository being gone included. A tag that somebody moved is none:
 * what it points at may be wanted.
 *
 * @param images parents first
 * @param answers of `askRegistries` to `imageQuestions`; what could not be asked counts as there
 * @returns URNs, the parents' first
 */
export const lostPromotions = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap(({ promotion }) => (promotion && isGone(promotion, answers) ? [promotion.urn] : []));

/** The images that one is built on, all the way down, parents first. */
function ancestorsOf({ parents }: DeployedImage, all: readonly DeployedImage[]): DeployedImage[] {
    const own = all.filter(({ image }) => parents.includes(image));
    return [...new Set([...own.flatMap((parent) => ancestorsOf(parent, all)), ...own])];
}

/** How what was lost is made again: after what it is made from, where that was lost, too. */
function replacing(
    urn: string,
    own: readonly DeployedBuild[],
    from: readonly DeployedBuild[],
    answers: Answers,
): Repair {
    const restart = [...own, ...from].some((build) => isRemembered(build, answers));
    return {
        ...{ by: "replace", urn },
        ...(from.length > 0 && { from: from.map((build) => build.urn) }),
        ...(restart && { restart }),
    };
}

/**
 * How an image differs from what registries answered to `imageQuestions`.
 *
 * @param all images, parents first
 */
export function imageFindings(image: DeployedImage, all: readonly DeployedImage[], answers: Answers): Finding[] {
    const { promotion, builds } = image;
    const about = `image ${image.image}`;
    const below = ancestorsOf(image, all).flatMap((one) => lostIn(one, answers));
    const lostHere = lostIn(image, answers);
    const lost = lostHere.map((build): Finding => {
        const repair = replacing(build.urn, [build], below, answers);
        return { kind: "drift", about, text: lostText(build, answers) ?? "", repair };
    });
    // An index over manifests that are not there would be refused: they come first.
    const fromLost = lostHere.length > 0 ? [...below, ...lostHere] : [];
    const answer = promotion && answers.get(promotion.tag);
    const moved = answer && "found" in answer ? movedText(promotion.tag, image, answer.found) : undefined;
    const waiting = builds.filter(({ digest }) => !promotion?.sources.includes(digest));
    return [
        ...lost,
        ...(promotion && moved !== undefined
            ? [{ kind: "drift", about, text: moved, repair: replacing(promotion.urn, [], fromLost, answers) } as const]
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

/** Why a question has no answer, or one without what became of the blobs; undefined where there is all that was asked for. */
export function unansweredReason(answer: Answer<Held>): string | undefined {
    if ("unknown" in answer) return answer.unknown;
    const blobs = answer.found?.blobs;
    return blobs && "unknown" in blobs ? blobs.unknown : undefined;
}

/** What registries could not be asked, a finding for each registry and reason. */
export function unansweredFindings(answers: Answers): Finding[] {
    const byRegistry = new Map<string, { what: string; reason: string }[]>();
    for (const [ref, answer] of answers) {
        const reason = unansweredReason(answer);
        if (reason === undefined) continue;
        const { registry } = parseReference(ref);
        const what = repositoryOf(ref).slice(registry.length + 1);
        byRegistry.set(registry, [...(byRegistry.get(registry) ?? []), { what, reason }]);
    }
    return [...byRegistry].flatMap(([registry, failed]) => unknownFindings(`registry ${registry}`, failed));
}
