import type { RepositoryPlan } from "./plan";
import { type Step, sameWhereKnown } from "./preview";

/** What a resource type of the GitHub provider is called, and which of its inputs names it. */
const kinds: Readonly<Record<string, readonly [RepositoryPlan["kind"], string]>> = {
    "github:index/actionsSecret:ActionsSecret": ["secret", "secretName"],
    "github:index/dependabotSecret:DependabotSecret": ["secret", "secretName"],
    "github:index/codespacesSecret:CodespacesSecret": ["secret", "secretName"],
    "github:index/actionsVariable:ActionsVariable": ["variable", "variableName"],
    "github:index/repositoryFile:RepositoryFile": ["file", "file"],
    "github:index/branch:Branch": ["branch", "branch"],
    "github:index/repositoryPullRequest:RepositoryPullRequest": ["pull request", "title"],
};

/** Who reads a secret beside the repository's workflows. */
const readers: Readonly<Record<string, string>> = {
    "github:index/dependabotSecret:DependabotSecret": " (Dependabot)",
    "github:index/codespacesSecret:CodespacesSecret": " (Codespaces)",
};

function actionOf({ op, old: before, new: after }: Step): RepositoryPlan["action"] {
    if (op === "delete" || op === "discard") return "delete";
    if (op === "create" || !before || !after) return "create";
    const isOpen = sameWhereKnown(before.inputs, after.inputs) && !sameWhereKnown(after.inputs, before.inputs);
    return isOpen ? "maybe" : "update";
}

/** What an update would change on GitHub. */
export function planRepository(steps: readonly Step[]): RepositoryPlan[] {
    // A replacement is three steps; the first of them says it.
    const replaced = /^(create-replacement|delete-replaced)$/;
    const found = steps.flatMap((step): RepositoryPlan[] => {
        const [kind, property] = kinds[step.type] ?? [];
        if (kind === undefined || property === undefined || step.op === "same" || step.op === "read") return [];
        if (replaced.test(step.op)) return [];
        const name = (step.new ?? step.old)?.inputs[property];
        const said = typeof name === "string" ? name : step.name;
        return [{ kind, name: `${said}${readers[step.type] ?? ""}`, action: actionOf(step) }];
    });
    const keyOf = ({ kind, name }: RepositoryPlan) => `${kind} ${name}`;
    return found.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
