import { before, describe } from "mocha";
import type { Job } from "../tests/github/model";
import { type Scenario, outcome } from "../tests/github/play";
import { type JobText, type WorkflowText, promotes } from "../tests/github/workflowText";
import { modelOf, naive, ours, plain, split, theirs } from "../tests/github/world";
import { expect, test } from "../tests/mocha";

const files = { base: "requirements/requirements-torch.txt", app: "app/bot/client.py" };
let model: Awaited<ReturnType<typeof modelOf>>;
before(async () => {
    model = await modelOf();
});

const [base, deploy] = ["Build Base Docker Image", "Deploy Discord Bot"] as const;

/** A push to main that changes these files. */
const pushed = (...paths: string[]) => ({ push: paths, branch: "main" });

type Outcome = ReturnType<typeof outcome>;

/** Results of this repository's workflows and of the naive workflows. "Runs" are jobs that build or promote; "built" counts images;
 * "red" counts the runs that GitHub shows as failed or cancelled. */
const scenarios: readonly (Scenario & { readonly name: string; readonly ours: Outcome; readonly naive: Outcome })[] = [
    {
        name: "base and app in one push",
        events: [pushed(files.base, files.app)],
        ours: { runs: "3", built: "3", red: "0", stale: "never" },
        naive: { runs: "5", built: "5", red: "0", stale: "in some orders" },
    },
    {
        name: "three quick pushes to the app",
        events: [pushed(files.app), pushed(files.app), pushed(files.app)],
        ours: { runs: "3", built: "1–3", red: "0", stale: "never" },
        naive: { runs: "3", built: "3", red: "0", stale: "in some orders" },
    },
    {
        name: "a dispatch of the base during a run",
        events: [pushed(files.app), { dispatch: base, branch: "main" }],
        ours: { runs: "3", built: "1", red: "0", stale: "never" },
        naive: { runs: "4", built: "4", red: "0", stale: "never" },
    },
    {
        name: "an old run that gets its runner after a newer one",
        events: [pushed(files.app), pushed(files.app)],
        isLate: ({ run, state }) => run.id === 1 && state === "queued",
        ours: { runs: "2", built: "1", red: "0", stale: "never" },
        naive: { runs: "2", built: "2", red: "0", stale: "always" },
    },
    {
        name: "a dispatch from a feature branch",
        events: [
            { ...pushed(files.app), branch: "feature" },
            { dispatch: deploy, branch: "feature" },
        ],
        ours: { runs: "0", built: "0", red: "0", stale: "never" },
        naive: { runs: "1", built: "1", red: "0", stale: "always" },
    },
    {
        name: "a run of the base that fails once",
        events: [pushed(files.base)],
        fails: ({ run }, github) => run.workflow.name === base && github.ended.every(({ state }) => state !== "failed"),
        ours: { runs: "2", built: "3", red: "1", stale: "never" },
        naive: { runs: "4", built: "3", red: "1", stale: "always" },
    },
];

describe("in every order in which GitHub may do things, main ends converged, with no more builds than naive workflows", () => {
    test.each(scenarios)("after $name", (scenario) => {
        expect(outcome(() => model(ours.workflows), scenario)).toEqual(scenario.ours);
        expect(outcome(() => model(naive), scenario)).toEqual(scenario.naive);
    });
});

describe("normal work shows no red run:", () => {
    const app = pushed(files.app);

    test("a hundred pushes while one runs all wait, and end green; one more is cancelled, and loses nothing", () => {
        const [hundred, more] = [101, 102].map((pushes) => {
            const github = model(ours.workflows);
            for (let push = 0; push < pushes; push += 1) {
                github.happen(app);
                for (const job of github.movable().filter(({ state }) => state === "queued")) github.move(job);
            }
            while (github.movable().length > 0) for (const job of github.movable()) github.move(job);
            const count = (conclusion: string) => github.runs.filter((run) => run.conclusion === conclusion).length;
            return [count("success"), count("cancelled"), github.isConverged()];
        });
        expect([hundred, more]).toEqual([
            [101, 0, true],
            [101, 1, true],
        ]);
    });

    test("nothing runs in a fork, whatever starts there", () => {
        const events = [pushed(files.base), app, { dispatch: deploy, branch: "main" }];
        const inFork = outcome(() => model(ours.workflows, { isFork: true }), { events });
        expect(inFork).toMatchObject({ runs: "0", built: "0", red: "0" });
    });

    test.each(["failure", "cancelled"] as const)("a run of the base that ends as %s starts no deployment", (ending) => {
        const github = model(ours.workflows);
        github.happen({ dispatch: base, branch: "main" });
        const [job] = github.movable();
        if (job) github.move(job);
        if (job && ending === "failure") github.move(job, false);
        if (job && ending === "cancelled") github.cancel(job);
        while (github.movable().length > 0) for (const one of github.movable()) github.move(one);
        expect(github.runs.map(({ workflow, conclusion }) => [workflow.name, conclusion])).toEqual([
            [base, ending],
            [deploy, "skipped"],
        ]);
    });
});

