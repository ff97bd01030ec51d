import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { UpDefinition } from "./definition";
import type { Job, Workflow } from "./document";
import { imageOf } from "./images";
import { pathFilters } from "./pathFilters";
import { type RegistryHost, logIns } from "./registries";
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
} from "./steps";

const isBranch = (branch: string) => `github.ref == 'refs/heads/${branch}'`;

const dispatch = {
    inputs: {
        refresh: {
            description: "Check the registry first, and rebuild what it lost",
            type: "boolean",
            default: false,
        },
        rebuild: {
            description: "Images to build again without cache: keys of images.ts, separated by spaces",
            type: "string",
            default: "",
        },
    },
} as const;

/**
 * Returns the job that updates the whole stack to the head of the branch. All these jobs share a concurrency group and check out the
 * branch after they waited. So it doesn't matter which job runs, or that GitHub cancels all waiting jobs except the newest: the last job
 * sees all commits. On other branches the group is unique to the run, because GitHub assigns a job to its group before it evaluates `if`.
 */
const upJob = (
    images: readonly PreparedImage[],
    branch: string,
    minutes: number,
    registries: readonly RegistryHost[],
): Job => ({
    name: "Up",
    if: isBranch(branch),
    concurrency: {
        group: `\${{ ${isBranch(branch)} && 'pulumi-up' || github.run_id }}`,
        "cancel-in-progress": false,
    },
    "runs-on": "ubuntu-latest",
    "timeout-minutes": minutes,
    environment: upEnvironment,
    permissions: { actions: "read", contents: "read", packages: "write", "id-token": "write" },
    steps: [
        checkout({ ref: branch }),
        ...setUpNode,
        ...setUpPulumi("write", minutes),
        ...setUpBuilder(images),
        ...logIns(registries, "push"),
        restoreHistory(branch),
        ...upSteps("inputs.refresh", "inputs.rebuild"),
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
 */
export function upWorkflows(
    images: readonly PreparedImage[],
    definitions: readonly UpDefinition[],
    branch: string,
    registries: readonly RegistryHost[],
): Workflow[] {
    return definitions.map(({ file, name, images: watched, after, minutes = 180 }) => {
        const paths = watched && pathFilters(watched.map((key) => imageOf(images, key)));
        const earlier = definitions.find((workflow) => workflow.file === after);
        return {
            file,
            name,
            on: {
                push: { branches: [branch], ...(paths && { paths }) },
                ...(earlier && {
                    workflow_run: { workflows: [earlier.name], types: ["completed"], branches: [branch] },
                }),
                workflow_dispatch: dispatch,
            },
            jobs: {
                up: upJob(images, branch, minutes, registries),
                review: reviewJob(`github.ref != 'refs/heads/${branch}'`, branch, registries),
            },
        };
    });
}
