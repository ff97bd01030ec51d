import type { PreparedLayer } from "../lib/layers";
import { checkWorkflows } from "./checks";
import { dependabot } from "./dependabot";
import { render, renderWorkflow } from "./document";
import { reviewWorkflow } from "./review";
import { upWorkflows } from "./up";

export { header } from "./document";

/**
 * Every file of `.github/` that this program owns, by path from the repository's root.
 *
 * @param layers the images as `workflowLayers` gives them
 * @throws InputError when a workflow is about an image that does not exist
 */
export function workflowFiles(layers: readonly PreparedLayer[]): Readonly<Record<string, string>> {
    const workflows = [...upWorkflows(layers), ...checkWorkflows(layers), reviewWorkflow];
    return {
        ...Object.fromEntries(workflows.map((one) => [`.github/workflows/${one.file}`, renderWorkflow(one)])),
        ".github/dependabot.yml": render(dependabot(layers)),
    };
}
