import * as pulumi from "@pulumi/pulumi";
import { componentTypes } from "../lib/engine/resources";
import { type Elsewhere, nothingElsewhere } from "../lib/hierarchy/elsewhere";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { StagedImage } from "../lib/hierarchy/staging";
import type { PolicySettings } from "../lib/policy/settings";
import { type FormerState, emptyState } from "./formerState";
import { type TimeLimits, timeLimits } from "../lib/update/timeLimits";
import { Image } from "./image";
import type { StackBuilder } from "./stackBuilder";

/** The arguments of the hierarchy's component. */
export interface ImageHierarchyArgs {
    /** The images in build order, parents first. */
    readonly images: readonly PreparedImage[];
    /** Build secrets by name. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** Keys of the images that this update builds without cache. */
    readonly uncached: readonly string[];
    /** How long everything may take. By default as long as a stack without settings and records allows. */
    readonly limits?: TimeLimits;
    /** The staged contexts of each image, by key. */
    readonly staged: Readonly<Record<string, StagedImage>>;
    /**
     * What the state has before this run, from `readFormerState`: promotions add their releases to it, and it keeps builds of pinned
     * images. By default nothing.
     */
    readonly former?: FormerState;
    /** What other stacks have of their platforms. By default nothing. */
    readonly elsewhere?: Elsewhere;
    /** Whether the stack promotes. By default it does. */
    readonly promotes?: boolean;
    /** The builder that the stack sets. By default buildx's current builder. */
    readonly builder?: StackBuilder | undefined;
    /** What the stack refuses to promote. By default nothing. */
    readonly policy?: PolicySettings | undefined;
}

/**
 * All images of the repository. Images are siblings; ancestry is expressed as data, from digest to named build context.
 */
export class ImageHierarchy extends pulumi.ComponentResource {
    private readonly made: Record<string, Image> = {};

    public constructor(name: string, args: ImageHierarchyArgs, opts?: pulumi.ComponentResourceOptions) {
        super(componentTypes.hierarchy, name, {}, opts);
        this.add(args);
        this.registerOutputs({});
    }

    /** The images by key, in the order in which they were added. */
    public get images(): Readonly<Record<string, Image>> {
        return this.made;
    }

    /** Adds images, whose parents are there or among them. */
    public add(args: ImageHierarchyArgs): void {
        const { images, staged, uncached, secrets, limits = timeLimits({}, []), former = emptyState, builder } = args;
        const { elsewhere = nothingElsewhere, promotes = true, policy } = args;
        for (const prepared of images) {
            const { key } = prepared;
            const contexts = staged[key];
            if (!contexts) throw new Error(`image ${key} was not staged`);
            const parents = Object.fromEntries(
                prepared.parents.flatMap((parent) => {
                    const image = this.made[parent.key];
                    return image ? [[parent.key, image] as const] : [];
                }),
            );
            const imageArgs = {
                prepared,
                staged: contexts,
                parents,
                uncached: uncached.includes(key),
                secrets,
                limits,
                former,
                builder,
                elsewhere,
                promotes,
                policy,
            };
            this.made[key] = new Image(imageArgs, { parent: this });
        }
    }

    /** Returns `<repository>@<digest>` of each image's promoted release; images that are never pushed are absent. */
    public promotedRefs(): Record<string, pulumi.Output<string>> {
        return Object.fromEntries(
            Object.entries(this.made).flatMap(([key, { promotion }]) => (promotion ? [[key, promotion.ref]] : [])),
        );
    }

    /** Returns an output that is resolved when all images are built, tested and promoted, or failed. */
    public done(): pulumi.Output<unknown> {
        return pulumi.all(Object.values(this.made).flatMap(({ resources }) => resources.map(({ urn }) => urn)));
    }

    /** Returns by image and platform what the stack has, for other stacks. */
    public builds(): Record<string, pulumi.Output<unknown>> {
        return Object.fromEntries(Object.entries(this.made).map(([key, image]) => [key, image.builds()]));
    }

    /** Returns the stack outputs by image: its promoted ref and digest, its digests by platform, and its parent. */
    public outputs(): Record<string, pulumi.Output<unknown>> {
        return Object.fromEntries(Object.entries(this.made).map(([key, image]) => [key, image.outputs()]));
    }
}
