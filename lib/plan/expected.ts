import type { Action, Expected, ImagePlan } from "./plan";

const certain: readonly Action[] = ["rebuild", "recreate"];
const possible: readonly Action[] = [...certain, "maybe"];

/** Seconds of the longest chain of builds: platforms and siblings run side by side, children after their parents. */
function longest(images: readonly ImagePlan[], counted: readonly Action[]): number {
    const ends = new Map<string, number>();
    for (const { image, parent, copiesFrom = [], platforms } of images) {
        for (const { platform, action, seconds = 0 } of platforms) {
            const start = Math.max(...[parent, ...copiesFrom].map((key) => ends.get(`${key ?? ""} ${platform}`) ?? 0));
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
