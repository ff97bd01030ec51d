import * as pulumi from "@pulumi/pulumi";
import { knownOutputs } from "./components/failures";
import { ImageHierarchy } from "./components/imageHierarchy";
import { RepositorySecrets } from "./components/repositorySecrets";
import { WorkflowFiles, type WorkflowFilesArgs } from "./components/workflowFiles";
import { readConfig } from "./config";
import type { GitHubConfig } from "./githubConfig";
import { images as definitions } from "./images";
import { planDelivery } from "./lib/deliveryPlan";
import { InputError, asInputError } from "./lib/errors";
import { publishedVariables } from "./lib/github";
import { UnreachableError } from "./lib/githubApi";
import { prepareLayers } from "./lib/layers";
import { unusedPins } from "./lib/roots";
import { removeLeftovers } from "./lib/repositoryFiles";
import { removeVariable } from "./lib/repositoryVariables";
import { warningsOf } from "./lib/warnings";
import { ciBranch } from "./workflows/ciStack";
import { workflowFiles } from "./workflows/files";
import { workflowLayers } from "./workflows/layers";

/** How the workflow files are delivered: asked before anything is made, so that what is refused is refused first. */
async function planWorkflows(github: GitHubConfig, files: WorkflowFilesArgs["files"], variables: number) {
    try {
        const wishes = { ...github, variables, looking: pulumi.runtime.isDryRun() };
        const { delivery, warnings } = await planDelivery(github, files, wishes);
        for (const warning of warnings) void pulumi.log.warn(warning);
        return delivery;
    } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        if (!pulumi.runtime.isDryRun()) throw new InputError({ problem: error.message, next: error.next });
        void pulumi.log.warn(
            `${error.message}. What is there is not known, and nothing of an open pull request is deleted; to plan the images ` +
                "alone: pulumi preview --exclude '**github:index/**'",
        );
        return { by: github.delivery === "direct" ? "commits" : "unknown" } as const;
    }
}

async function compose() {
    // The engine starts the program in the repository's root; everything that enters the state is relative to it.
    const root = process.cwd();
    const config = readConfig(root);
    const { github } = config;
    const layers = prepareLayers(root, definitions, config);
    const unused = unusedPins(root, definitions, config);
    for (const warning of [...warningsOf(definitions, layers), ...unused]) void pulumi.log.warn(warning);
    const files = github ? workflowFiles(workflowLayers(root, definitions), ciBranch(root)) : {};
    const published = layers.filter(({ repository }) => repository !== undefined);
    const delivery = github && (await planWorkflows(github, files, published.length));
    const hierarchy = new ImageHierarchy("images", { layers, root, stageRoot: ".stage", secrets: config.secrets });
    if (!github || !delivery) {
        void pulumi.log.info("no repository on GitHub is configured (github.repository): images only");
        return knownOutputs({ images: hierarchy.outputs() });
    }
    const variables = publishedVariables(hierarchy.promotedRefs());
    new RepositorySecrets("repository", { ...github, variables, removeVariable: (one) => removeVariable(github, one) });
    const { pullRequest } = new WorkflowFiles("workflows", {
        ...{ ...github, files, delivery },
        removeLeftovers: (from, options) => removeLeftovers({ ...github, branch: from }, files, options),
    });
    return knownOutputs({ images: hierarchy.outputs(), github: { variables, pullRequest } });
}

/**
 * The program. Stack outputs are `images` (per image the promoted ref and digest, the digest of each platform, and the
 * parent) and, where a repository is configured, `github` (its variables, and the pull request that waits to be merged); after an
 * update that failed, what the last one said that did not.
 * Bad input is told as a message; only a fault of the program itself shows a stack.
 */
async function program() {
    try {
        return await compose();
    } catch (error) {
        const input = asInputError(error);
        throw input ? new pulumi.RunError(input.message) : error;
    }
}

export = program;
