import * as pulumi from "@pulumi/pulumi";
import { deleteNothingAfterFailures, failAtEnd, knownOutputs } from "./components/failures";
import { ImageHierarchy } from "./components/imageHierarchy";
import { RepositorySettings } from "./components/repositorySettings";
import { WorkflowFiles } from "./components/workflowFiles";
import { readConfig } from "./config";
import * as definitions from "./images";
import { askFrontends } from "./lab/frontends";
import { asInputError } from "./lib/errors";
import { planGitHub } from "./lib/github/deliver";
import { removeLeftovers } from "./lib/github/files";
import { publishedVariables } from "./lib/github/names";
import { removeVariable } from "./lib/github/repository";
import { prepareImages } from "./lib/hierarchy/prepare";
import { unusedPins } from "./lib/hierarchy/roots";
import { warningsOf } from "./lib/hierarchy/warnings";
import { ciBranch } from "./workflows/ciStack";
import { workflowFiles } from "./workflows/files";
import { workflowImages } from "./workflows/images";

async function compose() {
    // The engine starts the program in the repository's root; everything that enters the state is relative to it.
    const root = process.cwd();
    const config = readConfig(root);
    const { github } = config;
    const images = await askFrontends(prepareImages(root, definitions, config), config.labRegistry);
    const unused = unusedPins(root, definitions, config);
    for (const warning of [...warningsOf(definitions.images, images), ...unused]) void pulumi.log.warn(warning);
    const files = github ? workflowFiles(workflowImages(root, definitions), ciBranch(root)) : {};
    const published = images.filter(({ repository }) => repository !== undefined);
    const wishes = { variables: published.length, looking: pulumi.runtime.isDryRun() };
    const plan = github && (await planGitHub(github, files, { ...github, ...wishes }));
    const hierarchy = new ImageHierarchy("images", { images, root, stageRoot: ".stage", secrets: config.secrets });
    if (!github || !plan) {
        void pulumi.log.info("no repository on GitHub is configured (github.repository): images only");
        deleteNothingAfterFailures(hierarchy.outputs());
        return knownOutputs({ images: hierarchy.outputs() });
    }
    for (const warning of plan.warnings) void pulumi.log.warn(warning);
    // What is left out stays as it is: an error that is only logged would have it deleted.
    for (const error of plan.errors) failAtEnd(error);
    const variables = publishedVariables(hierarchy.promotedRefs());
    const removing = { removeVariable: (one: string) => removeVariable(github, one) };
    const values = plan.setsValues && new RepositorySettings("repository", { ...github, variables, ...removing });
    const { delivery } = plan;
    const workflows =
        delivery &&
        new WorkflowFiles("workflows", {
            ...{ ...github, files, delivery },
            removeLeftovers: (from, options) => removeLeftovers({ ...github, branch: from }, files, options),
        });
    deleteNothingAfterFailures([hierarchy.outputs(), values && values.set, workflows?.delivered]);
    return knownOutputs({ images: hierarchy.outputs(), github: { variables, pullRequest: workflows?.pullRequest } });
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
