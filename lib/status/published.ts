import type { DeployedImage } from "../engine/state";
import { parseReference } from "../registry/references";
import { askBlobs, askRegistries } from "./ask";
import { type Answers, refOf } from "./imageStatus";
import { imageFindings, isLost, lostPromotions, registriesToRestart, unansweredReason } from "./images";
import { type Commands, repairCommand } from "./repair";

/** What the registry has of what is in the state. */
export interface Published {
    /** `<repository>@<digest>` of builds that it does not have, or not all of. */
    readonly missing: ReadonlySet<string>;
    /** Compressed bytes by image and platform ("bot linux/amd64"). */
    readonly bytes: ReadonlyMap<string, number>;
    /** Promoted tags that are lost or moved. */
    readonly moved: readonly string[];
    /** What has to be done before an update can bring back what is missing. */
    readonly before: readonly string[];
    /** Why something could not be asked. */
    readonly unasked: readonly string[];
}

/**
 * Promoted tags that are not where the state has them, with what puts them back: a refresh leaves indexes alone, so an update
 * moves a tag only when its builds change, and with --refresh brings back one that is gone.
 */
function promotionWarnings(
    image: DeployedImage,
    all: readonly DeployedImage[],
    answers: Answers,
    commands: Commands,
): string[] {
    return imageFindings(image, all, answers).flatMap(({ kind, about, text, repair }) => {
        if (kind !== "drift" || repair?.by !== "replace" || repair.urn !== image.promotion?.urn) return [];
        const next = lostPromotions([image], answers).includes(repair.urn)
            ? "An update with --refresh puts it back"
            : `An update does not look at it; afterwards: ${repairCommand(commands, repair)}`;
        return [`${about}: ${text}. ${next}`];
    });
}

/** What registries answered, to the references of builds and perhaps of promoted tags. What they did not counts as there. */
export function readAnswers(images: readonly DeployedImage[], answers: Answers, commands: Commands): Published {
    const missing = new Set<string>();
    const bytes = new Map<string, number>();
    for (const { image, builds } of images) {
        for (const build of builds) {
            const answer = answers.get(refOf(build));
            if (!answer || "unknown" in answer) continue;
            if (isLost(build, answers)) missing.add(refOf(build));
            if (answer.found) {
                const sizes = answer.found.layers.map(({ size }) => size);
                bytes.set(
                    `${image} ${build.platform}`,
                    sizes.reduce((sum, size) => sum + size, 0),
                );
            }
        }
    }
    const unasked = [...answers].flatMap(([ref, answer]) => {
        const reason = unansweredReason(answer);
        return reason === undefined
            ? []
            : [`what is published could not be asked: ${parseReference(ref).registry}: ${reason}`];
    });
    const moved = images.flatMap((image) => promotionWarnings(image, images, answers, commands));
    const before = registriesToRestart(images, answers).map(
        (registry) =>
            `registry ${registry} says that it has layers that it lost, and takes them again only once it is started anew` +
            (commands.isLab ? ": npm run down first" : ""),
    );
    return { missing, bytes, moved, before, unasked: [...new Set(unasked)] };
}

/**
 * Asks registries for builds.
 *
 * @param full whether for promoted tags, configurations and layers too
 */
export async function lookUp(
    images: readonly DeployedImage[],
    { env, ...commands }: Commands & { readonly env: NodeJS.ProcessEnv },
    full: boolean,
): Promise<Published> {
    const refs = images.flatMap(({ builds, promotion }) => [
        ...builds.map(refOf),
        ...(full && promotion ? [promotion.tag] : []),
    ]);
    const answers = await askRegistries([...new Set(refs)], env);
    return readAnswers(images, full ? await askBlobs(answers, env) : answers, commands);
}
