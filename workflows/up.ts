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

const isOn = (branch: string) => `github.ref == 'refs/heads/${branch}'`;

/** Minutes that an `up` may take: both platforms of every image, one of them emulated. */
const timeout = 180;

const dispatch = {
    inputs: {
        refresh: {
            description: "Look into the registry first, and build again what it lost",
            type: "boolean",
            default: false,
        },
    },
} as const;

/**
 * Brings the whole stack to the head of the branch. All such jobs wait for each other and check it out after the wait, so it
 * doesn't matter which of them runs, or that GitHub drops all waiting ones but the newest: the last sees everything.
 * Elsewhere the group is the run's own, because a job takes its place in a group before its `if` is looked at.
 */
const upJob = (images: readonly PreparedImage[], branch: string): Job => ({
    name: "Up",
    if: isOn(branch),
    concurrency: {
        group: `\${{ ${isOn(branch)} && 'pulumi-up' || github.run_id }}`,
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

/** A workflow that brings the stack up to date, or reviews where it was started by hand on another branch. */
const upWorkflow = (
    workflow: Pick<Workflow, "file" | "name" | "on">,
    images: readonly PreparedImage[],
    branch: string,
): Workflow => ({
    ...workflow,
    jobs: { up: upJob(images, branch), review: reviewJob(`github.ref != 'refs/heads/${branch}'`, branch) },
});

/** Workflows of images that are watched by their files: who looks for "the CI image" finds it by this name. */
const watched = [
    { file: "build-base-image.yml", name: "Build Base Docker Image", image: "base" },
    { file: "ci-image.yml", name: "Build CI Docker Image", image: "ci" },
] as const;

/**
 * The workflows that run `up`: one for each watched image, on pushes that touch its inputs, and the deployment, on every
 * push. That one alone keeps the branch converged, whatever the filters of the others miss.
 *
 * @param branch the branch that images are made from
 * @throws InputError when a watched image does not exist
 */
export function upWorkflows(images: readonly PreparedImage[], branch: string): Workflow[] {
    const ofImages = watched.map(({ file, name, image }) => {
        const paths = pathFilters(imageOf(images, image)) as [string, ...string[]];
        const on = { push: { branches: [branch], paths }, workflow_dispatch: dispatch } satisfies Workflow["on"];
        return upWorkflow({ file, name, on }, images, branch);
    });
    const on = {
        push: { branches: [branch] },
        workflow_run: { workflows: [watched[0].name], types: ["completed"], branches: [branch] },
        workflow_dispatch: dispatch,
    } satisfies Workflow["on"];
    return [...ofImages, upWorkflow({ file: "deploy.yml", name: "Deploy Discord Bot", on }, images, branch)];
}
