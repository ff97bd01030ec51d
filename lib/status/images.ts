import { parseReference, repositoryOf } from "../references";
import { type Finding, unknownFindings } from "./findings";
import { type Answers, type Held, refOf } from "./imageStatus";
import type { DeployedImage } from "./state";

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

/** How an image differs from what registries answered to `imageQuestions`. */
export function imageFindings(image: DeployedImage, answers: Answers): Finding[] {
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
