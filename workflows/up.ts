import type { PreparedImage } from "../lib/hierarchy/prepare";
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

/**
 * Returns the job that updates the whole stack to the head of the branch. All these jobs share a concurrency group and check out the
 * branch after they waited, so it doesn't matter which job runs: the last one sees all commits, and those before it leave it nothing to
 * build.
 */
const upJob = (
    images: readonly PreparedImage[],
    branch: string,
    condition: string,
    minutes: number,
    registries: readonly RegistryHost[],
    ghcr: GitHubLogin,
): Job => ({
    name: "Up",
    if: condition,
    concurrency: updating(condition),
    "runs-on": "ubuntu-latest",
    "timeout-minutes": minutes,
    environment: upEnvironment,
    permissions: {
        actions: "read",
        contents: "read",
        packages: ghcr === "token" ? "write" : "read",
        "id-token": "write",
    },
    outputs: upOutputs,
    steps: [
        checkout({ ref: branch }),
        ...setUpNode,
        ...setUpPulumi("write", minutes),
        ...setUpBuilder(images),
        ...logIns(registries, "push", ghcr),
        restoreHistory(branch),
        ...upSteps("inputs.refresh", `inputs.rebuild != '${noImage}' && inputs.rebuild || ''`),
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
 * @param options what is said about releases, and how the jobs write to GitHub's registry
 */
export function upWorkflows(
    images: readonly PreparedImage[],
    definitions: readonly UpDefinition[],
    branch: string,
    registries: readonly RegistryHost[],
    names: readonly string[],
    { releases = {}, ghcr = "token" }: Pick<WorkflowDefinitions, "releases" | "ghcr"> = {},
): Workflow[] {
    return definitions.map(({ file, name, images: watched, after, minutes = defaultMinutes }) => {
        const paths = watched && pathFilters(watched.map((key) => imageOf(images, key)));
        const earlier = definitions.find((workflow) => workflow.file === after);
        const condition = [isBranch(branch), ...(earlier ? [followsSuccess] : [])].join(" && ");
        return {
            file,
            name,
            on: {
                push: { branches: [branch], ...(paths && { paths }) },
                ...(earlier && {
                    workflow_run: { workflows: [earlier.name], types: ["completed"], branches: [branch] },
                }),
                workflow_dispatch: dispatchForm(names, watched ?? []),
            },
            jobs: {
                up: upJob(images, branch, condition, minutes, registries, ghcr),
                ...releaseJobs(releases, branch, registries, ghcr),
                review: reviewJob(`github.ref != 'refs/heads/${branch}'`, branch, registries),
            },
        };
    });
}
