import type { PreparedImage } from "../lib/hierarchy/prepare";
import { checkWorkflows } from "./checks";
import { dependabot } from "./dependabot";
import { render, renderWorkflow } from "./document";
import { reviewWorkflow } from "./review";
import { upWorkflows } from "./up";

export { header } from "./document";

/**
 * Returns the generated files of `.github/`: their texts by path, relative to the repository's root.
 *
 * @param images the result of `workflowImages`
 * @param branch the branch from which images are built: the result of `ciBranch`
 * @throws InputError if a workflow refers to an image that does not exist
 */
export function workflowFiles(images: readonly PreparedImage[], branch: string): Readonly<Record<string, string>> {
    const workflows = [...upWorkflows(images, branch), ...checkWorkflows(images), reviewWorkflow(branch)];
    return {
        ...Object.fromEntries(
            workflows.map((workflow) => [`.github/workflows/${workflow.file}`, renderWorkflow(workflow)]),
        ),
        ".github/dependabot.yml": render(dependabot(images)),
    };
}
