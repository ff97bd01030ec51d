import * as pulumi from "@pulumi/pulumi";
import { hash12 } from "../lib/context/hash";
import type { PreparedLayer } from "../lib/hierarchy/prepare";
import { rootsOf } from "../lib/hierarchy/roots";
import type { Platform } from "../lib/platform";
import { knownOutputs } from "./failures";
import { buildHooks } from "./hooks";
import { type PlatformImage, type PlatformImageArgs, platformImage } from "./platformImage";
import { Promotion } from "./promotion";

/** What an image needs to become resources. */
export interface ImageLayerArgs extends Pick<PlatformImageArgs, "layer" | "staged" | "tests" | "secrets"> {
    /** The layers of `layer.parents`, by key. */
    readonly parents: Readonly<Record<string, ImageLayer>>;
}

/**
 * One image of the hierarchy: per platform a build pushed under its immutable build tag and a smoke test of it, then the
 * promotion of the tested digests. Children take `platformImages`, never a tag.
 */
export class ImageLayer extends pulumi.ComponentResource {
    public readonly layer: PreparedLayer;
    public readonly platformImages: ReadonlyMap<Platform, PlatformImage>;
    public readonly promotion: Promotion | undefined;

    public constructor(args: ImageLayerArgs, opts: pulumi.ComponentResourceOptions) {
        const { layer, parents } = args;
        // Plans and states hold the inputs of components: this is how a review knows which file changed.
        const inputs = {
            dockerfile: { [layer.definition.dockerfile]: hash12(layer.meaning) },
            parents: layer.parents.map((parent) => parent.by),
            roots: Object.fromEntries(rootsOf(layer).map((root) => [root.expanded, root.by ?? "not pinned"])),
            // One that only reads the Dockerfile: nothing is built on it.
            ...(layer.frontend && { frontend: layer.frontend.expanded }),
            platforms: layer.platforms,
            inputs: describeInputs(layer.inputs),
            // Of the build that is wanted: its own resource keeps that of the last one that succeeded.
            inputHash: layer.inputHash,
            // Their names: a build's own property is secret as a whole.
            secrets: [...(layer.definition.secrets ?? [])],
            smokeTests: describeInputs(layer.tests?.files ?? []),
        };
        super("layered-images:components:ImageLayer", layer.key, inputs, opts);
        this.layer = layer;
        const hooks = buildHooks(layer);
        const build = (platform: Platform): PlatformImage => {
            const refs = layer.parents.flatMap(({ expanded, by, platforms }) => {
                const own = platforms[platform];
                return own === undefined ? [] : [{ expanded, ...parentOn(parents, by, own) }];
            });
            return platformImage({ ...args, hooks, platform, parents: refs }, this);
        };
        this.platformImages = new Map(layer.platforms.map((platform) => [platform, build(platform)]));
        this.promotion = this.promote(parents);
        this.registerOutputs(knownOutputs({ ref: this.promotion?.ref }));
    }

    /** What the stack says of the image: promoted ref and digest, digest by platform, parent. Null where never pushed. */
    public outputs(): pulumi.Output<unknown> {
        const ref: pulumi.Output<string | undefined> = this.promotion?.ref ?? pulumi.output(undefined);
        const digests = [...this.platformImages].map(([platform, { image }]) => [platform, image.digest] as const);
        return pulumi.output({
            ref: ref.apply((text) => text ?? null),
            digest: ref.apply((text) => text?.slice(text.indexOf("@") + 1) ?? null),
            platforms: Object.fromEntries(digests),
            parent: this.layer.parents[0]?.by ?? this.layer.roots[0]?.expanded ?? null,
        });
    }

    private promote(parents: ImageLayerArgs["parents"]): Promotion | undefined {
        const { definition, repository, key } = this.layer;
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

/** By path, what the plan shows of a file: the start of its hash and whether it is executable, or where it links to. */
function describeInputs(files: PreparedLayer["inputs"]): Record<string, string> {
    const describe = ({ hash, executable, symlink, folder }: PreparedLayer["inputs"][number]) => {
        if (folder) return "folder";
        return symlink === undefined ? `${hash.slice(0, 12)}${executable ? " executable" : ""}` : `→ ${symlink}`;
    };
    return Object.fromEntries(files.map((file) => [`${file.path}${file.folder ? "/" : ""}`, describe(file)] as const));
}

function parentOn(parents: ImageLayerArgs["parents"], key: string, platform: Platform): PlatformImage {
    const parent = parents[key]?.platformImages.get(platform);
    if (parent) return parent;
    throw new Error(`image ${key} is not built for ${platform}, although an image was put on top of it`);
}
