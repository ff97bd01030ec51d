import { ciStack } from "../../lib/engine/stacks";
import type { Expressions, Values } from "./expressions";
import { type Commit, type Event, type ModelImage, Registry } from "./repository";
import {
    type JobText,
    type WorkflowText,
    builds,
    followsRun,
    needsOf,
    promotes,
    stackOf,
    startsOnPush,
} from "./workflowText";

/** What GitHub says of a run that has ended. */
export type Conclusion = "success" | "failure" | "cancelled" | "skipped";

interface Run {
    readonly id: number;
    readonly workflow: WorkflowText;
    readonly commit: Commit;
    readonly jobs: Job[];
    /** The group that it holds as a whole, from its first job to its end. */
    readonly group: string | undefined;
    /** Whether it holds that group. */
    holds: boolean;
    /** Set when all jobs have ended. */
    conclusion?: Conclusion;
}

/** How many jobs of a group may wait with `queue: max` (docs.github.com, "Control the concurrency of workflows and jobs"). */
const longestQueue = 100;

/** Returns the conclusion of a run from its jobs, which have all ended. */
function concluded(jobs: readonly Job[]): Conclusion {
    const some = (state: Job["state"]) => jobs.some((job) => job.state === state);
    if (some("failed")) return "failure";
    if (some("cancelled")) return "cancelled";
    return some("done") ? "success" : "skipped";
}

/** A job that builds or promotes images, or that such a job needs; the model contains no other jobs. */
export interface Job {
    readonly run: Run;
    readonly key: string;
    readonly text: JobText;
    readonly group: string | undefined;
    state: "queued" | "pending" | "running" | "done" | "failed" | "cancelled" | "skipped";
    /** Commit that the job checked out; set when the job starts to run. */
    commit?: Commit;
    /** The `latest` that its `FROM` resolved to, if it builds an image from a `latest`; set when the job starts. */
    parent?: string | undefined;
}

/**
 * A small model of GitHub: which runs an event starts (push with branches and paths, completion of another workflow,
 * dispatch), and the concurrency of jobs (one job of a group runs, one is pending, a newer job replaces the pending
 * job; with `queue: max` up to 100 are pending, and begin in the order in which they entered; a job enters its group
 * before its `if` is evaluated). A queued job may take any time to enter its group: the order is not guaranteed.
 */
export class Model {
    readonly jobs: Job[] = [];
    /** Jobs that ran to completion, in order of completion. */
    readonly ended: Job[] = [];
    readonly registry: Registry;
    /** All runs, in the order of their starts. */
    readonly runs: Run[] = [];
    /** Pending jobs, in the order in which they entered their groups. */
    private waiting: Job[] = [];
    private readonly heads: Record<string, Commit>;
    private version = 0;

    constructor(
        private readonly workflows: readonly WorkflowText[],
        images: Readonly<Record<string, ModelImage>>,
        private readonly expressions: Expressions,
        /** Whether the repository is a fork, of a repository with these workflows. */
        private readonly isFork = false,
    ) {
        this.heads = { main: { branch: "main", files: {} } };
        this.registry = new Registry(images, this.head("main"));
    }

    head(branch: string): Commit {
        return this.heads[branch] ?? { branch, files: this.heads.main?.files ?? {} };
    }

    /** Returns whether every `latest` matches the head of main. */
    isConverged(): boolean {
        return this.registry.isConvergedOn(this.head("main"));
    }

    /** Applies a push of changed files, or a dispatch of a workflow by its name. */
    happen(event: Event): void {
        if ("push" in event) this.push(event.push, event.branch);
        else this.dispatch(event.dispatch, event.branch);
    }

    /** Returns the jobs that can change state: queued jobs can enter their group, running jobs can end. */
    movable(): Job[] {
        const isReady = ({ run, text }: Job) =>
            run.jobs.every(({ key, state }) => state === "done" || !needsOf(text).includes(key));
        return this.jobs.filter((job) => job.state === "running" || (job.state === "queued" && isReady(job)));
    }

    /** Moves a job of `movable` to its next state; `ok` is the result of a running job. */
    move(job: Job, ok = true): void {
        const others = this.jobs.filter((one) => job.group !== undefined && one.group === job.group);
        if (job.state === "running") {
            this.finish(job, ok);
        } else if (others.some(({ state, run }) => state === "running" || run.holds)) {
            this.wait(job);
        } else {
            this.begin(job);
        }
    }

    /** Cancels a job, as a person does. */
    cancel(job: Job): void {
        this.close(job, "cancelled");
    }

    private wait(job: Job): void {
        const before = this.waiting.filter(({ group }) => group === job.group);
        const { queue } = job.text.concurrency ?? job.run.workflow.concurrency ?? {};
        if (queue === "max" && before.length >= longestQueue) {
            this.close(job, "cancelled");
            return;
        }
        job.state = "pending";
        this.waiting.push(job);
        if (queue !== "max") for (const other of before) this.close(other, "cancelled");
    }

    private push(paths: readonly string[], branch: string): void {
        this.version += 1;
        const changed = Object.fromEntries(paths.map((file) => [file, this.version]));
        this.heads[branch] = { branch, files: { ...this.head(branch).files, ...changed } };
        for (const workflow of this.workflows) {
            if (startsOnPush(workflow, branch, paths)) this.start(workflow, "push", this.head(branch));
        }
    }

