import { changes, groups } from "./groups";
import { type Step, leftovers, withoutParts } from "../engine/preview";
import { isOnGitHub, isTakenOver } from "./repository";

/** Whether an update would do something with a resource. A component, and what is taken over, is the state's own bookkeeping. */
const isWork = (step: Step): boolean => changes(step) && (step.new ?? step.old)?.custom !== false && !isTakenOver(step);

/** Whether an update would do anything: right after one that succeeded, the next one would not. */
export const hasWork = (steps: readonly Step[]): boolean => steps.some(isWork);

const words: Readonly<Record<string, string>> = {
    create: "create",
    import: "import",
    delete: "delete",
    discard: "forget",
    replace: "replace",
};

/** What an update would do with resources of which images and GitHub say nothing: those that somebody added to the program. */
export function otherWork(steps: readonly Step[]): string[] {
    const said = new Set(
        groups(steps).flatMap(({ builds, tests, index }) => [...builds, ...tests, ...(index ? [index] : [])]),
    );
    const others = withoutParts(steps).filter((step) => isWork(step) && !said.has(step) && !isOnGitHub(step));
    return [
        ...others.map(
            ({ op, name, type }) =>
                `an update would also ${words[op] ?? "update"} ${name} (${type}), of which this review knows no more`,
        ),
        ...leftovers(steps).map(
            ({ name, type }) =>
                `an update would also delete ${name} (${type}) as it was before an earlier one replaced it`,
        ),
    ];
}
