import type { EngineLog } from "../engine/log";
import { type ImageInputs, componentTypes, nameOf, readImage } from "../engine/resources";
import { type UpdateRecord, recordedDurations } from "./history";
import { type ImageStep, hasMoved, imageSteps as readSteps } from "./steps";

/**
 * The outcome of an update for an image.
 *
 * - `failed`: a build, test or promotion of it failed, or a tag of its release, or was interrupted.
 * - `not reached`: the update ended before it reached all builds of the image that are this stack's.
 * - `built`: at least one platform was built.
 * - `cut off`: not built, although a parent was built or was itself cut off: no digest of its parents changed.
 * - `unchanged`: neither the image nor any parent was built, or it is pinned to a release.
 * - `removed`: it left the stack; its published digests stay.
 */
export type Outcome = "failed" | "not reached" | "built" | "cut off" | "unchanged" | "removed";

/** An image of the stack, after an update. */
export interface ImageOutcome {
    readonly image: string;
    readonly outcome: Outcome;
    /** Whether a build of it resulted in another digest. */
    readonly moved: boolean;
    /** The release that it is pinned to: "r-<12 hex>". Absent if it is not pinned. */
    readonly pinned?: string;
    /** The stacks that built it for some of its platforms, instead of this one. */
    readonly elsewhere: readonly string[];
    /** Whether something of it is pushed and not promoted, in a stack that promotes. */
    readonly waits: boolean;
    /** Its builds, tests and promotion, including unchanged resources. */
    readonly steps: readonly ImageStep[];
}

interface ImageSeen extends Pick<ImageInputs, "parents" | "platforms" | "elsewhere" | "pin"> {
    readonly image: string;
    readonly isDeleted: boolean;
}

/** Returns the images in the engine's log, sorted by name: the order in the log differs from run to run. */
function imagesSeen(log: EngineLog): ImageSeen[] {
    const steps = log.steps.filter(({ type, operation }) => type === componentTypes.image && operation !== "refresh");
    const seen = steps.flatMap(({ urn, operation, before, after }) => {
        const state = after ?? before;
        return state ? [{ ...readImage(state.inputs), image: nameOf(urn), isDeleted: operation === "delete" }] : [];
    });
    return seen.sort((a, b) => a.image.localeCompare(b.image, "en"));
}

/** Returns the outcome for each image: parents before their children, otherwise by name. */
export function imageOutcomes(log: EngineLog): ImageOutcome[] {
    const steps = readSteps(log);
    const seen = imagesSeen(log);
    const promotes = log.steps.some(({ type }) => type === componentTypes.promotion);
    const found = new Map<string, ImageOutcome>();
    const judge = ({ image, isDeleted, parents, platforms, elsewhere = {}, pin }: ImageSeen): ImageOutcome => {
        const judgedBefore = found.get(image);
        if (judgedBefore) return judgedBefore;
        const imageSteps = steps.filter((step) => step.image === image);
        const builds = imageSteps.filter(({ kind, operation }) => kind === "build" && operation !== "delete");
        const moved = builds.some((step) => step.operation !== "same" && hasMoved(step) === true);
        const stacks = [...new Set(Object.values(elsewhere))];
        const isPushed = imageSteps.some(({ kind, pushed }) => kind === "build" && pushed !== undefined);
        const isPromoted = imageSteps.some(({ kind, result }) => kind === "promotion" && result === "succeeded");
        const parentOutcomes = seen.filter((candidate) => parents.includes(candidate.image)).map(judge);
        const outcome = (): Outcome => {
            if (isDeleted) return "removed";
            if (imageSteps.some(({ result }) => result === "failed")) return "failed";
            if (pin) return "unchanged";
            if (log.result === "failed" && builds.length < platforms.length - Object.keys(elsewhere).length)
                return "not reached";
            if (builds.some(({ operation }) => operation !== "same")) return "built";
            const hasBuiltParent = parentOutcomes.some((parent) => ["built", "cut off"].includes(parent.outcome));
            return hasBuiltParent ? "cut off" : "unchanged";
        };
        const judged = {
            ...{ image, outcome: outcome(), moved, ...(pin && { pinned: pin.release }), elsewhere: stacks },
            waits: promotes && !isDeleted && !isPromoted && (isPushed || stacks.length > 0),
            steps: imageSteps,
        };
        found.set(image, judged);
        return judged;
    };
    // An image is inserted after its parents.
    seen.forEach(judge);
    return [...found.values()];
}

/** Build time that an update saved. */
export interface Saved {
    /** Recorded durations of the builds that were not needed. */
    readonly seconds: number;
    /** Number of builds without a recorded duration: they are not included in `seconds`. */
    readonly unknown: number;
}

/**
 * Estimates the total duration of the builds that were not needed.
 *
 * @param history newest first
 */
export function savedSeconds(outcomes: readonly ImageOutcome[], history: readonly UpdateRecord[]): Saved {
    const unchangedBuilds = outcomes
        .flatMap(({ steps }) => steps)
        .filter(({ kind, operation }) => kind === "build" && operation === "same");
    const durations = recordedDurations(history);
    const recorded = unchangedBuilds.map(({ image, platform }) =>
        durations({ kind: "build", image, ...(platform !== undefined && { platform }) }),
    );
    const known = recorded.filter((seconds) => seconds !== undefined);
    return { seconds: known.reduce((sum, seconds) => sum + seconds, 0), unknown: recorded.length - known.length };
}
