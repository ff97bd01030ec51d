import * as pulumi from "@pulumi/pulumi";
import { deleteNothingAfterFailures, failAtEnd, knownOutputs } from "./components/failures";
import { ImageHierarchy } from "./components/imageHierarchy";
import { RepositorySettings } from "./components/repositorySettings";
import { WorkflowFiles } from "./components/workflowFiles";
import { type StackConfig, readConfig } from "./config";
import { askFrontends } from "./lab/frontends";
import { type Checkout, openCheckout } from "./lib/context/checkout";
import { asInputError } from "./lib/errors";
import { planGitHub } from "./lib/github/deliver";
import { removeLeftovers } from "./lib/github/files";
import { publishedVariables } from "./lib/github/names";
import { removeVariable } from "./lib/github/repository";
import type { Definitions } from "./lib/hierarchy/definition";
import { type Hierarchy, readHierarchy } from "./lib/hierarchy/prepare";
import { stageHierarchy } from "./lib/hierarchy/staging";
import { warningsOf } from "./lib/hierarchy/warnings";
import { ciBranch } from "./workflows/ciStack";
import { workflowFiles } from "./workflows/files";
import { workflowImages } from "./workflows/images";

/** Folder of staged build contexts, from the repository's root. */
const stageRoot = ".stage";

/** Reads everything that the stack builds, and warns of what may not be meant. */
async function read(checkout: Checkout, definitions: Definitions, config: StackConfig): Promise<Hierarchy> {
    const known = readHierarchy(checkout, definitions, config);
    const hierarchy = { ...known, images: await askFrontends(known.images, config.labRegistry) };
    for (const warning of warningsOf(hierarchy, config.pins)) void pulumi.log.warn(warning);
    return hierarchy;
}

/** What is decided about GitHub before any resource is made; undefined where the stack names no repository. */
async function decide(checkout: Checkout, hierarchy: Hierarchy, { github }: StackConfig) {
    if (!github) {
        void pulumi.log.info("no repository on GitHub is configured (github.repository): images only");
        return undefined;
    }
    const files = workflowFiles(workflowImages(checkout, hierarchy.definitions), ciBranch(checkout.root));
    const published = hierarchy.images.filter(({ repository }) => repository !== undefined);
    const wishes = { variables: published.length, looking: pulumi.runtime.isDryRun() };
    const plan = await planGitHub(github, files, { ...github, ...wishes });
    for (const warning of plan.warnings) void pulumi.log.warn(warning);
    return { github, files, plan };
}

/** Makes what was decided about GitHub. */
function deliver(
    { github, files, plan }: NonNullable<Awaited<ReturnType<typeof decide>>>,
    refs: Readonly<Record<string, pulumi.Output<string>>>,
) {
    // What is left out stays as it is: an error that is only logged would have it deleted.
    for (const error of plan.errors) failAtEnd(error);
    const variables = publishedVariables(refs);
    const settings =
        plan.setsValues &&
        new RepositorySettings("repository", {
            ...github,
            variables,
            removeVariable: (name: string) => removeVariable(github, name),
        });
    const workflows =
        plan.delivery &&
        new WorkflowFiles("workflows", {
            ...github,
            files,
            delivery: plan.delivery,
            removeLeftovers: (from, options) => removeLeftovers({ ...github, branch: from }, files, options),
        });
    return {
        done: [settings && settings.set, workflows?.delivered],
        outputs: { variables, pullRequest: workflows?.pullRequest },
    };
}

/** Reads, decides, stages, and then makes resources: nothing is decided any more once the first one exists. */
async function compose(definitions: Definitions) {
    // The engine starts the program in the repository's root; everything that enters the state is relative to it.
    const checkout = openCheckout(process.cwd());
    const config = readConfig(checkout.root);
    const hierarchy = await read(checkout, definitions, config);
    const decided = await decide(checkout, hierarchy, config);
    const staged = stageHierarchy(checkout, hierarchy, stageRoot);
    const images = new ImageHierarchy("images", { images: hierarchy.images, staged, secrets: config.secrets });
    const delivered = decided && deliver(decided, images.promotedRefs());
    deleteNothingAfterFailures([images.outputs(), delivered?.done]);
    return knownOutputs({ images: images.outputs(), ...(delivered && { github: delivered.outputs }) });
}

/**
 * The Pulumi program for a repository, to be exported by its index.ts. Stack outputs are `images` (per image the promoted ref and
 * digest, the digest of each platform, and the parent) and, where a repository on GitHub is configured, `github` (its variables, and the
 * pull request that waits to be merged); after an update that failed, what the last successful one said.
 *
 * Bad input ends it with a message; only a fault of the program itself shows a stack trace.
 *
 * @param definitions what the repository's images.ts exports
 */
export const program = (definitions: Definitions) => async () => {
    try {
        return await compose(definitions);
    } catch (error) {
        const input = asInputError(error);
        throw input ? new pulumi.RunError(input.message) : error;
    }
};
