import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../../lib/system/paths";
import { type Values, expressions } from "./expressions";

interface Step {
    readonly id?: string;
    readonly run?: string;
    readonly env?: Readonly<Record<string, string>>;
}

/** A workflow step as the runner executes it: the command and its environment. */
export interface RunStep {
    readonly command: string;
    /** Arguments of the command, as GitHub starts `bash` for `shell: bash`. */
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns a step of this repository's workflows that runs a command.
 *
 * @param file name of the workflow file, such as "deploy.yml"
 * @param id ID of the step
 * @param contexts contexts for the step's expressions; missing contexts are empty, as on GitHub
 * @throws Error if no such step runs a command
 */
export async function runStep(file: string, id: string, contexts: Values = {}): Promise<RunStep> {
    const text = readFileSync(path.join(packageRoot, ".github", "workflows", file), "utf8");
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
