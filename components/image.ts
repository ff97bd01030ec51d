import * as pulumi from "@pulumi/pulumi";
import { componentTypes, imageInputs } from "../lib/engine/resources";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Platform } from "../lib/platform";
import { digestOf } from "../lib/registry/references";
import { knownOutputs } from "./failures";
import { buildHooks } from "./hooks";
import { type PlatformImage, type PlatformImageArgs, platformImage } from "./platformImage";
import { Promotion } from "./promotion";

/** What an image needs to become resources. */
export interface ImageArgs extends Pick<PlatformImageArgs, "prepared" | "staged" | "secrets"> {
    /** The images of `prepared.parents`, by key. */
    readonly parents: Readonly<Record<string, Image>>;
}

/**
 * One image of the hierarchy: per platform a build pushed under its immutable build tag and a smoke test of it, then the
 * promotion of the tested digests. Children take `platformImages`, never a tag.
 */
export class Image extends pulumi.ComponentResource {
    public readonly prepared: PreparedImage;
    public readonly platformImages: ReadonlyMap<Platform, PlatformImage>;
    public readonly promotion: Promotion | undefined;

    public constructor(args: ImageArgs, opts: pulumi.ComponentResourceOptions) {
        const { prepared, parents } = args;
        super(componentTypes.image, prepared.key, imageInputs(prepared), opts);
        this.prepared = prepared;
        const hooks = buildHooks(prepared);
        const build = (platform: Platform): PlatformImage => {
            const refs = prepared.parents.flatMap(({ expanded, by, platforms }) => {
                const own = platforms[platform];
                return own === undefined ? [] : [{ expanded, ...parentOn(parents, by, own) }];
            });
            return platformImage({ ...args, hooks, platform, parents: refs }, this);
        };
        this.platformImages = new Map(prepared.platforms.map((platform) => [platform, build(platform)]));
        this.promotion = this.promote(parents);
        this.registerOutputs(knownOutputs({ ref: this.promotion?.ref }));
    }

    /** What the stack says of the image: promoted ref and digest, digest by platform, parent. Null where never pushed. */
    public outputs(): pulumi.Output<unknown> {
        const ref: pulumi.Output<string | undefined> = this.promotion?.ref ?? pulumi.output(undefined);
        const digests = [...this.platformImages].map(([platform, { image }]) => [platform, image.digest] as const);
        return pulumi.output({
            ref: ref.apply((text) => text ?? null),
            digest: ref.apply((text) => (text === undefined ? null : (digestOf(text) ?? null))),
            platforms: Object.fromEntries(digests),
            parent: this.prepared.parents[0]?.by ?? this.prepared.roots[0]?.expanded ?? null,
        });
    }

    private promote(parents: ImageArgs["parents"]): Promotion | undefined {
        const { definition, repository, key } = this.prepared;
        if (definition.name === undefined || repository === undefined) return undefined;
        const platformImages = [...this.platformImages.values()];
        return new Promotion(
            key,
            {
                name: definition.name,
                repository,
                refs: platformImages.map(({ ref }) => ref),
                tests: platformImages.flatMap(({ test }) => test ?? []),
                after: Object.values(parents).flatMap(({ promotion }) => promotion ?? []),
            },
            { parent: this },
        );
    }
}

function parentOn(parents: ImageArgs["parents"], key: string, platform: Platform): PlatformImage {
    const parent = parents[key]?.platformImages.get(platform);
    if (parent) return parent;
    throw new Error(`image ${key} is not built for ${platform}, although an image was put on top of it`);
}
