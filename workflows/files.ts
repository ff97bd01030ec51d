import type { PreparedImage } from "../lib/hierarchy/prepare";
import { checkWorkflows } from "./checks";
import { dependabot } from "./dependabot";
import { render, renderWorkflow } from "./document";
import { reviewWorkflow } from "./review";
import { upWorkflows } from "./up";

export { header } from "./document";

/**
 * Every file of `.github/` that this program owns, by path from the repository's root.
 *
 * @param images the images as `workflowImages` gives them
 * @param branch the branch that images are made from, as `ciBranch` gives it
 * @throws InputError when a workflow is about an image that does not exist
 */
export function workflowFiles(images: readonly PreparedImage[], branch: string): Readonly<Record<string, string>> {
    const workflows = [...upWorkflows(images, branch), ...checkWorkflows(images), reviewWorkflow(branch)];
    return {
        ...Object.fromEntries(workflows.map((one) => [`.github/workflows/${one.file}`, renderWorkflow(one)])),
        ".github/dependabot.yml": render(dependabot(images)),
    };
}
