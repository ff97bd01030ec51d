import path from "node:path";
import { parse } from "yaml";
import type { Job, Step } from "../../workflows/document";
import type { World } from "./world";

/** A workflow file, as far as tests look at it. */
export interface ParsedWorkflow {
    readonly name: string;
    readonly on: Readonly<Record<string, unknown>>;
    readonly permissions: unknown;
    readonly jobs: Readonly<Record<string, Job>>;
}

/** Reads the generated files of a repository: its workflows by file name, and all jobs and steps with the place where they are. */
export function readFiles({ files }: Pick<World, "files">) {
    const texts = Object.entries(files).filter(([file]) => file.startsWith(".github/workflows/"));
    const workflows = new Map(texts.map(([file, text]) => [path.basename(file), parse(text) as ParsedWorkflow]));
    const jobs = [...workflows].flatMap(([file, workflow]) =>
        Object.entries(workflow.jobs).map(([key, job]) => ({
            where: `${file} ${key}`,
            file,
            key,
            job,
            steps: job.steps ?? [],
        })),
    );
    const steps = jobs.flatMap(({ where, steps }) =>
        steps.map((step: Step) => ({ where: `${where} ${step.name ?? ""}`, step })),
    );
    return { texts, workflows, jobs, steps };
}
