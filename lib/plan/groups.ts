import { listOf, type Step, withoutParts } from "../engine/preview";
import { commandType, componentTypes, dockerTypes, isMainTag, isSmokeTest, promotionNames } from "../engine/resources";

/** The resources of one image. */
export interface Group {
    readonly image: string;
    readonly component: Step;
    readonly builds: readonly Step[];
    readonly tests: readonly Step[];
    /** The index under the tag of the image's name. */
    readonly index: Step | undefined;
    /** The indexes under its other tags, in all repositories: releases and tags that move. */
    readonly otherIndexes: readonly Step[];
    /** The commands that add tags to a release, one per repository. */
    readonly commands: readonly Step[];
}

/** Groups by image: two if an image leaves the stack at one place and comes back at another. */
export type GroupsByImage = ReadonlyMap<string, readonly Group[]>;

/** Returns the groups by image. */
export function groupsByImage(all: readonly Group[]): GroupsByImage {
    const byImage = new Map<string, Group[]>();
    for (const group of all) {
        const others = byImage.get(group.image);
        if (others) others.push(group);
        else byImage.set(group.image, [group]);
    }
    return byImage;
}

/** Whether an update would change a resource. */
export const changes = (step: Step | undefined): boolean =>
    step !== undefined && step.op !== "same" && step.op !== "read";

/** Whether a resource leaves the stack. */
export const isGone = ({ op }: Step): boolean => op === "delete" || op === "discard";

/** Returns the platform of a build or smoke test. */
export const platformOf = ({ new: after, old: before }: Step): string => listOf(after ?? before, "platforms")[0] ?? "";

const isTest = ({ new: after, old: before }: Step): boolean => isSmokeTest((after ?? before)?.inputs ?? {});

/** Groups the steps of a preview by image, in the order in which an update creates the images. */
export function groups(previewSteps: readonly Step[]): Group[] {
    const steps = withoutParts(previewSteps);
    const byParent = new Map<string | undefined, Step[]>();
    const indexes = new Map<string, Step[]>();
    const add = <Key>(lists: Map<Key, Step[]>, key: Key, step: Step) => {
        const list = lists.get(key);
        if (list) list.push(step);
        else lists.set(key, [step]);
    };
    for (const step of steps) {
        add(byParent, step.parent, step);
        if (step.type === dockerTypes.index) add(indexes, step.name, step);
    }
    return steps
        .filter(({ type }) => type === componentTypes.image)
        .map((component) => {
            const image = component.name;
            const promoted = byParent.get(image) ?? [];
            const imageSteps = promoted.filter(({ type }) => type === dockerTypes.image);
            const isMain = ({ name }: Step) => isMainTag({ name, image });
            return {
                image,
                component,
                builds: imageSteps.filter((step) => !isTest(step)),
                tests: imageSteps.filter(isTest),
                index: (indexes.get(promotionNames(image).main) ?? [])[0],
                otherIndexes: promoted.filter((step) => step.type === dockerTypes.index && !isMain(step)),
                commands: promoted.filter(({ type }) => type === commandType),
            };
        });
}
