import * as pulumi from "@pulumi/pulumi";
import { componentTypes } from "../lib/engine/resources";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { StagedImage } from "../lib/hierarchy/staging";
import { Image } from "./image";

/** The arguments of the hierarchy's component. */
export interface ImageHierarchyArgs {
    /** The images in build order, parents first. */
    readonly images: readonly PreparedImage[];
    /** Build secrets by name. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** Keys of the images that this update builds without cache. */
    readonly uncached: readonly string[];
    /** The staged contexts of each image, by key. */
    readonly staged: Readonly<Record<string, StagedImage>>;
}

/**
 * All images of the repository. Images are siblings; ancestry is expressed as data, from digest to named build context.
 */
export class ImageHierarchy extends pulumi.ComponentResource {
    /** The images by key, in build order. */
    public readonly images: Readonly<Record<string, Image>>;

    public constructor(name: string, args: ImageHierarchyArgs, opts?: pulumi.ComponentResourceOptions) {
        super(componentTypes.hierarchy, name, {}, opts);
        const images: Record<string, Image> = {};
        for (const prepared of args.images) {
            const { key } = prepared;
            const staged = args.staged[key];
            if (!staged) throw new Error(`image ${key} was not staged`);
            const parents = Object.fromEntries(
                prepared.parents.flatMap((parent) => {
                    const image = images[parent.key];
                    return image ? [[parent.key, image] as const] : [];
                }),
            );
            const uncached = args.uncached.includes(key);
            images[key] = new Image({ prepared, staged, parents, uncached, secrets: args.secrets }, { parent: this });
        }
        this.images = images;
        this.registerOutputs({});
    }

    /** Returns `<repository>@<digest>` of each image's promoted release; images that are never pushed are absent. */
    public promotedRefs(): Record<string, pulumi.Output<string>> {
        return Object.fromEntries(
            Object.entries(this.images).flatMap(([key, { promotion }]) => (promotion ? [[key, promotion.ref]] : [])),
        );
    }

    /** Returns the stack outputs by image: its promoted ref and digest, its digests by platform, and its parent. */
    public outputs(): Record<string, pulumi.Output<unknown>> {
        return Object.fromEntries(Object.entries(this.images).map(([key, image]) => [key, image.outputs()]));
    }
}
