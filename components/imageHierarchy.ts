import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { componentTypes } from "../lib/engine/resources";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { type StageRequest, stageContext } from "../lib/context/stage";
import { Image } from "./image";

/** What a hierarchy needs. */
export interface ImageHierarchyArgs {
    /** The images in build order, parents first. */
    readonly images: readonly PreparedImage[];
    /** Build secrets by name. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** The repository's root. */
    readonly root: string;
    /** Folder that holds staged contexts, relative to `root`. */
    readonly stageRoot: string;
}

/** All images of the repository. Images are flat children; ancestry flows as data, from digest to named build context. */
export class ImageHierarchy extends pulumi.ComponentResource {
    public readonly images: Readonly<Record<string, Image>>;

    public constructor(name: string, args: ImageHierarchyArgs, opts?: pulumi.ComponentResourceOptions) {
        super(componentTypes.hierarchy, name, {}, opts);
        const { root, stageRoot } = args;
        const images: Record<string, Image> = {};
        for (const image of args.images) {
            const { key, definition, tests } = image;
            const base = path.join(root, definition.context ?? ".");
            const stage = (request: Pick<StageRequest, "base" | "image" | "inputHash" | "files" | "dockerfile">) =>
                stageContext({ root, stageRoot, ...request });
            const { inputHash, meaning: dockerfile, inputs: files } = image;
            const staged = stage({ base, image: key, inputHash, files, dockerfile });
            const stagedTests = tests && { ...stage({ image: `${key}-test`, ...tests }), scripts: tests.scripts };
            const parents = Object.fromEntries(
                image.parents.flatMap(({ by }) => (images[by] ? [[by, images[by]]] : [])),
            );
            images[key] = new Image(
                { prepared: image, staged, parents, secrets: args.secrets, ...(stagedTests && { tests: stagedTests }) },
                { parent: this },
            );
        }
        this.images = images;
        this.registerOutputs({});
    }

    /** `<repository>@<digest>` of what each image's `latest` was promoted to; images that are never pushed are left out. */
    public promotedRefs(): Record<string, pulumi.Output<string>> {
        return Object.fromEntries(
            Object.entries(this.images).flatMap(([key, { promotion }]) => (promotion ? [[key, promotion.ref]] : [])),
        );
    }

    /** Stack outputs: per image where it is promoted, its digests by platform and its parent. */
    public outputs(): Record<string, pulumi.Output<unknown>> {
        return Object.fromEntries(Object.entries(this.images).map(([key, image]) => [key, image.outputs()]));
    }
}
