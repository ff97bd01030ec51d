import type { Expressions, Values } from "./expressions";
import { type Commit, type Event, type ModelImage, Registry } from "./repository";
import { type JobText, type WorkflowText, builds, followsRun, promotes, startsOnPush } from "./workflowText";

interface Run {
    readonly id: number;
    readonly workflow: WorkflowText;
    readonly commit: Commit;
    readonly jobs: Job[];
}

/** A job that builds or promotes images; the model contains no other jobs. */
export interface Job {
    readonly run: Run;
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
 * job; a job enters its group before its `if` is evaluated). A queued job may take any time to enter its group: the
 * order is not guaranteed.
 */
export class Model {
    readonly jobs: Job[] = [];
    /** Jobs that ran to completion, in order of completion. */
    readonly ended: Job[] = [];
    readonly registry: Registry;
    private readonly heads: Record<string, Commit>;
    private runs = 0;
    private version = 0;

    constructor(
        private readonly workflows: readonly WorkflowText[],
        images: Readonly<Record<string, ModelImage>>,
        private readonly expressions: Expressions,
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
        return this.jobs.filter(({ state }) => state === "queued" || state === "running");
    }

    /** Moves a job of `movable` to its next state; `ok` is the result of a running job. */
    move(job: Job, ok = true): void {
        const others = this.jobs.filter((one) => job.group !== undefined && one.group === job.group);
        if (job.state === "running") {
            this.finish(job, ok);
        } else if (others.some(({ state }) => state === "running")) {
            job.state = "pending";
            for (const other of others) if (other !== job && other.state === "pending") this.close(other, "cancelled");
        } else {
            this.begin(job);
        }
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

    private start(workflow: WorkflowText, event: string, commit: Commit): void {
        this.runs += 1;
        const run: Run = { id: this.runs, workflow, commit, jobs: [] };
        const contexts = this.contexts(run, event);
        for (const text of Object.values(workflow.jobs).filter((one) => promotes(one) || builds(one) !== undefined)) {
            const group = text.concurrency && this.expressions.expand(text.concurrency.group, contexts);
            if (text.concurrency?.["cancel-in-progress"])
                throw new Error("the model has no cancelling of running jobs");
            const skipped = text.if !== undefined && !this.expressions.holds(text.if, contexts);
            const job: Job = { run, text: skipped ? { ...text, steps: [] } : text, group, state: "queued" };
            run.jobs.push(job);
            this.jobs.push(job);
        }
    }

    private contexts({ id, commit, workflow }: Run, event: string): Values {
        const github = { ref: `refs/heads/${commit.branch}`, run_id: String(id), event_name: event };
        return { github: { ...github, workflow: workflow.name }, inputs: {} };
    }

    private begin(job: Job): void {
        const { steps } = job.text;
        if (steps.length === 0) {
            this.close(job, "skipped");
            return;
        }
        job.state = "running";
        const ref = steps.find(({ uses }) => uses?.startsWith("actions/checkout@"))?.with?.ref;
        job.commit = ref === undefined ? job.run.commit : this.head(ref);
        job.parent = this.registry.parentOf(builds(job.text));
    }

    private finish(job: Job, ok: boolean): void {
        const commit = job.commit ?? job.run.commit;
        if (ok && promotes(job.text)) this.registry.promote(commit);
        else if (ok) this.registry.build(builds(job.text), commit, job.parent);
        this.ended.push(job);
        this.close(job, ok ? "done" : "failed");
    }

    /** Ends a job, begins the pending job of its group, and starts the workflows that follow its workflow. */
    private close(job: Job, state: Job["state"]): void {
        const heldGroup = job.state !== "pending";
        job.state = state;
        const next = this.jobs.find(
            (one) => one.group !== undefined && one.group === job.group && one.state === "pending",
        );
        if (heldGroup && next) this.begin(next);
        const { jobs, workflow, commit } = job.run;
        if (jobs.some((one) => ["queued", "pending", "running"].includes(one.state))) return;
        for (const one of this.workflows) {
            if (followsRun(one, workflow.name, commit.branch)) this.start(one, "workflow_run", this.head("main"));
        }
    }
}