    private dispatch(name: string, branch: string): void {
        const workflow = this.workflows.find((one) => one.name === name && "workflow_dispatch" in one.on);
        if (!workflow) throw new Error(`no workflow ${name} can be dispatched`);
        this.start(workflow, "workflow_dispatch", this.head(branch));
    }

    private start(workflow: WorkflowText, event: string, commit: Commit, followed?: Conclusion): void {
        const id = this.runs.length + 1;
        const contexts = this.contexts({ id, workflow, commit }, event, followed);
        const expanded = (text: WorkflowText["concurrency"]) => text && this.expressions.expand(text.group, contexts);
        const run: Run = { id, workflow, commit, jobs: [], group: expanded(workflow.concurrency), holds: false };
        this.runs.push(run);
        const working = Object.values(workflow.jobs).filter((one) => promotes(one) || builds(one) !== undefined);
        const needed = working.flatMap(needsOf);
        for (const [key, text] of Object.entries(workflow.jobs)) {
            if (!working.includes(text) && !needed.includes(key)) continue;
            // The first job of a run enters the group of the run.
            const group = expanded(text.concurrency) ?? (needsOf(text).length === 0 ? run.group : undefined);
            if (text.concurrency?.["cancel-in-progress"])
                throw new Error("the model has no cancelling of running jobs");
            const skipped = text.if !== undefined && !this.expressions.holds(text.if, contexts);
            const job: Job = { run, key, text: skipped ? { ...text, steps: [] } : text, group, state: "queued" };
            run.jobs.push(job);
            this.jobs.push(job);
        }
    }

    private contexts(
        { id, commit, workflow }: Pick<Run, "id" | "commit" | "workflow">,
        event: string,
        followed?: Conclusion,
    ): Values {
        const payload = {
            repository: { fork: this.isFork },
            ...(followed && { workflow_run: { conclusion: followed } }),
        };
        const github = {
            ref: `refs/heads/${commit.branch}`,
            run_id: String(id),
            event_name: event,
            event: payload,
            repository: `${this.isFork ? "somebody" : "owner"}/repository`,
        };
        return { github: { ...github, workflow: workflow.name }, inputs: {} };
    }

    private begin(job: Job): void {
        const { steps } = job.text;
        job.state = "running";
        job.run.holds ||= job.run.group !== undefined;
        if (steps.length === 0) {
            this.close(job, "skipped");
            return;
        }
        const asked = steps.find(({ run }) => run?.includes("commits/$BRANCH"))?.env?.BRANCH;
        const ref = asked ?? steps.find(({ uses }) => uses?.startsWith("actions/checkout@"))?.with?.ref;
        const [, source] = /needs\.(\w+)\.outputs\.sha/.exec(ref ?? "") ?? [];
        const chosen = job.run.jobs.find(({ key }) => key === source)?.commit;
        job.commit = chosen ?? (ref === undefined ? job.run.commit : this.head(ref));
        job.parent = this.registry.parentOf(builds(job.text));
    }

    private finish(job: Job, ok: boolean): void {
        const commit = job.commit ?? job.run.commit;
        const stack = stackOf(job.text);
        const isPlatforms = stack !== undefined && stack !== ciStack;
        const stacks = needsOf(job.text).flatMap((key) => stackOf(job.run.workflow.jobs[key] ?? job.text) ?? []);
        // The stack that promotes refuses others that are behind.
        const done = ok && (isPlatforms || this.registry.haveBuilt(stacks, commit));
        if (done && isPlatforms) this.registry.buildPlatform(stack, commit);
        else if (done && promotes(job.text)) this.registry.promote(commit);
        else if (done) this.registry.build(builds(job.text), commit, job.parent);
        if (promotes(job.text) || builds(job.text) !== undefined) this.ended.push(job);
        this.close(job, done ? "done" : "failed");
    }

    private beginNext(group: string | undefined): void {
        const next = this.waiting.find((one) => one.group === group);
        if (!next) return;
        this.waiting = this.waiting.filter((one) => one !== next);
        this.begin(next);
    }

    /** Ends a job, begins the next pending job of its group, and starts the workflows that follow its workflow. */
    private close(job: Job, state: Job["state"]): void {
        const { run } = job;
        const heldGroup = job.state === "running" && job.group !== undefined && run.group === undefined;
        job.state = state;
        this.waiting = this.waiting.filter((one) => one !== job);
        if (heldGroup) this.beginNext(job.group);
        const isDependent = (one: Job) => one.state === "queued" && needsOf(one.text).includes(job.key);
        if (state !== "done") for (const one of run.jobs.filter(isDependent)) this.close(one, "skipped");
        if (run.conclusion !== undefined) return;
        if (run.jobs.some((one) => ["queued", "pending", "running"].includes(one.state))) return;
        run.conclusion = concluded(run.jobs);
        if (run.holds) {
            run.holds = false;
            this.beginNext(run.group);
        }
        for (const one of this.workflows) {
            if (followsRun(one, run.workflow.name, run.commit.branch))
                this.start(one, "workflow_run", this.head("main"), run.conclusion);
        }
    }
}
