import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { images } from "../../images";
import { openCheckout } from "../../lib/context/checkout";
import { packageRoot } from "../../lib/system/paths";
import { workflows } from "../../workflows";
import type { RepositoryDefinitions } from "../../workflows/definition";
import { workflowFiles } from "../../workflows/files";
import { workflowImages } from "../../workflows/images";
import { writeTree } from "../writeTree";
import { expressions } from "./expressions";
import { invented, inventedFiles } from "./invented";
import { Model } from "./model";
import { naiveWorkflows } from "./naive";
import type { ModelImage } from "./repository";
import { type WorkflowText, readWorkflow } from "./workflowText";

/** A repository as GitHub knows it. */
export interface World {
    readonly definitions: RepositoryDefinitions;
    /** The generated files, by path. */
    readonly files: Readonly<Record<string, string>>;
    /** The generated workflows, as the model reads them. */
    readonly workflows: readonly WorkflowText[];
    /** The published images, parents first. */
    readonly images: Readonly<Record<string, ModelImage>>;
}

function worldOf(root: string, definitions: RepositoryDefinitions): World {
    const checkout = openCheckout(root);
    const files = workflowFiles(checkout, definitions, "main");
    const published = workflowImages(checkout, definitions).filter(({ repository }) => repository !== undefined);
    return {
        definitions,
        files,
        workflows: Object.entries(files)
            .filter(([file]) => file.startsWith(".github/workflows/"))
            .map(([, text]) => readWorkflow(text)),
        images: Object.fromEntries(
            published.map(({ key, definition, parents, inputs }) => {
                const parent = parents[0]?.key;
                const image = { dockerfile: definition.dockerfile, inputs: inputs.map((input) => input.path) };
                return [key, parent === undefined ? image : { ...image, parent }];
            }),
        ),
    };
}

/** The invented repository lies on the disk only while it is read. */
function inventedWorld(definitions: RepositoryDefinitions, files: Readonly<Record<string, string>> = {}): World {
    const root = mkdtempSync(path.join(tmpdir(), "layered-images-invented-"));
    try {
        writeTree(root, { ...inventedFiles, ...files });
        return worldOf(root, definitions);
    } finally {
        rmSync(root, { recursive: true });
    }
}

/** This repository. */
export const ours = worldOf(packageRoot, { images, workflows });
/** A repository that has nothing in common with this one. */
export const theirs = inventedWorld(invented);
/** The same repository without a workflows.ts. */
export const plain = inventedWorld({ images: invented.images });
/** A repository with the same images for two platforms, of which another stack builds one. */
export const split = inventedWorld(
    {
        ...invented,
        images: Object.fromEntries(
            Object.entries(invented.images).map(([key, image]) => [
                key,
                { ...image, platforms: ["linux/amd64", "linux/arm64"] as const },
            ]),
        ),
    },
    { "Pulumi.ci.yaml": "config:\n  orchard:platformStacks:\n    linux/arm64: ci-arm64\n" },
);
/** The naive workflows of a repository with this one's images. */
export const naive = Object.values(naiveWorkflows).map(readWorkflow);

/** Returns a function that creates a model of a repository's published images for given workflows. */
export async function modelOf(
    images: World["images"] = ours.images,
): Promise<(workflows: readonly WorkflowText[], options?: { readonly isFork?: boolean }) => Model> {
    const evaluator = await expressions();
    return (workflows, { isFork } = {}) => new Model(workflows, images, evaluator, isFork);
}
