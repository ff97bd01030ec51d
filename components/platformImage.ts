import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { buildTag } from "../lib/context/hash";
import { syntaxArgument } from "../lib/dockerfile/frontends";
import { imageScheme, inputHashArgument } from "../lib/engine/resources";
import { type PreparedImage, registryExport, rootsOf, sourceDateEpoch } from "../lib/hierarchy/prepare";
import type { StagedImage } from "../lib/hierarchy/staging";
import { type Platform, archOf } from "../lib/platform";
import { isDigest, withDigest } from "../lib/registry/references";
import { forDependents } from "./failures";
import { smokeTest } from "./smokeTest";

/** What the build of an image for one platform needs. */
export interface PlatformImageArgs {
    readonly prepared: PreparedImage;
    readonly platform: Platform;
    /** The staged build context and smoke tests, relative to the program's folder. */
    readonly staged: StagedImage;
    /** The stack's build secrets by name; an image gets those that it names. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** What happens around its build. */
    readonly hooks: pulumi.ResourceHookBinding;
    /** Per image of ours that the Dockerfile names: the name as BuildKit sees it, `<repository>@<digest>`, and the test of it. */
    readonly parents: readonly ({ readonly expanded: string } & Pick<PlatformImage, "ref" | "test">)[];
}

/** What there is of an image for one platform. */
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
    if (isDigest(digest)) return withDigest(repository, digest);
    throw new pulumi.RunError(
        `image ${key} has no digest (got ${JSON.stringify(digest)}), so nothing can be built on it. Run \`pulumi up\` ` +
            "again; if it repeats, look at the builder's output for that image.",
    );
}

const location = (ref: pulumi.Input<string>) => ({ location: pulumi.interpolate`${imageScheme}${ref}` });

/** Everything that a Dockerfile names from outside its context, by the name that BuildKit looks for. */
function namedContexts({ prepared, parents }: PlatformImageArgs): dockerBuild.types.input.BuildContextArgs["named"] {
    const pinned = prepared.roots.flatMap(({ expanded, by }) =>
        by === undefined ? [] : [[expanded, location(by)] as const],
    );
    return Object.fromEntries([...parents.map(({ expanded, ref }) => [expanded, location(ref)] as const), ...pinned]);
}

/**
 * What pins the frontend. Named contexts replace it too (gateway.go), but only since BuildKit 0.13, and one that other contexts are
 * given to must be marked as knowing them.
 */
function syntax({ frontend }: PreparedImage): Readonly<Record<string, string>> {
    return frontend?.by === undefined ? {} : { [syntaxArgument]: frontend.by + frontend.rest };
}

/** The immutable tag of this one build, or none for an image that is never pushed. */
function tags({ prepared, parents, platform }: PlatformImageArgs): pulumi.Input<string>[] {
    const { repository, inputHash } = prepared;
    if (repository === undefined) return [];
    // A root that nobody pinned is known by its name only.
    const roots = rootsOf(prepared).map(({ expanded, by }) => by ?? expanded);
    const tag = pulumi
        .all(parents.map(({ ref }) => ref))
        .apply((refs) => buildTag({ inputHash, platform, base: [...refs, ...roots] }));
    return [pulumi.interpolate`${repository}:${tag}`];
}

/** The registry cache of an image and platform. A cache that can't be read or written costs time, not the build. */
function cache({ prepared, platform }: PlatformImageArgs): Pick<dockerBuild.ImageArgs, "cacheFrom" | "cacheTo"> {
    const { repository, registryCache } = prepared;
    if (repository === undefined || !registryCache) return {};
    const ref = `${repository}:cache-${archOf(platform)}`;
    const to = {
        ref,
        mode: "max",
        ignoreError: true,
        imageManifest: true,
        ociMediaTypes: true,
        compression: "zstd",
    } as const;
    return { cacheFrom: [{ registry: { ref } }], cacheTo: [{ registry: to }] };
}

/** The build secrets that an image names. A changed value is no reason to build again: no layer holds it. */
function secretsOf({ prepared, secrets }: PlatformImageArgs): Partial<dockerBuild.ImageArgs> {
    const names = prepared.definition.secrets ?? [];
    if (names.length === 0) return {};
    const values = Object.fromEntries(names.map((name) => [name, secrets[name] ?? ""]));
    return { secrets: values, ignoreSecretsInDiffCalculation: [...names] };
}

/** Builds an image for one platform, pushes it as its build tag, and tests what was pushed. */
export function platformImage(args: PlatformImageArgs, parent: pulumi.Resource): PlatformImage {
    const { prepared, platform, staged } = args;
    const { tests } = staged;
    const { definition, repository, key } = prepared;
    const name = `${key}-${archOf(platform)}`;
    const image = new dockerBuild.Image(
        name,
        {
            // A preview must not need a builder, and must hand `unknown`, not an empty digest, to the children.
            buildOnPreview: false,
            push: false,
            context: { location: staged.context, named: namedContexts(args) },
            dockerfile: { location: staged.dockerfile },
            platforms: [platform as dockerBuild.Platform],
            buildArgs: {
                ...prepared.buildArgs,
                ...syntax(prepared),
                SOURCE_DATE_EPOCH: sourceDateEpoch,
                [inputHashArgument]: prepared.inputHash,
            },
            ...(definition.labels && { labels: { ...definition.labels } }),
            ...(definition.target !== undefined && { target: definition.target }),
            ...cache(args),
            ...secretsOf(args),
            exports: [repository === undefined ? { cacheonly: {} } : { raw: registryExport }],
            tags: tags(args),
        },
        // Deleting removes the manifest by digest, with every tag on it: a published image is never lost by an update.
        // Nothing stands on what was not tested.
        { parent, retainOnDelete: true, hooks: args.hooks, dependsOn: args.parents.flatMap(({ test }) => test ?? []) },
    );
    if (repository === undefined) return { image, ref: pulumi.output("") };
    const built = image.digest.apply((digest) => digestRef(key, repository, digest));
    const ref = forDependents(built, withDigest(repository, `sha256:${"0".repeat(64)}`));
    return { image, ref, ...(tests && { test: smokeTest(name, { ref, platform, staged: tests, parent }) }) };
}
