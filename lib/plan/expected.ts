import type { UpdateRecord } from "./history";
import type { Action, Expected, ImagePlan } from "./plan";

/** Builds of an image that its duration is taken from: the newest ones, since what is installed changes. */
const sample = 5;

/**
 * Seconds that a build takes as a rule: the median of the newest that succeeded.
 *
 * @param history newest first
 * @returns undefined where none was recorded
 */
export function usualSeconds(history: readonly UpdateRecord[], image: string, platform: string): number | undefined {
    const seconds = history
        .flatMap(({ images }) => images)
        .filter((one) => one.kind === "build" && one.image === image && one.platform === platform)
        .filter(({ result, operation }) => result === "succeeded" && operation !== "delete")
        .slice(0, sample)
        .map((one) => one.seconds)
        .sort((a, b) => a - b);
    const middle = seconds.length / 2;
    const [low, high] = [seconds[Math.ceil(middle) - 1], seconds[Math.floor(middle)]];
    return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

const certain: readonly Action[] = ["rebuild", "recreate"];
const possible: readonly Action[] = [...certain, "maybe"];

/** Seconds of the longest chain of builds: platforms and siblings run side by side, children after their parents. */
function longest(images: readonly ImagePlan[], counted: readonly Action[]): number {
    const ends = new Map<string, number>();
    for (const { image, parent, platforms } of images) {
        for (const { platform, action, seconds = 0 } of platforms) {
            const start = ends.get(`${parent ?? ""} ${platform}`) ?? 0;
            ends.set(`${image} ${platform}`, start + (counted.includes(action) ? seconds : 0));
        }
    }
    return Math.max(0, ...ends.values());
}

/** The time that an update would take, if no digest of a pending parent changes and if all do. */
export function expectedTime(images: readonly ImagePlan[]): Expected {
    const unknown = images.filter(({ platforms }) =>
        platforms.some(({ action, seconds }) => possible.includes(action) && seconds === undefined),
    );
    return {
        least: longest(images, certain),
        most: longest(images, possible),
        unknown: unknown.map(({ image }) => image),
    };
}
