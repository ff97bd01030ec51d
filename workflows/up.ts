import type { PreparedImage } from "../lib/hierarchy/prepare";
import { type Platform, archOf } from "../lib/platform";
import type { PlatformStacks } from "../lib/hierarchy/platformStacks";
import { allImages } from "../lib/hierarchy/definition";
import type { UpDefinition, WorkflowDefinitions } from "./definition";
import type { Job, Workflow } from "./document";
import { imageOf } from "./images";
import { pathFilters } from "./pathFilters";
import { type GitHubLogin, type RegistryHost, logIns } from "./registries";
import { defaultMinutes } from "./timeLimits";
import { releaseJobs, upOutputs } from "./releases";
import { reviewJob } from "./review";
import {
    checkout,
    keepHistory,
    platformUpStep,
    restoreHistory,
    setUpBuilder,
    setUpNode,
    setUpPulumi,
    upEnvironment,
    upSteps,
    updating,
} from "./steps";

const isBranch = (branch: string) => `github.ref == 'refs/heads/${branch}'`;

/** Condition that the run which this run follows, if it follows any, succeeded: nothing is updated because an update failed or was cancelled. */
const followsSuccess = "(github.event_name != 'workflow_run' || github.event.workflow_run.conclusion == 'success')";

/** The choice of the form that rebuilds nothing. No image can have this key. */
const noImage = "(none)";

/** Returns the form for starting a run by hand, with the images to choose from: those that the workflow is for first. */
const dispatchForm = (names: readonly string[], watched: readonly string[]) =>
    ({
        inputs: {
            refresh: {
                description: "Check the registry first, and rebuild what it lost",
                type: "boolean",
                default: false,
            },
            rebuild: {
                description: "Image to build again without cache, although no file changed",
                type: "choice",
                options: [...new Set([noImage, ...watched, allImages, ...names])] as [string, ...string[]],
                default: noImage,
            },
        },
    }) as const;

/** What the jobs of a workflow that runs `up` have in common. */
interface UpContext {
    readonly images: readonly PreparedImage[];
    readonly branch: string;
    /** Whether the run updates anything. */
    readonly condition: string;
    readonly minutes: number;
    readonly registries: readonly RegistryHost[];
    readonly ghcr: GitHubLogin;
    /** The stacks that build platforms for CI's stack. */
    readonly platformStacks: PlatformStacks;
}

const permissionsOf = (ghcr: GitHubLogin) =>
    ({
        actions: "read",
        contents: "read",
        packages: ghcr === "token" ? "write" : "read",
        "id-token": "write",
    }) as const;

const refresh = "inputs.refresh";
const rebuild = `inputs.rebuild != '${noImage}' && inputs.rebuild || ''`;

/** The platforms that the images are built for; "host" is the runner's. */
const platformsIn = (images: readonly PreparedImage[]): Platform[] => [
    ...new Set(images.flatMap(({ definition: { platforms } }) => (platforms === "host" ? [] : platforms))),
];

const chosenCommit = "${{ needs.commit.outputs.sha }}";

/**
 * Returns the job that chooses the commit which the jobs of all stacks build: the head of the branch, when the whole run has waited for the
 * runs before it.
 */
const commitJob = ({ branch, condition }: UpContext): Job => ({
    name: "Choose the commit",
    if: condition,
    "runs-on": "ubuntu-latest",
    "timeout-minutes": 5,
    permissions: { contents: "read" },
    outputs: { sha: "${{ steps.head.outputs.sha }}" },
    steps: [
        {
            name: "Ask for the head of the branch",
            id: "head",
            run: 'echo "sha=$(gh api "repos/$GH_REPO/commits/$BRANCH" --jq .sha)" >> "$GITHUB_OUTPUT"',
            env: { GH_TOKEN: "${{ github.token }}", GH_REPO: "${{ github.repository }}", BRANCH: branch },
        },
    ],
});

/** Returns the job of a stack that builds platforms for CI's stack, on a runner of its platform where GitHub has one. */
function platformJob(stack: string, platforms: readonly Platform[], context: UpContext): Job {
    const { minutes, registries, ghcr } = context;
    const isArm = platforms.some((platform) => platform.startsWith("linux/arm"));
    return {
        name: `Up (${platforms.join(", ")})`,
        needs: "commit",
        "runs-on": isArm ? "ubuntu-24.04-arm" : "ubuntu-latest",
        "timeout-minutes": minutes,
        environment: upEnvironment,
        permissions: permissionsOf(ghcr),
        steps: [
            checkout({ ref: chosenCommit }),
            ...setUpNode,
            ...setUpPulumi("write", minutes),
            ...setUpBuilder(platforms, isArm ? "linux/arm64" : "linux/amd64"),
            ...logIns(registries, "push", ghcr),
            platformUpStep(stack, refresh, rebuild),
        ],
    };
}

