import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { repositoryRoot } from "../../lib/system/paths";
import { type Values, expressions } from "./expressions";

interface Step {
    readonly id?: string;
    readonly run?: string;
    readonly env?: Readonly<Record<string, string>>;
}

/** A step of a workflow, as the runner has it: what it runs, and the environment of that. */
export interface RunStep {
    readonly command: string;
    /** Arguments of the command: `bash` as GitHub starts it for `shell: bash`. */
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
}

/**
 * A step of this repository's workflows that runs a command.
 *
 * @param file its workflow: "deploy.yml"
 * @param id the step's
 * @param contexts what its expressions see; what is missing there is empty, as on GitHub
 */
export async function runStep(file: string, id: string, contexts: Values = {}): Promise<RunStep> {
    const text = readFileSync(path.join(repositoryRoot, ".github", "workflows", file), "utf8");
    const { jobs } = parse(text) as { jobs: Readonly<Record<string, { steps: readonly Step[] }>> };
    const step = Object.values(jobs)
        .flatMap(({ steps }) => steps)
        .find((one) => one.id === id);
    if (step?.run === undefined) throw new Error(`no step ${id} of ${file} runs a command`);
    const { expand } = await expressions();
    const known = { vars: {}, secrets: {}, steps: {}, inputs: {}, github: {}, ...contexts };
    const env = Object.entries(step.env ?? {}).map(([name, value]) => [name, expand(value, known)] as const);
    const options = ["--noprofile", "--norc", "-e", "-o", "pipefail"];
    return { command: "bash", args: [...options, "-c", step.run], env: Object.fromEntries(env) };
}
