import { parse } from "yaml";
import { passes } from "./paths";

interface Filter {
    readonly branches?: readonly string[];
    readonly paths?: readonly string[];
    readonly workflows?: readonly string[];
}
interface ConcurrencyText {
    readonly group: string;
    readonly "cancel-in-progress"?: boolean;
    readonly queue?: "single" | "max";
}
/** The fields of a job that the model reads. */
export interface JobText {
    readonly if?: string;
    readonly needs?: string | readonly string[];
    readonly concurrency?: ConcurrencyText;
    readonly steps: readonly {
        readonly uses?: string;
        readonly run?: string;
        readonly with?: Readonly<Record<string, string>>;
        readonly env?: Readonly<Record<string, string>>;
    }[];
}
/** The fields of a workflow that the model reads. */
export interface WorkflowText {
    readonly name: string;
    readonly on: { readonly push?: Filter; readonly workflow_run?: Filter; readonly workflow_dispatch?: unknown };
    /** Of a run as a whole. */
    readonly concurrency?: ConcurrencyText;
    readonly jobs: Readonly<Record<string, JobText>>;
}
/** Parses the text of a workflow file. */
export const readWorkflow = (text: string): WorkflowText => parse(text) as WorkflowText;

/** Returns whether a job updates every image. */
export const promotes = ({ steps }: JobText): boolean =>
    steps.some(({ run }) => run?.startsWith("npm run --silent up "));

/** Returns the keys of the jobs that a job needs. */
export const needsOf = ({ needs = [] }: JobText): readonly string[] => (typeof needs === "string" ? [needs] : needs);

/** Returns the stack that a job updates; undefined if it updates none. */
export const stackOf = ({ steps }: JobText): string | undefined =>
    steps.flatMap(({ env }) => /'([\w-]+)' \}\}$/.exec(env?.PULUMI_STACK ?? "")?.[1] ?? [])[0];

/** Returns the Dockerfile that a job builds and pushes directly; undefined if the job has no such step. */
export const builds = ({ steps }: JobText): string | undefined =>
    steps.find(({ uses }) => uses?.startsWith("docker/build-push-action@"))?.with?.file;

/** Returns whether a push of `paths` to `branch` starts a workflow. */
export const startsOnPush = ({ on: { push } }: WorkflowText, branch: string, paths: readonly string[]): boolean =>
    (push?.branches?.includes(branch) ?? false) && (push?.paths === undefined || passes(push.paths, paths));

/** Returns whether a completed run of workflow `name` on `branch` starts a workflow, regardless of the run's result. */
export const followsRun = ({ on: { workflow_run: filter } }: WorkflowText, name: string, branch: string): boolean =>
    (filter?.workflows?.includes(name) ?? false) && (filter?.branches?.includes(branch) ?? true);