describe("the same holds for a repository with other images, workflows and names", () => {
    const [soil, glass, till] = ["soil/loam.txt", "glass.txt", "shop/till.go"] as const;
    const started = (events: Scenario["events"], world: typeof theirs) =>
        modelOf(world.images).then((of) => outcome(() => of(world.workflows), { events }));

    test.each<[string, Scenario["events"], Outcome]>([
        ["the parent of all", [pushed(soil)], { runs: "2", built: "3", red: "0", stale: "never" }],
        [
            "an image that is watched with its parent",
            [pushed(glass)],
            { runs: "2", built: "1", red: "0", stale: "never" },
        ],
        ["an image with its own workflow", [pushed(till)], { runs: "1", built: "1", red: "0", stale: "never" }],
        ["everything at once", [pushed(soil, glass, till)], { runs: "3", built: "3", red: "0", stale: "never" }],
        ["nothing that an image reads", [pushed("README.md")], { runs: "0", built: "0", red: "0", stale: "never" }],
        ["images in two pushes", [pushed(till), pushed(soil)], { runs: "3", built: "3–4", red: "0", stale: "never" }],
        [
            "a feature branch, and a dispatch there",
            [
                { ...pushed(soil), branch: "feature" },
                { dispatch: "Shop", branch: "feature" },
            ],
            { runs: "0", built: "0", red: "0", stale: "never" },
        ],
    ])("after a push of %s", async (_what, events, expected) => {
        expect(await started(events, theirs)).toEqual(expected);
    });

    test("without a workflows.ts every push starts the one workflow", async () => {
        expect(await started([pushed(glass)], plain)).toEqual({ runs: "1", built: "1", red: "0", stale: "never" });
        expect(await started([pushed("README.md")], plain)).toEqual({
            runs: "1",
            built: "0",
            red: "0",
            stale: "never",
        });
        expect(await started([{ dispatch: "Images", branch: "main" }], plain)).toMatchObject({ runs: "1" });
    });
});

describe("where another stack builds a platform", () => {
    const till = "shop/till.go";
    const started = async (events: Scenario["events"], change: (one: WorkflowText) => WorkflowText = (one) => one) => {
        const of = await modelOf(split.images);
        return outcome(() => of(split.workflows.map(change)), { events });
    };
    const twoPushes = [pushed(till), pushed(till)];

    test("both work on the commit that the run chose, and no normal push is red", async () => {
        expect(await started([pushed(till)])).toEqual({ runs: "2", built: "1", red: "0", stale: "never" });
        expect(await started(twoPushes)).toMatchObject({ red: "0", stale: "never" });
    });

    test("a platform that fails leaves everything as it was, and the run after it promotes all", async () => {
        const of = await modelOf(split.images);
        const github = of(split.workflows);
        github.happen(pushed(till));
        const end = (ok: (job: Job) => boolean) => {
            while (github.movable().length > 0) for (const job of github.movable()) github.move(job, ok(job));
        };
        end(({ key }) => key !== "up-arm64");
        expect([github.runs.map(({ conclusion }) => conclusion), github.isConverged()]).toEqual([["failure"], false]);
        github.happen({ dispatch: "Shop", branch: "main" });
        end(() => true);
        expect(github.isConverged()).toBe(true);
    });

    const withoutGroup = (workflow: WorkflowText): WorkflowText =>
        Object.fromEntries(
            Object.entries(workflow).filter(([key]) => key !== "concurrency"),
        ) as unknown as WorkflowText;
    const onHead = (workflow: WorkflowText): WorkflowText => ({
        ...workflow,
        jobs: Object.fromEntries(
            Object.entries(workflow.jobs).map(([key, job]) => {
                const steps = job.steps.map((step) =>
                    step.with?.ref === undefined ? step : { ...step, with: { ...step.with, ref: "main" } },
                );
                return [key, { ...job, steps }];
            }),
        ),
    });
    test.each([
        ["the run had no group", withoutGroup],
        ["each job took the head of the branch", onHead],
    ])("the model finds what would go wrong if %s", async (_what, change) => {
        const { red, stale } = await started(twoPushes, change);
        expect(red === "0" && stale === "never").toBe(false);
    });
});

describe("the model finds what would go wrong", () => {
    const without = <T extends object>(object: T, name: string) =>
        Object.fromEntries(Object.entries(object).filter(([key]) => key !== name)) as T;
    /** This repository's workflows, with each `up` job changed. */
    const changed = (change: (job: JobText) => JobText) =>
        ours.workflows.map((workflow) => {
            const jobs = Object.entries(workflow.jobs).map(([key, job]) => [key, promotes(job) ? change(job) : job]);
            return { ...workflow, jobs: Object.fromEntries(jobs) as WorkflowText["jobs"] };
        });
    const twoPushes = [pushed(files.app), pushed(files.app)];

    test("if `up` did not wait for the one before", () => {
        const workflows = changed((job) => without(job, "concurrency"));
        expect(outcome(() => model(workflows), { events: twoPushes }).stale).toBe("in some orders");
    });

    test("if `up` checked out the event's commit", () => {
        const workflows = changed((job) => ({
            ...job,
            steps: job.steps.map((step) => ({ ...step, with: without(step.with ?? {}, "ref") })),
        }));
        expect(outcome(() => model(workflows), { events: twoPushes }).stale).toBe("in some orders");
    });

    test("if a dispatch elsewhere took a place in main's group", () => {
        const workflows = changed((job) => ({ ...job, concurrency: { group: "pulumi-up" } }));
        const events = [...twoPushes, { dispatch: deploy, branch: "feature" }];
        expect(outcome(() => model(workflows), { events }).stale).toBe("in some orders");
    });

    test("if `up` ran on every branch", () => {
        const workflows = changed((job) => ({
            ...without(job, "if"),
            steps: job.steps.map((step) => ({ ...step, with: without(step.with ?? {}, "ref") })),
        }));
        const events = [
            { ...pushed(files.app), branch: "feature" },
            { dispatch: deploy, branch: "feature" },
        ];
        expect(outcome(() => model(workflows), { events }).stale).toBe("always");
    });
});
