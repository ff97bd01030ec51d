import { type CleanupDefinition, type ReviewDefinition, type WorkflowDefinitions, defaultReview } from "./definition";
import type { Job, Step, Workflow } from "./document";
import type { Level, Permission } from "../lib/github/permissions";
import { typedSilently } from "../lib/system/commandLine";
import { ownBranches, registryLogin } from "../lib/github/names";
import { type GitHubLogin, type RegistryHost, logIns } from "./registries";
import {
    buildInLab,
    checkout,
    checkoutScripts,
    command,
    comparingEnvironment,
    getAppToken,
    getReadingAppToken,
    inPackage,
    keepHistory,
    onStack,
    readingEnvironment,
    restoreHistory,
    script,
    setUpBuilder,
    setUpNode,
    setUpPulumi,
    upEnvironment,
    updating,
    writingEnvironment,
} from "./steps";

/**
 * Condition for pull requests whose code may see secrets: their branch is in this repository, and the author is not a bot, because anyone
 * can influence a bot. This program's own proposals are made by the repository's App, which is a bot: their branches have names that no
 * other bot chooses, and their content comes from main and from registries' digests.
 */
export const trusted =
    "github.event.pull_request.head.repo.full_name == github.repository && " +
    `(github.event.pull_request.user.type != 'Bot' || startsWith(github.head_ref, '${ownBranches}'))`;
const onPullRequest = "github.event_name == 'pull_request'";
const onSchedule = "github.event_name == 'schedule'";

/**
 * Fails early if a generated file is stale. Otherwise `up` would silently revert it, for example versions of actions that Dependabot
 * updated.
 */
const checkGenerated: Step = { name: "Check the generated files", run: typedSilently("workflows", "--check") };

/** Timeout in minutes of jobs that only read the stack. */
const timeout = 20;

const readingJob = {
    "runs-on": "ubuntu-latest",
    "timeout-minutes": timeout,
    environment: { name: "review", deployment: false },
    // The identity token is for Pulumi Cloud. Its rules define the access of each GitHub environment.
    permissions: { actions: "read", contents: "read", packages: "read", "pull-requests": "read", "id-token": "write" },
} satisfies Partial<Job>;

/**
 * Returns the job that reviews an `up` of the checked out commit. It writes the review to the summary and to its output `markdown`, for a
 * comment.
 *
 * @param condition expression that decides whether the job runs
 * @param branch the branch from which images are built
 * @param registries the registries that images are published in
 */
export const reviewJob = (condition: string, branch: string, registries: readonly RegistryHost[]): Job => ({
    name: "Review",
    if: condition,
    ...readingJob,
    outputs: { markdown: "${{ steps.review.outputs.markdown }}" },
    steps: [
        checkout(),
        ...setUpNode,
        checkGenerated,
        ...setUpPulumi("read", timeout),
        ...logIns(registries, "read"),
        restoreHistory(branch),
        { id: "review", ...command("Review", ["review", onStack], readingEnvironment) },
    ],
});

/** A job that runs by schedule, so it has main's code, and may have the token of the GitHub App. */
const ownJob = { if: onSchedule, ...readingJob, environment: upEnvironment } satisfies Partial<Job>;

/** Returns the first steps of such a job. */
const stepsBefore = (
    branch: string,
    registries: readonly RegistryHost[],
    appToken: Step,
): readonly [Step, ...Step[]] => [
    checkout(),
    ...setUpNode,
    // The environment `up` does not allow a token of the review team.
    ...setUpPulumi("write", timeout),
    ...logIns(registries, "read"),
    restoreHistory(branch),
    appToken,
];

/**
 * Returns the job that compares the stack with reality. The workflow's token can't read variables and secrets, so it gets a token of the App,
 * which only reads.
 */
const statusJob = (
    branch: string,
    registries: readonly RegistryHost[],
    reading: ReadonlyMap<Permission, Level>,
): Job => ({
    name: "Status",
    ...ownJob,
    outputs: { drift: "${{ steps.status.outputs.drift }}", report: "${{ steps.status.outputs.report }}" },
    steps: [
        ...stepsBefore(branch, registries, getReadingAppToken(reading)),
        // Drift (exit code 2) is an output and must not fail the job.
        {
            id: "status",
            ...command(
                "Compare the stack with reality",
                ["status", onStack, '|| [ "$?" -eq 2 ]'],
                comparingEnvironment,
            ),
        },
    ],
});

/** Timeout in minutes of the job that cleans up: GitHub allows a workflow a thousand requests an hour, and an update may wait for it. */
const cleanupTimeout = 60;

/**
 * Returns the job that removes what nothing uses any more. It never runs beside an `up`, whose pushes nothing names before its end, and it
 * checks out the branch when it has waited. The workflow's own token removes packages; the App's reads the variables that name images.
 */
