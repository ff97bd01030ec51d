import { listOf, type Step, withoutParts } from "../engine/preview";
import { componentTypes, dockerTypes, isSmokeTest } from "../engine/resources";

/** The resources of one image. */
export interface Group {
    readonly image: string;
    readonly component: Step;
    readonly builds: readonly Step[];
    readonly tests: readonly Step[];
    readonly index: Step | undefined;
}

/** Whether an update would do something with a resource. */
export const changes = (step: Step | undefined): boolean =>
    step !== undefined && step.op !== "same" && step.op !== "read";

/** Whether a resource leaves the stack. */
export const isGone = ({ op }: Step): boolean => op === "delete" || op === "discard";

/** The platform of a build or smoke test. */
export const platformOf = ({ new: after, old: before }: Step): string => listOf(after ?? before, "platforms")[0] ?? "";

const isTest = ({ new: after, old: before }: Step): boolean => isSmokeTest((after ?? before)?.inputs ?? {});

/** The resources of each image, in the order in which an update makes the images. */
export function groups(all: readonly Step[]): Group[] {
    const steps = withoutParts(all);
    return steps
        .filter(({ type }) => type === componentTypes.image)
        .map((component) => {
            const own = steps.filter(({ parent, type }) => type === dockerTypes.image && parent === component.name);
            return {
                image: component.name,
                component,
                builds: own.filter((step) => !isTest(step)),
                tests: own.filter(isTest),
                index: steps.find(({ type, name }) => type === dockerTypes.index && name === component.name),
            };
        });
}
