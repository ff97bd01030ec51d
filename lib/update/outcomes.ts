import type { EngineLog } from "../engine/log";
import { type ImageInputs, componentTypes, nameOf, readImage } from "../engine/resources";
import { type UpdateRecord, recordedSeconds } from "./history";
import { type ImageStep, hasMoved, imageSteps } from "./steps";

/**
 * What became of an image in an update.
 *
 * - `failed`: a build, test or promotion of it failed, or was cut short.
 * - `not reached`: the update ended before all its builds were looked at.
 * - `built`: at least one platform was built.
 * - `cut off`: nothing was built, although a parent of it was built or was itself cut off: no digest that it stands on moved.
 * - `unchanged`: nothing was built and no parent was.
 * - `removed`: it left the stack; what was published stays.
 */
export type Outcome = "failed" | "not reached" | "built" | "cut off" | "unchanged" | "removed";

/** An image of the stack, after an update. */
export interface ImageOutcome {
    readonly image: string;
    readonly outcome: Outcome;
    /** Whether a build of it gave another digest. */
    readonly moved: boolean;
    /** Its builds, tests and promotion, those that were left as they were too. */
    readonly steps: readonly ImageStep[];
}

interface ImageSeen extends Pick<ImageInputs, "parents" | "platforms"> {
    readonly image: string;
    readonly isDeleted: boolean;
}

/** The images that the engine saw, by name: its own order differs from run to run. */
function imagesSeen(log: EngineLog): ImageSeen[] {
    const steps = log.steps.filter(({ type, operation }) => type === componentTypes.image && operation !== "refresh");
    const seen = steps.flatMap(({ urn, operation, before, after }) => {
        const state = after ?? before;
        return state ? [{ ...readImage(state.inputs), image: nameOf(urn), isDeleted: operation === "delete" }] : [];
    });
    return seen.sort((a, b) => a.image.localeCompare(b.image, "en"));
}

/** What became of each image: parents before their children, else by name. */
export function imageOutcomes(log: EngineLog): ImageOutcome[] {
    const steps = imageSteps(log);
    const seen = imagesSeen(log);
    const found = new Map<string, ImageOutcome>();
    const judge = ({ image, isDeleted, parents, platforms }: ImageSeen): ImageOutcome => {
        const known = found.get(image);
        if (known) return known;
        const own = steps.filter((step) => step.image === image);
        const builds = own.filter(({ kind, operation }) => kind === "build" && operation !== "delete");
        const moved = builds.some((step) => step.operation !== "same" && hasMoved(step) === true);
        const above = seen.filter((one) => parents.includes(one.image)).map(judge);
        const outcome = (): Outcome => {
            if (isDeleted) return "removed";
            if (own.some(({ result }) => result === "failed")) return "failed";
            if (log.result === "failed" && builds.length < platforms.length) return "not reached";
            if (builds.some(({ operation }) => operation !== "same")) return "built";
            return above.some((one) => one.outcome === "built" || one.outcome === "cut off") ? "cut off" : "unchanged";
        };
        const judged = { image, outcome: outcome(), moved, steps: own };
        found.set(image, judged);
        return judged;
    };
    // An image enters after those that it was judged by.
    seen.forEach(judge);
    return [...found.values()];
}

/** Building that an update did without. */
export interface Saved {
    /** What the builds took when they were last done. */
    readonly seconds: number;
    /** Builds of which no duration is recorded: they are not in `seconds`. */
    readonly unknown: number;
}

/**
 * An estimate of what builds that were left as they were would have taken, one after the other.
 *
 * @param history newest first
 */
export function savedSeconds(outcomes: readonly ImageOutcome[], history: readonly UpdateRecord[]): Saved {
    const left = outcomes
        .flatMap(({ steps }) => steps)
        .filter(({ kind, operation }) => kind === "build" && operation === "same");
    const recorded = left.map(({ image, platform }) =>
        recordedSeconds(history, { kind: "build", image, ...(platform !== undefined && { platform }) }),
    );
    const known = recorded.filter((seconds) => seconds !== undefined);
    return { seconds: known.reduce((sum, one) => sum + one, 0), unknown: recorded.length - known.length };
}