const cleanupJob = (
    { keepReleases, keepDays }: CleanupDefinition,
    branch: string,
    registries: readonly RegistryHost[],
    reading: ReadonlyMap<Permission, Level>,
    ghcr: GitHubLogin,
): Job => ({
    name: "Clean up",
    ...ownJob,
    concurrency: updating(onSchedule),
    "timeout-minutes": cleanupTimeout,
    permissions: {
        actions: "read",
        contents: "read",
        packages: ghcr === "token" ? "write" : "read",
        "id-token": "write",
    },
    steps: [
        checkout({ ref: branch }),
        ...setUpNode,
        ...setUpPulumi("write", cleanupTimeout),
        ...logIns(registries, "push", ghcr),
        restoreHistory(branch),
        getReadingAppToken(reading),
        command(
            "Remove what nothing uses any more",
            [
                "gc",
                onStack,
                ...(keepReleases === undefined ? [] : [`--keep-releases ${keepReleases}`]),
                ...(keepDays === undefined ? [] : [`--keep-days ${keepDays}`]),
                "--yes",
            ],
            {
                ...comparingEnvironment,
                PACKAGES_TOKEN:
                    ghcr === "token" ? "${{ github.token }}" : `\${{ secrets.${registryLogin("ghcr.io").password} }}`,
            },
        ),
        // With the updates it keeps when manifests were first seen, which most registries do not tell.
        keepHistory,
    ],
});

/**
 * Returns the job that proposes newer roots and due rebuilds by a pull request. It needs the App's token, because a pull request that the
 * workflow's token opens starts no workflow.
 */
const bumpJob = (branch: string, registries: readonly RegistryHost[]): Job => ({
    name: "Newer roots",
    ...ownJob,
    steps: [
        ...stepsBefore(branch, registries, getAppToken),
        {
            id: "bump",
            ...command("Propose newer roots and due rebuilds", ["bump", onStack, "--propose"], writingEnvironment),
        },
    ],
});

/**
 * Returns the job that builds what a pull request changes, for the runner's platform. Like the review it can read the stack and the
 * registry, and write neither.
 */
const buildJob = (minutes: number, registries: readonly RegistryHost[]): Job => ({
    name: "Build what changed",
    if: `${onPullRequest} && ${trusted}`,
    ...readingJob,
    "timeout-minutes": minutes,
    steps: [
        checkout(),
        ...setUpNode,
        ...setUpPulumi("read", minutes),
        ...setUpBuilder([]),
        ...logIns(registries, "read"),
        command("Build and test what changed", ["build", onStack], readingEnvironment),
    ],
});

/** The step of the following job that says whether a pull request changes an image. */
const changedStep = "changed";

/**
 * Returns the job that builds all images in the lab, for code that must not see secrets, if the pull request changes one of them. It
 * compares the merge commit that GitHub made with its first parent, the head of the branch that it goes to.
 */
const labJob = (minutes: number): Job => {
    const ifChanged = { if: `steps.${changedStep}.outputs.changed == 'true'` };
    return {
        name: "Build in the lab what changed",
        if: `${onPullRequest} && !(${trusted})`,
        "runs-on": "ubuntu-latest",
        "timeout-minutes": minutes,
        permissions: { contents: "read" },
        steps: [
            checkout({ "fetch-depth": 2 }),
            ...setUpNode,
            checkGenerated,
            { id: changedStep, name: "See which images change", run: typedSilently("changed", "HEAD^1") },
            {
                name: "Set up Go",
                ...ifChanged,
                uses: "actions/setup-go",
                with: { "go-version-file": inPackage("lab/toolchain/pulumi/go.mod"), cache: false },
            },
            { ...buildInLab, ...ifChanged },
        ],
    };
};

/** URL of the workflow run. */
const run = "${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}";

const github = { GH_TOKEN: "${{ github.token }}", GH_REPO: "${{ github.repository }}" };

/** Returns a job that writes to a pull request or an issue. It runs scripts from the branch, never code under review. */
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
    steps: [...checkoutScripts(branch), script(title, file, { ...github, ...env })],
});

/**
 * Returns the workflow that comments on pull requests with a review and builds all images for pull requests that must not see secrets. Once
 * a week, unless another schedule is defined, it opens an issue on drift and proposes newer roots.
 *
 * @param branch the branch from which images are built
 * @param registries the registries that images are published in
 * @param reading the permissions of a token that sees what the stack manages on GitHub
 * @param options what is removed from registries, and how jobs write to GitHub's
 */
export const reviewWorkflow = (
    {
        file = defaultReview.file,
        name = defaultReview.name,
        schedule = "23 4 * * 1",
        minutes = 120,
        build = false,
        bump = true,
    }: ReviewDefinition,
    branch: string,
    registries: readonly RegistryHost[],
    reading: ReadonlyMap<Permission, Level>,
    { cleanup, ghcr = "token" }: Pick<WorkflowDefinitions, "cleanup" | "ghcr"> = {},
): Workflow => ({
    file,
    name,
    // In a merge queue all jobs are skipped, which counts as passed where they are required: each pull request had its review.
    on: { pull_request: {}, merge_group: {}, schedule: [{ cron: schedule }] },
    concurrency: { group: "${{ github.workflow }}-${{ github.ref }}", "cancel-in-progress": true },
    jobs: {
        review: reviewJob(`${onPullRequest} && ${trusted}`, branch, registries),
        comment: writingJob(
            // Also runs after a failed review: a review fails if it finds something dangerous, and then it matters most. If there is no
            // review, the comment reports that, and so replaces the review of an earlier commit.
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
        ...(build && { build: buildJob(minutes, registries) }),
        lab: labJob(minutes),
        ...(bump && { bump: bumpJob(branch, registries) }),
        ...(cleanup && { cleanup: cleanupJob(cleanup, branch, registries, reading, ghcr) }),
        status: statusJob(branch, registries, reading),
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
