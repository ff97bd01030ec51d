import type { Checkout } from "../lib/context/checkout";
import { imageNames } from "../lib/hierarchy/definition";
import { checkWorkflow } from "./checks";
import { ciBranch, ciPlatformStacks, ciReading, ciRegistry, ciRepository } from "./ciStack";
import { type RepositoryDefinitions, defaultUp } from "./definition";
import { dependabot } from "./dependabot";
import { render, renderWorkflow } from "./document";
import { isOwnRepository, onlyIf } from "./forks";
import { workflowImages } from "./images";
import { readPins } from "./pins";
import { checkPreviewSettings, previewWorkflow } from "./preview";
import { registriesOf } from "./registries";
import { reviewWorkflow } from "./review";
import { upWorkflows } from "./up";

export { header } from "./document";

/**
 * Returns the generated files of `.github/`: their texts by path, relative to the repository's root. Whatever the current stack is, they are
 * those of CI's stack, so that every stack delivers the same files.
 *
 * @param definitions checked definitions: the result of `loadDefinitions`
 * @param branch the branch from which images are built; by default that of CI's stack
 * @throws InputError for bad input in images.ts, the Dockerfiles, the configuration of CI's stack and pins.json
 */
export function workflowFiles(
    checkout: Checkout,
    definitions: RepositoryDefinitions,
    branch: string = ciBranch(checkout.root),
): Readonly<Record<string, string>> {
    const { workflows: defined = {} } = definitions;
    const { up = defaultUp, checks = [], review = {}, preview, dependabot: updates = {}, ...rest } = defined;
    if (preview) checkPreviewSettings(checkout.root);
    const images = workflowImages(checkout, definitions);
    const pins = readPins(checkout.root);
    const pushedTo = ciRegistry(checkout.root);
    const registries = registriesOf(images, pushedTo);
    const platformStacks = ciPlatformStacks(checkout.root);
    const workflows = [
        ...upWorkflows(images, up, branch, registries, imageNames(definitions), { ...rest, platformStacks }),
        ...checks.map((check) => checkWorkflow(images, check, pushedTo)),
        reviewWorkflow(review, branch, registries, ciReading(checkout.root), rest),
        ...(preview ? [previewWorkflow(images, preview, registries, rest)] : []),
    ].map((workflow) => onlyIf(isOwnRepository(ciRepository(checkout.root)), workflow));
    return {
        ...Object.fromEntries(
            workflows.map((workflow) => [`.github/workflows/${workflow.file}`, renderWorkflow(workflow, pins)]),
        ),
        ...(updates !== false && { ".github/dependabot.yml": render(dependabot(images, updates), pins) }),
    };
}
