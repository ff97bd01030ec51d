import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { buildTag } from "../lib/context";
import { type Platform, archOf } from "../lib/images";
import { type PreparedLayer, registryExport, sourceDateEpoch } from "../lib/layers";
import { Promotion } from "./promotion";
import type { StagedTests } from "../lib/smoke";
import { smokeTest } from "./smokeTest";

/** What an image needs to become resources. */
export interface ImageLayerArgs {
    readonly layer: PreparedLayer;
    /** The staged build context, relative to the program's folder. */
    readonly staged: { readonly context: string; readonly dockerfile: string };
    /** The staged smoke tests of the image's ancestors and its own; absent when there are none. */
    readonly tests?: StagedTests;
    /** The layers of `layer.parents`, by key. */
    readonly parents: Readonly<Record<string, ImageLayer>>;
}

/** What is pushed of an image for one platform. */
export interface PlatformImage {
    readonly image: dockerBuild.Image;
    /** `<repository>@<digest>`; what children build on. Empty for an image that is never pushed. */
    readonly ref: pulumi.Output<string>;
    readonly test?: dockerBuild.Image;
}

/**
 * `<repository>@<digest>`: the only way an image is handed on.
 *
 * @throws pulumi.RunError for an empty digest: a child must never be built on whatever a tag happens to name
 */
export function digestRef(key: string, repository: string, digest: string): string {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
        throw new pulumi.RunError(
            `image ${key} has no digest (got ${JSON.stringify(digest)}), so nothing can be built on it. Run \`pulumi up\` ` +
                "again; if it repeats, look at the builder's output for that image.",
        );
    }
    return `${repository}@${digest}`;
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
        const { layer } = args;
        // Plans and states hold the inputs of components: this is how a review knows which file changed.
        const inputs = {
            parents: layer.parents.map((parent) => parent.by),
            roots: Object.fromEntries(layer.roots.map((root) => [root.expanded, root.by ?? "not pinned"])),
            platforms: layer.platforms,
            inputs: Object.fromEntries(layer.inputs.map((file) => [file.path, describeInput(file)])),
        };
        super("layered-images:components:ImageLayer", layer.key, inputs, opts);
        this.layer = layer;
        this.platformImages = new Map(layer.platforms.map((platform) => [platform, this.build(args, platform)]));
        this.promotion = this.promote(args.parents);
        this.registerOutputs({ ref: this.promotion?.ref });
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

    private build({ layer, staged, tests, parents }: ImageLayerArgs, platform: Platform): PlatformImage {
        const { repository, definition } = layer;
        const refs = layer.parents.map(({ expanded, by }) => ({ expanded, ref: parentRef(parents, by, platform) }));
        const pinned = layer.roots.filter((root) => root.by !== undefined);
        const location = (ref: pulumi.Input<string>) => ({ location: pulumi.interpolate`docker-image://${ref}` });
        const tag = pulumi
            .all(refs.map(({ ref }) => ref))
            .apply((base) =>
                buildTag({ inputHash: layer.inputHash, platform, base: [...base, ...layer.roots.map(rootIdentity)] }),
            );
        const name = `${layer.key}-${archOf(platform)}`;
        const image = new dockerBuild.Image(
            name,
            {
                // A preview must not need a builder, and must hand `unknown`, not an empty digest, to the children.
                buildOnPreview: false,
                push: false,
                context: {
                    location: staged.context,
                    named: Object.fromEntries([
                        ...refs.map(({ expanded, ref }) => [expanded, location(ref)] as const),
                        ...pinned.map(({ expanded, by = "" }) => [expanded, location(by)] as const),
                    ]),
                },
                dockerfile: { location: staged.dockerfile },
                platforms: [platform as dockerBuild.Platform],
                // No Dockerfile reads INPUT_HASH: an input that changes with the build makes its outputs unknown in a preview.
                buildArgs: { ...layer.buildArgs, SOURCE_DATE_EPOCH: sourceDateEpoch, INPUT_HASH: layer.inputHash },
                ...(definition.labels && { labels: { ...definition.labels } }),
                ...(definition.target !== undefined && { target: definition.target }),
                ...(repository === undefined
                    ? { exports: [{ cacheonly: {} }] }
                    : { exports: [{ raw: registryExport }], tags: [pulumi.interpolate`${repository}:${tag}`] }),
            },
            // Deleting removes the manifest by digest, with every tag on it: a published image is never lost by an update.
            { parent: this, retainOnDelete: true },
        );
        if (repository === undefined) return { image, ref: pulumi.output("") };
        const ref = image.digest.apply((digest) => digestRef(layer.key, repository, digest));
        return { image, ref, ...(tests && { test: smokeTest(name, { ref, platform, staged: tests, parent: this }) }) };
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

const describeInput = ({ hash, executable, symlink }: PreparedLayer["inputs"][number]) =>
    symlink === undefined ? `${hash.slice(0, 12)}${executable ? " executable" : ""}` : `→ ${symlink}`;

/** What a build tag says of a root: its digest, or its name where nobody pinned it. */
const rootIdentity = ({ expanded, by }: PreparedLayer["roots"][number]) => by ?? expanded;

function parentRef(parents: ImageLayerArgs["parents"], key: string, platform: Platform): pulumi.Output<string> {
    const parent = parents[key]?.platformImages.get(platform);
    if (parent) return parent.ref;
    throw new pulumi.RunError(`image ${key} is not built for ${platform}, which an image on top of it needs.`);
}
