import type { Workflow } from "./document";

/**
 * Returns the condition that a run belongs to the repository itself and not to a fork, where Actions can be switched on as well: a fork has
 * neither the state nor the secrets, so its runs could only fail. The payload of every event has the repository, also that of a schedule.
 *
 * @param repository "owner/name" of the repository, which may be a fork of another one; undefined if it is not known
 */
export const isOwnRepository = (repository: string | undefined): string =>
    [
        ...(repository === undefined ? [] : [`github.repository == '${repository}'`]),
        "!github.event.repository.fork",
    ].join(" || ");

/** Returns the workflow with all of its jobs skipped unless a condition holds. A job that needs another one is skipped with it. */
export function onlyIf(condition: string, workflow: Workflow): Workflow {
    const jobs = Object.entries(workflow.jobs).map(([key, job]) => {
        if (job.needs !== undefined) return [key, job];
        const { name, if: own, ...rest } = job;
        const either = condition.includes("||") ? `(${condition})` : condition;
        const text = own === undefined ? condition : `${either} && ${String(own)}`;
        // GitHub reads an expression that begins with ! only inside of braces, because ! has a meaning in YAML.
        return [key, { name, if: text.startsWith("!") ? `\${{ ${text} }}` : text, ...rest }];
    });
    return { ...workflow, jobs: Object.fromEntries(jobs) as Workflow["jobs"] };
}
