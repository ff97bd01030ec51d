import { parseReference, repositoryOf } from "../references";
import { type Finding, unknownFindings } from "./findings";
import { type Answers, type Held, refOf } from "./imageStatus";
import type { DeployedBuild, DeployedImage, DeployedPromotion } from "./state";

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

/** What a registry lost of a build; undefined when it has it, or could not be asked. */
function lostText(build: DeployedBuild, answers: Answers): string | undefined {
    const answer = answers.get(refOf(build));
    if (!answer || "unknown" in answer || answer.found) return undefined;
    return `${build.platform}: ${build.digest} is not in the registry`;
}

/** Whether the registry says of a promoted tag that it has nothing under it. */
const isGone = ({ tag }: DeployedPromotion, answers: Answers): boolean => {
    const answer = answers.get(tag);
    return answer !== undefined && "found" in answer && answer.found === undefined;
};

/**
 * The builds that a registry lost: what has to be replaced for them to be there again.
 *
 * @param answers of `askRegistries` to `imageQuestions`; what could not be asked counts as there
 * @returns URNs, the parents' first
 */
export const lostBuilds = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap(({ builds }) =>
        builds.filter((build) => lostText(build, answers) !== undefined).map(({ urn }) => urn),
    );

/**
 * The promotions whose tag is gone from its registry, the whole repository being gone included. A tag that somebody moved is none:
 * what it points at may be wanted.
 *
 * @param answers of `askRegistries` to `imageQuestions`; what could not be asked counts as there
 * @returns URNs, the parents' first
 */
export const lostPromotions = (images: readonly DeployedImage[], answers: Answers): string[] =>
    images.flatMap(({ promotion }) => (promotion && isGone(promotion, answers) ? [promotion.urn] : []));

/** How an image differs from what registries answered to `imageQuestions`. */
export function imageFindings(image: DeployedImage, answers: Answers): Finding[] {
    const { promotion, builds } = image;
    const about = `image ${image.image}`;
    const lost = builds.flatMap((build): Finding[] => {
        const text = lostText(build, answers);
        return text === undefined ? [] : [{ kind: "drift", about, text, repair: { by: "replace", urn: build.urn } }];
    });
    const answer = promotion && answers.get(promotion.tag);
    const moved = answer && "found" in answer ? movedText(promotion.tag, image, answer.found) : undefined;
    const waiting = builds.filter(({ digest }) => !promotion?.sources.includes(digest));
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
