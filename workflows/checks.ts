import { imageVariable } from "../lib/github/names";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { parseReference, pushedRepository } from "../lib/registry/references";
import type { CheckDefinition, StepDefinition } from "./definition";
import type { Step, Workflow } from "./document";
import { imageOf } from "./images";
import { containerCredentials } from "./registries";
import { checkout } from "./steps";

/** Condition that runs a step even after another step failed. */
const afterFailure = "${{ !cancelled() }}";

const checkStep = ({ name, run, env, always = false }: StepDefinition): Step => ({
    name,
    ...(always && { if: afterFailure }),
    run,
    ...(env && { env }),
});

/**
 * Returns the workflow of a check, which runs on pull requests and in merge queues in exactly the image that the last `up` published. Pull requests from forks
 * use the current tag instead, because GitHub does not give their runs any variables.
 *
 * @param pushedTo "host[:port][/prefix]" that CI's stack pushes to instead of the registries in the images' names
 */
export function checkWorkflow(
    images: readonly PreparedImage[],
    check: CheckDefinition,
    pushedTo: string | undefined,
): Workflow {
    const { file, name, image, steps, minutes = 20 } = check;
    const named = imageOf(images, image).definition.name ?? "";
    const published =
        pushedTo === undefined
            ? named
            : `${pushedRepository(named, pushedTo)}:${parseReference(named).tag ?? "latest"}`;
    return {
        file,
        name,
        // A merge queue waits for every required check, and only these events of it start them.
        on: { pull_request: {}, merge_group: {}, workflow_dispatch: {} },
        concurrency: { group: "${{ github.workflow }}-${{ github.ref }}", "cancel-in-progress": true },
        jobs: {
            [file.replace(/\.yml$/, "")]: {
                name,
                "runs-on": "ubuntu-latest",
                "timeout-minutes": minutes,
                permissions: { contents: "read", packages: "read" },
                container: {
                    image: `\${{ vars.${imageVariable(image)} || '${published}' }}`,
                    credentials: containerCredentials(parseReference(published).registry),
                },
                steps: [checkout(), ...steps.map(checkStep)],
            },
        },
    };
}
