import { textOf, type Step, sameWhereKnown, withoutParts, leftovers } from "../engine/preview";
import { componentTypes, githubKind, githubTypes, isInside, readWorkflowFiles, textIn } from "../engine/resources";
import { isPinned, repositoryOf } from "../registry/references";
import { placeOf } from "./causes";
import { changes, groups } from "./groups";
import { hasOtherSources } from "./inAnyCase";

/** Something on GitHub that would change. Of secrets the names only. */
export interface RepositoryPlan {
    readonly kind: "secret" | "variable" | "file" | "branch" | "pull request";
    readonly name: string;
    /** `maybe`: only if an image's digest changes. */
    readonly action: "create" | "update" | "delete" | "maybe";
}

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

/** What is added to the name of a secret for who reads it. */
const readers = { actions: "", dependabot: " (Dependabot)", codespaces: " (Codespaces)" } as const;

/** Repositories whose promoted digest certainly becomes another: they move, or an index gets other builds. */
function movedRepositories(steps: readonly Step[]): ReadonlySet<string> {
    const moved = groups(steps).flatMap((group) => {
        const { old: before, new: after } = group.index ?? {};
        if (!before || !after) return [];
        const [from = "", to] = [before, after].map((state) => placeOf(textOf(state, "tag")));
        return from !== to || hasOtherSources(group) ? [from] : [];
    });
    return new Set(moved);
}

/** The repository of what a variable holds, `<repository>@<digest>`; "" where it holds something else. */
function heldBy({ old: before }: Step): string {
    const value = before ? textOf(before, "value") : "";
    return isPinned(value) ? repositoryOf(value) : "";
}

function actionOf(step: Step, moved: ReadonlySet<string>): RepositoryPlan["action"] {
    const { op, old: before, new: after } = step;
    if (op === "delete" || op === "discard") return "delete";
    // An open pull request that left the state is taken up again.
    if (op === "import") return "update";
    if (op === "create" || !before || !after) return "create";
    const isOpen = sameWhereKnown(before.inputs, after.inputs) && !sameWhereKnown(after.inputs, before.inputs);
    return isOpen && !moved.has(heldBy(step)) ? "maybe" : "update";
}

/**
 * The steps without those on a delivery of workflow files that the preview could not decide, because it could not ask GitHub: what
 * is open there is not in its program, and looks as if it were going to be deleted. An update is refused instead.
 */
export function decidedSteps(steps: readonly Step[]): readonly Step[] {
    const wanted = readWorkflowFiles(steps.flatMap(({ new: after }) => after ?? []));
    return wanted?.isUndecided ? steps.filter(({ urn }) => !isInside(urn, componentTypes.workflowFiles)) : steps;
}

/** Whether a step only takes a file into the state that the branch has just as it is wanted: nothing changes on GitHub. */
export const isTakenOver = ({ op, type }: Step): boolean => op === "import" && type === githubTypes.file;

/** Whether a plan has words for a resource as something on GitHub. */
export const isOnGitHub = ({ type }: Step): boolean => githubKind(type) !== undefined;

/**
 * What an update would change on GitHub.
 *
 * @param open repositories whose promoted digest may become another although the engine knows nothing of it: they lost a build
 */
export function planRepository(steps: readonly Step[], open: ReadonlySet<string> = new Set()): RepositoryPlan[] {
    const moved = movedRepositories(steps);
    const found = withoutParts(steps).flatMap((step): RepositoryPlan[] => {
        if (isTakenOver(step)) return [];
        const { kind, nameInput = "", reader = "actions" } = githubKind(step.type) ?? {};
        if (kind === undefined) return [];
        const follows = kind === "variable" && open.has(heldBy(step));
        if (!changes(step) && !follows) return [];
        const name = textIn((step.new ?? step.old)?.inputs[nameInput]) ?? step.name;
        const action = changes(step) ? actionOf(step, moved) : "maybe";
        return [{ kind, name: `${name}${readers[reader]}`, action }];
    });
    const keyOf = ({ kind, name }: RepositoryPlan) => `${kind} ${name}`;
    return found.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
