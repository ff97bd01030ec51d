import type { Action, Expected, ImagePlan } from "./plan";

const certain: readonly Action[] = ["rebuild", "recreate"];
const possible: readonly Action[] = [...certain, "maybe"];

/** Seconds that a smoke test or promotion takes; 0 where none was recorded. */
export type OtherSeconds = (kind: "test" | "promotion", image: string, platform?: string) => number;

/**
 * Seconds of the longest chain of work. Platforms and siblings run side by side; a child's build waits for its parents' builds,
 * a test for its build, and a promotion for the tests of all platforms and the parents' promotions.
 */
function longest(images: readonly ImagePlan[], counted: readonly Action[], other: OtherSeconds): number {
    const built = new Map<string, number>();
    const promoted = new Map<string, number>();
    for (const { image, parent = "", copiesFrom = [], action: whole, platforms, inAnyCase = [] } of images) {
        const parents = [parent, ...copiesFrom];
        const isTested = whole === "retest" || inAnyCase.includes("test");
        const tested = platforms.map(({ platform, action, seconds = 0 }) => {
            const start = Math.max(...parents.map((key) => built.get(`${key} ${platform}`) ?? 0));
            const isBuilt = counted.includes(action);
            const end = start + (isBuilt ? seconds : 0);
            built.set(`${image} ${platform}`, end);
            return end + (isBuilt || isTested ? other("test", image, platform) : 0);
        });
        const isTagged = whole === "retag" || inAnyCase.includes("promotion");
        const isPromoted = isTagged || platforms.some(({ action }) => counted.includes(action));
        const start = Math.max(0, ...tested, ...parents.map((key) => promoted.get(key) ?? 0));
        promoted.set(image, start + (isPromoted ? other("promotion", image) : 0));
    }
    return Math.max(0, ...promoted.values());
}

/**
 * The time that an update would take, if no digest of a pending parent changes and if all do. Tests and promotions count
 * wherever something is built; if its digest stays, they take no time either.
 */
export function expectedTime(images: readonly ImagePlan[], other: OtherSeconds = () => 0): Expected {
    const unknown = images.filter(({ platforms }) =>
        platforms.some(({ action, seconds }) => possible.includes(action) && seconds === undefined),
    );
    return {
        least: longest(images, certain, other),
        most: longest(images, possible, other),
        unknown: unknown.map(({ image }) => image),
    };
}
