import type { Job, Step, Workflow } from "./document";
import { uses, pins } from "./pins";
import {
    checkout,
    command,
    getAppToken,
    logInToRegistry,
    onStack,
    readingEnvironment,
    restoreHistory,
    script,
    setUpNode,
    setUpPulumi,
    upEnvironment,
    writingEnvironment,
} from "./steps";

/** Pull requests whose code may see secrets: of this repository, and not written by a bot that anybody can steer. */
const trusted =
    "github.event.pull_request.head.repo.full_name == github.repository && github.event.pull_request.user.type != 'Bot'";
const onPullRequest = "github.event_name == 'pull_request'";
const onSchedule = "github.event_name == 'schedule'";

/**
 * Fails at once where a generated file is not what it is generated from. `up` would put it back without a word: the versions
 * of actions, where Dependabot moved them.
 */
const checkGenerated: Step = { name: "Check the generated files", run: "npm run --silent workflows -- --check" };

/** Minutes that a look at the stack may take. */
const timeout = 20;

const lookingJob = {
    "runs-on": "ubuntu-latest",
    "timeout-minutes": timeout,
    environment: { name: "review", deployment: false },
    // The identity token is for Pulumi Cloud, whose own rules say what each environment may do there.
    permissions: { actions: "read", contents: "read", packages: "read", "pull-requests": "read", "id-token": "write" },
} satisfies Partial<Job>;

/**
 * Says in the summary what an `up` of the checked out commit would do; its output `markdown` is the same for a comment.
 *
 * @param condition when it runs, as an expression
 * @param branch the branch that images are made from
 */
export const reviewJob = (condition: string, branch: string): Job => ({
    name: "Review",
    if: condition,
    ...lookingJob,
    outputs: { markdown: "${{ steps.review.outputs.markdown }}" },
    steps: [
        checkout(),
        setUpNode,
        checkGenerated,
        ...setUpPulumi("read", timeout),
        logInToRegistry,
        restoreHistory(branch),
        { id: "review", ...command("Review", `review -- ${onStack}`, readingEnvironment) },
    ],
});

/** It runs main's code, and may have the token that can see variables and secrets: the workflow's own can't. */
const statusJob = (branch: string): Job => ({
    name: "Status",
    if: onSchedule,
    ...lookingJob,
    environment: upEnvironment,
    outputs: { drift: "${{ steps.status.outputs.drift }}", report: "${{ steps.status.outputs.report }}" },
    steps: [
        checkout(),
        setUpNode,
        // In the environment `up` a token of the review's team is not allowed.
        ...setUpPulumi("write", timeout),
        logInToRegistry,
        restoreHistory(branch),
        getAppToken,
        // Drift is an output, and no failure of this job.
        {
            id: "status",
            ...command("Compare the stack with reality", `status -- ${onStack} || [ "$?" -eq 2 ]`, writingEnvironment),
        },
    ],
});

/** Everything that the lab builds, with code that must see no secret. */
const labJob: Job = {
    name: "Build everything in the lab",
    if: `${onPullRequest} && !(${trusted})`,
    "runs-on": "ubuntu-latest",
    "timeout-minutes": 120,
    permissions: { contents: "read" },
    steps: [
        checkout(),
        setUpNode,
        checkGenerated,
        {
            name: "Set up Go",
            uses: uses(pins.setupGo),
            with: { "go-version-file": "lab/toolchain/pulumi/go.mod", cache: false },
        },
        script("Build the hierarchy into a registry on the runner", "lab.sh"),
    ],
};

/** The run's address. */
const run = "${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}";

const github = { GH_TOKEN: "${{ github.token }}", GH_REPO: "${{ github.repository }}" };

/** A job that writes to a pull request or an issue. It runs the branch's own scripts, and none of the code under review. */
const writingJob = (
    job: Pick<Job, "name" | "needs" | "if">,
    permission: "pull-requests" | "issues",
    [title, file, env]: Parameters<typeof script>,
    branch: string,
): Job => ({
    ...job,
    "runs-on": "ubuntu-latest",
    "timeout-minutes": 5,
    permissions: { contents: "read", [permission]: "write" },
    steps: [
        checkout({ ref: branch, "sparse-checkout": "workflows/scripts" }),
        script(title, file, { ...github, ...env }),
    ],
});

/**
 * What a pull request would change, as a comment; without secrets, a build of everything; weekly, an issue on drift.
 *
 * @param branch the branch that images are made from
 */
export const reviewWorkflow = (branch: string): Workflow => ({
    file: "review.yml",
    name: "Review",
    on: { pull_request: {}, schedule: [{ cron: "23 4 * * 1" }] },
    concurrency: { group: "${{ github.workflow }}-${{ github.ref }}", "cancel-in-progress": true },
    jobs: {
        review: reviewJob(`${onPullRequest} && ${trusted}`, branch),
        comment: writingJob(
            // A review that found something dangerous has failed, and is wanted all the more. Where there is none the comment says
            // that, instead of what an earlier commit would have done.
            {
                name: "Comment",
                needs: "review",
                if: "${{ !cancelled() && needs.review.result != 'skipped' }}",
            },
            "pull-requests",
            [
                "Write the comment",
                "comment.sh",
                {
                    NUMBER: "${{ github.event.pull_request.number }}",
                    MARKDOWN: "${{ needs.review.outputs.markdown }}",
                    SHA: "${{ github.event.pull_request.head.sha }}",
                    RUN: run,
                },
            ],
            branch,
        ),
        lab: labJob,
        status: statusJob(branch),
        drift: writingJob(
            { name: "Drift", needs: "status" },
            "issues",
            [
                "Open or close the issue",
                "drift.sh",
                {
                    DRIFT: "${{ needs.status.outputs.drift }}",
                    REPORT: "${{ needs.status.outputs.report }}",
                    RUN: run,
                },
            ],
            branch,
        ),
    },
});
