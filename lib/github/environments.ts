import { z } from "zod";
import { InputError } from "../errors";
import { type Change, type GitHubTarget, ask, list } from "./api";
import { setupPermissions } from "./permissions";
import { inRepository, parse } from "./repository";

/* The environments of a repository's jobs: docs.github.com/rest/deployments/environments. */

/** The environments in which the workflows' jobs run. */
export const environmentNames = { up: "up", review: "review", preview: "preview" } as const;

/** One of them. `preview` is that of the stacks of pull requests, which not every repository has. */
export type EnvironmentName = keyof typeof environmentNames;

const ruleSchema = z.object({
    type: z.string(),
    wait_timer: z.int().optional(),
    prevent_self_review: z.boolean().optional(),
    reviewers: z.array(z.object({ type: z.enum(["User", "Team"]), reviewer: z.object({ id: z.int() }) })).optional(),
});
const environmentSchema = z.object({
    protection_rules: z.array(ruleSchema).default([]),
    deployment_branch_policy: z.object({ protected_branches: z.boolean() }).nullable().default(null),
});
const patternsSchema = z.array(z.object({ name: z.string(), type: z.enum(["branch", "tag"]).default("branch") }));

/** An environment on GitHub. */
export interface Environment {
    /** Who may use it: every branch, branches with a protection rule, or branches and tags ("tag v*") that match one of these patterns. */
    readonly branches: "every" | "protected" | readonly string[];
    /** The other rules, in the form in which GitHub takes them: a change of one resets those that it does not name. */
    readonly rules: {
        readonly wait_timer?: number;
        readonly prevent_self_review?: boolean;
        readonly reviewers?: readonly { readonly type: "User" | "Team"; readonly id: number }[];
    };
}

const environmentPath = (target: GitHubTarget, name: string, rest = "") =>
    inRepository(target, `/environments/${encodeURIComponent(name)}${rest}`);
const policies = "/deployment-branch-policies";

/**
 * Reads an environment; undefined if it does not exist.
 *
 * @throws InputError if the token is refused
 * @throws UnreachableError if GitHub does not answer
 */
export async function readEnvironment(target: GitHubTarget, name: string): Promise<Environment | undefined> {
    const what = `read the environment ${name}`;
    const { body } = await ask(target, environmentPath(target, name), what);
    if (body === undefined) return undefined;
    const { protection_rules: found, deployment_branch_policy: policy } = parse(environmentSchema, body, what);
    const rules = Object.assign(
        {},
        ...found.map(({ wait_timer, prevent_self_review, reviewers }) => ({
            ...(wait_timer !== undefined && { wait_timer }),
            ...(prevent_self_review !== undefined && { prevent_self_review }),
            ...(reviewers && { reviewers: reviewers.map(({ type, reviewer }) => ({ type, id: reviewer.id })) }),
        })),
    ) as Environment["rules"];
    if (policy === null) return { branches: "every", rules };
    if (policy.protected_branches) return { branches: "protected", rules };
    const patterns = await list(target, environmentPath(target, name, policies), what);
    return {
        branches: parse(patternsSchema, patterns, what).map((one) =>
            one.type === "tag" ? `tag ${one.name}` : one.name,
        ),
        rules,
    };
}

/** Returns what is wrong with the environment of `up`; undefined if only the branch that is built may use it. */
export function restrictionProblem(environment: Environment | undefined, branch: string): string | undefined {
    if (!environment)
        return "it does not exist: GitHub creates it when a job first uses it, and then every branch may use it";
    const { branches } = environment;
    if (branches === "protected") return undefined;
    if (branches === "every") return `every branch may use it and read its secrets, instead of ${branch} alone`;
    const others = branches.filter((pattern) => pattern !== branch);
    if (others.length > 0) return `${others.join(", ")} may use it too, instead of ${branch} alone`;
    return branches.length === 0 ? `branch ${branch} may not use it` : undefined;
}

/** The answer 404 to a change: GitHub does not tell who may not administer a repository that there is anything to change. */
export const notAdministered = (what: string): InputError =>
    new InputError({
        problem: `GitHub does not let this token ${what}: it answers that there is no such thing`,
        next: `use the token of a person who may administer the repository, with ${setupPermissions}`,
    });

/**
 * Creates an environment if it does not exist, and with `branch` lets that branch use it, and no others except those that a pattern
 * already allows. Its other rules stay. Throws the errors of `ask`, and an InputError if GitHub hides the environment from the token.
 */
export async function ensureEnvironment(target: GitHubTarget, name: string, branch?: string): Promise<void> {
    const set = async (what: string, rest: string, change: Change) => {
        const { status } = await ask(target, environmentPath(target, name, rest), what, change);
        if (status === 404) throw notAdministered(what);
    };
    const found = await readEnvironment(target, name);
    const isOpen = branch !== undefined && (!found || found.branches === "every");
    if (!found || isOpen) {
        const policy = branch === undefined ? null : { protected_branches: false, custom_branch_policies: true };
        const body = { ...found?.rules, deployment_branch_policy: policy };
        await set(`create the environment ${name}`, "", { method: "PUT", body });
    }
    const branches = isOpen ? [] : found?.branches;
    if (branch === undefined || !Array.isArray(branches) || branches.includes(branch)) return;
    const body = { name: branch, type: "branch" };
    await set(`restrict the environment ${name}`, policies, { method: "POST", body });
}
