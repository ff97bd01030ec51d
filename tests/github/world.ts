import { openCheckout } from "../../lib/context/checkout";
import * as definitions from "../../images";
import { packageRoot } from "../../lib/system/paths";
import { workflowFiles } from "../../workflows/files";
import { workflowImages } from "../../workflows/images";
import { expressions } from "./expressions";
import { Model } from "./model";
import { naiveWorkflows } from "./naive";
import type { ModelImage } from "./repository";
import { type WorkflowText, readWorkflow } from "./workflowText";

const prepared = workflowImages(openCheckout(packageRoot), definitions).filter(
    ({ repository }) => repository !== undefined,
);
const images: Record<string, ModelImage> = Object.fromEntries(
    prepared.map(({ key, definition, parents, inputs }) => {
        const parent = parents[0]?.key;
        const image = { dockerfile: definition.dockerfile, inputs: inputs.map((input) => input.path) };
        return [key, parent === undefined ? image : { ...image, parent }];
    }),
);
/** This repository's workflows, as generated. */
export const ours = Object.entries(workflowFiles(workflowImages(openCheckout(packageRoot), definitions), "main"))
    .filter(([file]) => file.startsWith(".github/workflows/"))
    .map(([, text]) => readWorkflow(text));
/** The naive workflows. */
export const naive = Object.values(naiveWorkflows).map(readWorkflow);

/** Returns a function that creates a model of this repository's published images for given workflows. */
export async function modelOf(): Promise<(workflows: readonly WorkflowText[]) => Model> {
    const evaluator = await expressions();
    return (workflows) => new Model(workflows, images, evaluator);
}
