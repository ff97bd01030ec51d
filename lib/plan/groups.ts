import { listOf, type Step, withoutParts } from "../engine/preview";
import { commandType, componentTypes, dockerTypes, isMainTag, isSmokeTest } from "../engine/resources";

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
    return steps
        .filter(({ type }) => type === componentTypes.image)
        .map((component) => {
            const imageSteps = steps.filter(
                ({ parent, type }) => type === dockerTypes.image && parent === component.name,
            );
            const image = component.name;
            const promoted = steps.filter(({ parent }) => parent === image);
            const isMain = ({ name }: Step) => isMainTag({ name, image });
            return {
                image,
                component,
                builds: imageSteps.filter((step) => !isTest(step)),
                tests: imageSteps.filter(isTest),
                index: steps.find((step) => step.type === dockerTypes.index && isMain(step)),
                otherIndexes: promoted.filter((step) => step.type === dockerTypes.index && !isMain(step)),
                commands: promoted.filter(({ type }) => type === commandType),
            };
        });
}
