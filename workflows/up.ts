import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Job, Workflow } from "./document";
import { imageOf } from "./images";
import { pathFilters } from "./pathFilters";
import { reviewJob } from "./review";
import {
    checkout,
    keepHistory,
    logInToRegistry,
    restoreHistory,
    setUpBuilder,
    setUpNode,
    setUpPulumi,
    upEnvironment,
    upSteps,
} from "./steps";

const isBranch = (branch: string) => `github.ref == 'refs/heads/${branch}'`;

/** Timeout of an `up` in minutes: it may build every image for two platforms, one of them emulated. */
const timeout = 180;

const dispatch = {
    inputs: {
        refresh: {
            description: "Check the registry first, and rebuild what it lost",
            type: "boolean",
            default: false,
        },
    },
} as const;

/**
 * Returns the job that updates the whole stack to the head of the branch. All these jobs share a concurrency group and check out the
 * branch after they waited. So it doesn't matter which job runs, or that GitHub cancels all waiting jobs except the newest: the last job
 * sees all commits. On other branches the group is unique to the run, because GitHub assigns a job to its group before it evaluates `if`.
 */
const upJob = (images: readonly PreparedImage[], branch: string): Job => ({
    name: "Up",
    if: isBranch(branch),
    concurrency: {
        group: `\${{ ${isBranch(branch)} && 'pulumi-up' || github.run_id }}`,
        "cancel-in-progress": false,
    },
    "runs-on": "ubuntu-latest",
    "timeout-minutes": timeout,
    environment: upEnvironment,
    permissions: { actions: "read", contents: "read", packages: "write", "id-token": "write" },
    steps: [
        checkout({ ref: branch }),
        setUpNode,
        ...setUpPulumi("write", timeout),
        ...setUpBuilder(images),
        logInToRegistry,
        restoreHistory(branch),
        ...upSteps("inputs.refresh"),
        keepHistory,
    ],
});

/** Returns a workflow that updates the stack, or that runs a review if it was started by hand on another branch. */
const upWorkflow = (
    workflow: Pick<Workflow, "file" | "name" | "on">,
    images: readonly PreparedImage[],
    branch: string,
): Workflow => ({
    ...workflow,
    jobs: { up: upJob(images, branch), review: reviewJob(`github.ref != 'refs/heads/${branch}'`, branch) },
});

/** Images with a workflow that runs when their inputs change. The workflow's name lets users find the image on GitHub. */
const watched = [
    { file: "build-base-image.yml", name: "Build Base Docker Image", image: "base" },
    { file: "ci-image.yml", name: "Build CI Docker Image", image: "ci" },
] as const;

/**
 * Returns the workflows that run `up`: one for each watched image, on pushes that change its inputs, and the deployment, on every push.
 * The deployment alone keeps the stack up to date, even if the path filters of the other workflows miss a change.
 *
 * @param branch the branch from which images are built
 * @throws InputError if a watched image does not exist
 */
export function upWorkflows(images: readonly PreparedImage[], branch: string): Workflow[] {
    const imageWorkflows = watched.map(({ file, name, image }) => {
        const paths = pathFilters(imageOf(images, image)) as [string, ...string[]];
        const on = { push: { branches: [branch], paths }, workflow_dispatch: dispatch } satisfies Workflow["on"];
        return upWorkflow({ file, name, on }, images, branch);
    });
    const on = {
        push: { branches: [branch] },
        workflow_run: { workflows: [watched[0].name], types: ["completed"], branches: [branch] },
        workflow_dispatch: dispatch,
    } satisfies Workflow["on"];
    return [...imageWorkflows, upWorkflow({ file: "deploy.yml", name: "Deploy Discord Bot", on }, images, branch)];
}
