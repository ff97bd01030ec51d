import { textOf, type Step, sameWhereKnown, withoutParts, leftovers } from "../engine/preview";
import {
    type SecretReader,
    commandType,
    componentTypes,
    devcontainerName,
    githubKind,
    githubTypes,
    isInside,
    readWorkflowFiles,
    readerOf,
    stackReferenceType,
    textIn,
} from "../engine/resources";
import { imageVariable } from "../github/names";
import { placeOf } from "./causes";
import { isDeployment } from "./deployments";
import { changes, groups, isGone } from "./groups";
import { hasOtherSources } from "./inAnyCase";

/** A pending change on GitHub. For secrets only the names. */
export interface RepositoryPlan {
    readonly kind: "secret" | "variable" | "file" | "branch" | "pull request";
    readonly name: string;
    /** `maybe`: only if an image's digest changes. */
    readonly action: "create" | "update" | "delete" | "maybe";
}

/**
 * Whether an update would change a resource outside the state: components, adopted files and references to other stacks are bookkeeping of
 * the state.
 */
const isWork = (step: Step): boolean =>
    changes(step) && (step.new ?? step.old)?.custom !== false && step.type !== stackReferenceType && !isTakenOver(step);

/** Whether an update would make any change; false right after a successful update. */
export const hasWork = (steps: readonly Step[]): boolean => steps.some(isWork);

const words: Readonly<Record<string, string>> = {
    create: "create",
    import: "import",
    delete: "delete",
    discard: "forget",
    replace: "replace",
};

/**
 * Returns messages about changes to resources that the user added to the program: they belong neither to images nor to
 * GitHub.
 */
export function otherWork(steps: readonly Step[]): string[] {
    const imageSteps = new Set(
        groups(steps).flatMap(({ builds, tests, index, otherIndexes, commands }) => [
            ...[...builds, ...tests, ...otherIndexes, ...commands],
            ...(index ? [index] : []),
        ]),
    );
    const otherSteps = withoutParts(steps).filter(
        (step) => isWork(step) && !imageSteps.has(step) && !isOnGitHub(step) && !isDeployment(step),
    );
    return [
        ...otherSteps.map((step) =>
            step.type === commandType && step.name === devcontainerName && !isGone(step)
                ? "an update would also build the devcontainer into the Docker of its machine"
                : `an update would also ${words[step.op] ?? "update"} ${step.name} (${step.type}), which this review can't explain`,
        ),
        ...leftovers(steps).map(({ name, type, old: before }) => {
            const [verb, rest] = before?.retainOnDelete ? ["forget", "; what was published stays"] : ["delete", ""];
            return `an update would also ${verb} ${name} (${type}) as it was before an earlier update replaced it${rest}`;
        }),
    ];
}

/** Returns the suffix of a secret's name, which tells its reader. */
function readerSuffix(reader: SecretReader): string {
    const titles: Readonly<Record<string, string>> = { dependabot: "Dependabot", codespaces: "Codespaces" };
    return reader === "actions" ? "" : ` (${titles[reader] ?? reader})`;
}

/**
 * Returns the keys of the images whose promoted digest certainly changes: because their repository changes, or the
 * builds of an index.
 */
export function movedImages(steps: readonly Step[]): ReadonlySet<string> {
    const moved = groups(steps).filter((group) => {
        const { old: before, new: after } = group.index ?? {};
        if (!before || !after) return false;
        const [from, to] = [before, after].map((state) => placeOf(textOf(state, "tag")));
        return from !== to || hasOtherSources(group);
    });
    return new Set(moved.map(({ image }) => image));
}

function actionOf(step: Step, moved: ReadonlySet<string>): RepositoryPlan["action"] {
    const { op, old: before, new: after } = step;
    if (op === "delete" || op === "discard") return "delete";
    // An open pull request that left the state is adopted again.
    if (op === "import") return "update";
    if (op === "create" || !before || !after) return "create";
    const isOpen = sameWhereKnown(before.inputs, after.inputs) && !sameWhereKnown(after.inputs, before.inputs);
    return isOpen && !moved.has(textIn(after.inputs.variableName) ?? "") ? "maybe" : "update";
}

/**
 * Returns the steps without an undecided delivery of workflow files: the preview could not query GitHub, so an open
 * pull request is missing from its program and looks as if it were going to be deleted. An update is refused in this
 * case.
 */
export function decidedSteps(steps: readonly Step[]): readonly Step[] {
    const wanted = readWorkflowFiles(steps.flatMap(({ new: after }) => after ?? []));
    return wanted?.isUndecided ? steps.filter(({ urn }) => !isInside(urn, componentTypes.workflowFiles)) : steps;
}

/**
 * Whether a step only adopts a file into the state that the branch already has with the desired content: GitHub is not
 * changed.
 */
const isTakenOver = ({ op, type }: Step): boolean => op === "import" && type === githubTypes.file;

/** Whether a plan lists a resource as a resource on GitHub. */
const isOnGitHub = ({ type }: Step): boolean => githubKind(type) !== undefined;

/**
 * Returns the changes that an update would make on GitHub.
 *
 * @param open images whose promoted digest may change although the engine does not know it, because the registry lost a
 *     build
 */
export function planRepository(steps: readonly Step[], open: ReadonlySet<string> = new Set()): RepositoryPlan[] {
    const moved = new Set([...movedImages(steps)].map(imageVariable));
    const following = new Set([...open].map(imageVariable));
    const found = withoutParts(steps).flatMap((step): RepositoryPlan[] => {
        if (isTakenOver(step)) return [];
        const { kind, nameInput = "" } = githubKind(step.type) ?? {};
        if (kind === undefined) return [];
        const { inputs = {} } = step.new ?? step.old ?? {};
        const reader = readerOf({ type: step.type, inputs }) ?? "actions";
        const name = textIn(inputs[nameInput]) ?? step.name;
        const follows = kind === "variable" && following.has(name);
        if (!changes(step) && !follows) return [];
        const action = changes(step) ? actionOf(step, moved) : "maybe";
        return [{ kind, name: `${name}${readerSuffix(reader)}`, action }];
    });
    const keyOf = ({ kind, name }: RepositoryPlan) => `${kind} ${name}`;
    return found.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
