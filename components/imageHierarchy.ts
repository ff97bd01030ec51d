import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { PreparedLayer } from "../lib/hierarchy/prepare";
import { type StageRequest, stageContext } from "../lib/context/stage";
import { ImageLayer } from "./image";

/** What a hierarchy needs. */
export interface ImageHierarchyArgs {
    /** The images in build order, parents first. */
    readonly layers: readonly PreparedLayer[];
    /** Build secrets by name. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** The repository's root. */
    readonly root: string;
    /** Folder that holds staged contexts, relative to `root`. */
    readonly stageRoot: string;
}

/** All images of the repository. Layers are flat children; ancestry flows as data, from digest to named build context. */
export class ImageHierarchy extends pulumi.ComponentResource {
    public readonly layers: Readonly<Record<string, ImageLayer>>;

    public constructor(name: string, args: ImageHierarchyArgs, opts?: pulumi.ComponentResourceOptions) {
        super("layered-images:components:ImageHierarchy", name, {}, opts);
        const { root, stageRoot } = args;
        const layers: Record<string, ImageLayer> = {};
        for (const layer of args.layers) {
            const { key, definition, tests } = layer;
            const base = path.join(root, definition.context ?? ".");
            const stage = (request: Pick<StageRequest, "base" | "image" | "inputHash" | "files" | "dockerfile">) =>
                stageContext({ root, stageRoot, ...request });
            const { inputHash, meaning: dockerfile, inputs: files } = layer;
            const staged = stage({ base, image: key, inputHash, files, dockerfile });
            const stagedTests = tests && { ...stage({ image: `${key}-test`, ...tests }), scripts: tests.scripts };
            const parents = Object.fromEntries(
                layer.parents.flatMap(({ by }) => (layers[by] ? [[by, layers[by]]] : [])),
            );
            layers[key] = new ImageLayer(
                { layer, staged, parents, secrets: args.secrets, ...(stagedTests && { tests: stagedTests }) },
                { parent: this },
            );
        }
        this.layers = layers;
        this.registerOutputs({});
    }

    /** `<repository>@<digest>` of what each image's `latest` was promoted to; images that are never pushed are left out. */
    public promotedRefs(): Record<string, pulumi.Output<string>> {
        return Object.fromEntries(
            Object.entries(this.layers).flatMap(([key, { promotion }]) => (promotion ? [[key, promotion.ref]] : [])),
        );
    }

    /** Stack outputs: per image where it is promoted, its digests by platform and its parent. */
    public outputs(): Record<string, pulumi.Output<unknown>> {
        return Object.fromEntries(Object.entries(this.layers).map(([key, layer]) => [key, layer.outputs()]));
    }
}
