import { type DeployedImage, tagsOf } from "../engine/state";
import { parseReference } from "../registry/references";
import { askBlobs, askRegistries } from "./ask";
import { type Answers, refOf } from "./imageStatus";
import { imageFindings, isLost, lostBuilds, lostPromotions, registriesToRestart, unansweredReason } from "./images";
import { type Commands, repairCommand } from "./repair";
import { typed } from "../system/commandLine";

/** The state of the stack's images in the registry. */
export interface Published {
    /** `<repository>@<digest>` of builds that are missing there, completely or in part. */
    readonly missing: ReadonlySet<string>;
    /** Compressed bytes by image and platform ("bot linux/amd64"). */
    readonly bytes: ReadonlyMap<string, number>;
    /** Warnings about promoted tags that are lost or moved, and about builds of other stacks that are lost. */
    readonly moved: readonly string[];
    /** Steps that are necessary before an update can restore the missing builds. */
    readonly before: readonly string[];
    /** Reasons of failed queries. */
    readonly unasked: readonly string[];
}

/**
 * Returns warnings about what an update does not build again: promoted tags that differ from the state, and lost builds of other stacks, with the repair. A refresh skips indexes, so an
 * update moves a tag only if its builds change, and restores a missing tag only with --refresh.
 */
function remainingWarnings(
    image: DeployedImage,
    all: readonly DeployedImage[],
    answers: Answers,
    commands: Commands,
): string[] {
    return imageFindings(image, all, answers, commands).flatMap(({ kind, about, text, repair }) => {
        if (kind !== "drift") return [];
        // What another stack built and the registry lost.
        if (repair?.by === "command") return [`${about}: ${text}: ${repair.command}`];
        if (repair?.by !== "replace") return [];
        if (!tagsOf(image).some(({ urn }) => urn === repair.urn)) return [];
        const next = [...lostPromotions([image], answers), ...lostBuilds([image], answers)].includes(repair.urn)
            ? "An update with --refresh puts it back"
            : `An update does not look at it; afterwards: ${repairCommand(commands, repair)}`;
        return [`${about}: ${text}. ${next}`];
    });
}

/**
 * Evaluates the registries' answers for builds and, if queried, promoted tags. Objects without an answer count as
 * present.
 */
export function readAnswers(images: readonly DeployedImage[], answers: Answers, commands: Commands): Published {
    const missing = new Set<string>();
    const bytes = new Map<string, number>();
    for (const { image, builds, pinned } of images) {
        for (const build of builds) {
            const answer = answers.get(refOf(build));
            if (!answer || "unknown" in answer) continue;
            // No update builds a release again, nor what another stack built.
            if (!pinned && build.from === undefined && isLost(build, answers)) missing.add(refOf(build));
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
    const moved = images.flatMap((image) => remainingWarnings(image, images, answers, commands));
    const before = registriesToRestart(images, answers).map(
        (registry) =>
            `registry ${registry} reports layers that it lost as present, and accepts them again only after a restart` +
            (commands.isLab ? `: ${typed("down")} first` : ""),
    );
    return { missing, bytes, moved, before, unasked: [...new Set(unasked)] };
}

/**
 * Queries registries for builds.
 *
 * @param full whether to query promoted tags, configurations and layers too
 */
export async function lookUp(
    images: readonly DeployedImage[],
    { env, ...commands }: Commands & { readonly env: NodeJS.ProcessEnv },
    full: boolean,
): Promise<Published> {
    const refs = images.flatMap((image) => [
        ...image.builds.map(refOf),
        ...(full ? tagsOf(image).map(({ tag }) => tag) : []),
    ]);
    const answers = await askRegistries([...new Set(refs)], env);
    return readAnswers(images, full ? await askBlobs(answers, env) : answers, commands);
}
