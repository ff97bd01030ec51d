import type { Plan } from "../lib/plan/plan";
import { parseReference } from "../lib/references";
import { type Answers, refOf } from "../lib/status/imageStatus";
import { imageFindings } from "../lib/status/images";
import { type Commands, repairCommand } from "../lib/status/repair";
import type { DeployedImage } from "../lib/status/state";
import { askRegistries } from "./ask";

/** What the registry has of what is in the state. */
export interface Published {
    /** `<repository>@<digest>` of builds that it does not have. */
    readonly missing: ReadonlySet<string>;
    /** Compressed bytes by image and platform ("bot linux/amd64"). */
    readonly bytes: ReadonlyMap<string, number>;
    /** Promoted tags that are lost or moved, which no update looks at. */
    readonly moved: readonly string[];
    /** Why something could not be asked. */
    readonly unasked: readonly string[];
}

/**
 * Promoted tags that are not where the state has them, with the command that puts them back: a refresh leaves indexes alone, so
 * an update only moves a tag when its builds change.
 */
function promotionWarnings(image: DeployedImage, answers: Answers, commands: Commands): string[] {
    return imageFindings(image, answers).flatMap(({ kind, about, text, repair }) => {
        if (kind !== "drift" || repair?.by !== "replace" || repair.urn !== image.promotion?.urn) return [];
        return [`${about}: ${text}. An update does not look at it; afterwards: ${repairCommand(commands, repair)}`];
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
            if (!answer.found) missing.add(refOf(build));
            else {
                const sizes = answer.found.layers.map(({ size }) => size);
                bytes.set(
                    `${image} ${build.platform}`,
                    sizes.reduce((sum, size) => sum + size, 0),
                );
            }
        }
    }
    const unasked = [...answers].flatMap(([ref, answer]) =>
        "unknown" in answer
            ? [`what is published could not be asked: ${parseReference(ref).registry}: ${answer.unknown}`]
            : [],
    );
    const moved = images.flatMap((image) => promotionWarnings(image, answers, commands));
    return { missing, bytes, moved, unasked: [...new Set(unasked)] };
}

/**
 * Asks registries for builds.
 *
 * @param promotions whether for promoted tags too
 */
export async function lookUp(
    images: readonly DeployedImage[],
    { env, ...commands }: Commands & { readonly env: NodeJS.ProcessEnv },
    promotions: boolean,
): Promise<Published> {
    const refs = images.flatMap(({ builds, promotion }) => [
        ...builds.map(refOf),
        ...(promotions && promotion ? [promotion.tag] : []),
    ]);
    return readAnswers(images, await askRegistries([...new Set(refs)], env), commands);
}

/** The plan with the sizes of what is published, and with what is to be said of it as warnings. */
export function withPublished(plan: Plan, { bytes, moved, unasked }: Published): Plan {
    return {
        ...plan,
        warnings: [...plan.warnings, ...moved, ...unasked],
        images: plan.images.map((image) => ({
            ...image,
            platforms: image.platforms.map((one) => {
                const known = bytes.get(`${image.image} ${one.platform}`);
                return known === undefined ? one : { ...one, bytes: known };
            }),
        })),
    };
}