/** Returns the jobs of the stacks that build platforms for CI's stack, by key, after the one that chooses their commit; none without such stacks. */
function platformJobs(context: UpContext): Readonly<Record<string, Job>> {
    const entries = Object.entries(context.platformStacks) as [Platform, string][];
    if (entries.length === 0) return {};
    const jobs = [...new Set(entries.map(([, stack]) => stack))].map((stack) => {
        const platforms = entries.filter(([, one]) => one === stack).map(([platform]) => platform);
        return [`up-${platforms.map(archOf).join("-")}`, platformJob(stack, platforms, context)] as const;
    });
    return { commit: commitJob(context), ...Object.fromEntries(jobs) };
}

/**
 * Returns the job that updates the whole stack to the head of the branch. All these jobs share a concurrency group and check out the
 * branch after they waited, so it doesn't matter which job runs: the last one sees all commits, and those before it leave it nothing to
 * build. With stacks for platforms the run as a whole has that group: nothing else may come between the stacks.
 *
 * @param needed keys of the jobs of stacks for platforms
 */
const upJob = (
    { images, branch, condition, minutes, registries, ghcr, platformStacks }: UpContext,
    needed: readonly string[],
): Job => ({
    name: "Up",
    ...(needed.length > 0
        ? { needs: needed as [string, ...string[]] }
        : { if: condition, concurrency: updating(condition) }),
    "runs-on": "ubuntu-latest",
    "timeout-minutes": minutes,
    environment: upEnvironment,
    permissions: permissionsOf(ghcr),
    outputs: upOutputs,
    steps: [
        checkout({ ref: needed.length > 0 ? chosenCommit : branch }),
        ...setUpNode,
        ...setUpPulumi("write", minutes),
        ...setUpBuilder(platformsIn(images).filter((platform) => platformStacks[platform] === undefined)),
        ...logIns(registries, "push", ghcr),
        restoreHistory(branch),
        ...upSteps(refresh, rebuild),
        keepHistory,
    ],
});

/**
 * Returns the workflows that run `up`, or a review if they are started by hand on another branch: each on pushes that change the inputs of
 * its images, or on every push. A workflow for every push alone keeps the stack up to date, even if the path filters of the others miss a
 * change.
 *
 * @param branch the branch from which images are built
 * @param registries the registries that images are published in
 * @param names the keys of images.ts, with those of entries with a matrix
 * @param options what is said about releases, how the jobs write to GitHub's registry, and the stacks that build platforms for CI's
 */
export function upWorkflows(
    images: readonly PreparedImage[],
    definitions: readonly UpDefinition[],
    branch: string,
    registries: readonly RegistryHost[],
    names: readonly string[],
    {
        releases = {},
        ghcr = "token",
        platformStacks = {},
    }: Pick<WorkflowDefinitions, "releases" | "ghcr"> & { readonly platformStacks?: PlatformStacks } = {},
): Workflow[] {
    return definitions.map(({ file, name, images: watched, after, minutes = defaultMinutes }) => {
        const paths = watched && pathFilters(watched.map((key) => imageOf(images, key)));
        const earlier = definitions.find((workflow) => workflow.file === after);
        const condition = [isBranch(branch), ...(earlier ? [followsSuccess] : [])].join(" && ");
        const context = { images, branch, condition, minutes, registries, ghcr, platformStacks };
        const others = platformJobs(context);
        const needed = Object.keys(others);
        return {
            file,
            name,
            ...(needed.length > 0 && { concurrency: updating(condition) }),
            on: {
                push: { branches: [branch], ...(paths && { paths }) },
                ...(earlier && {
                    workflow_run: { workflows: [earlier.name], types: ["completed"], branches: [branch] },
                }),
                workflow_dispatch: dispatchForm(names, watched ?? []),
            },
            jobs: {
                ...others,
                up: upJob(context, needed),
                ...releaseJobs(releases, branch, registries, ghcr),
                review: reviewJob(`github.ref != 'refs/heads/${branch}'`, branch, registries),
            },
        };
    });
}
