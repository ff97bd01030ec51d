import * as pulumi from "@pulumi/pulumi";
import { componentTypes } from "../lib/engine/resources";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { StagedImage } from "../lib/hierarchy/staging";
import { Image } from "./image";

/** What a hierarchy needs. */
export interface ImageHierarchyArgs {
    /** The images in build order, parents first. */
    readonly images: readonly PreparedImage[];
    /** Build secrets by name. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** What is staged of each image, by key. */
    readonly staged: Readonly<Record<string, StagedImage>>;
}

/** All images of the repository. Images are flat children; ancestry flows as data, from digest to named build context. */
export class ImageHierarchy extends pulumi.ComponentResource {
    public readonly images: Readonly<Record<string, Image>>;

    public constructor(name: string, args: ImageHierarchyArgs, opts?: pulumi.ComponentResourceOptions) {
        super(componentTypes.hierarchy, name, {}, opts);
        const images: Record<string, Image> = {};
        for (const prepared of args.images) {
            const { key } = prepared;
            const staged = args.staged[key];
            if (!staged) throw new Error(`image ${key} was not staged`);
            const parents = Object.fromEntries(
                prepared.parents.flatMap(({ by }) => (images[by] ? [[by, images[by]]] : [])),
            );
            images[key] = new Image({ prepared, staged, parents, secrets: args.secrets }, { parent: this });
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
