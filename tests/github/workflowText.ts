import { parse } from "yaml";
import { passes } from "./paths";

interface Filter {
    readonly branches?: readonly string[];
    readonly paths?: readonly string[];
    readonly workflows?: readonly string[];
}
/** A job, as far as the model reads it. */
export interface JobText {
    readonly if?: string;
    readonly concurrency?: { readonly group: string; readonly "cancel-in-progress"?: boolean };
    readonly steps: readonly {
        readonly uses?: string;
        readonly run?: string;
        readonly with?: Readonly<Record<string, string>>;
    }[];
}
/** A workflow, as far as the model reads it. */
export interface WorkflowText {
    readonly name: string;
    readonly on: { readonly push?: Filter; readonly workflow_run?: Filter; readonly workflow_dispatch?: unknown };
    readonly jobs: Readonly<Record<string, JobText>>;
}
/** A workflow file's text. */
export const readWorkflow = (text: string): WorkflowText => parse(text) as WorkflowText;

/** Whether a job brings every image up to date. */
export const promotes = ({ steps }: JobText): boolean =>
    steps.some(({ run }) => run?.startsWith("npm run --silent up "));

/** Dockerfile that a job builds and pushes by itself. */
export const builds = ({ steps }: JobText): string | undefined =>
    steps.find(({ uses }) => uses?.startsWith("docker/build-push-action@"))?.with?.file;

/** Whether a push of `paths` to `branch` starts a workflow. */
export const startsOnPush = ({ on: { push } }: WorkflowText, branch: string, paths: readonly string[]): boolean =>
    (push?.branches?.includes(branch) ?? false) && (push?.paths === undefined || passes(push.paths, paths));

/** Whether the completion of a run of workflow `name` on `branch`, whatever its result, starts a workflow. */
export const followsRun = ({ on: { workflow_run: filter } }: WorkflowText, name: string, branch: string): boolean =>
    (filter?.workflows?.includes(name) ?? false) && (filter?.branches?.includes(branch) ?? true);
