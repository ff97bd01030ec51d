import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { syntaxArgument } from "../lib/dockerfile/frontends";
import { dockerTypes, imageScheme, inputHashArgument } from "../lib/engine/resources";
import { registryExport } from "../lib/hierarchy/compression";
import { type PreparedImage, buildTagOf, pinFor, sourceDateEpoch } from "../lib/hierarchy/prepare";
import type { Elsewhere } from "../lib/hierarchy/elsewhere";
import { platformsHere } from "../lib/hierarchy/platformStacks";
import { rebuildHost } from "../lib/hierarchy/rebuild";
import { imageUnderTest } from "../lib/hierarchy/smokeTests";
import type { Staged, StagedImage } from "../lib/hierarchy/staging";
import { type Platform, archOf } from "../lib/platform";
import { digestOf, isDigest, withDigest } from "../lib/registry/references";
import { type TimeLimits, timeouts } from "../lib/update/timeLimits";
import { forDependents } from "./failures";
import type { FormerState } from "./formerState";
import { beforehand } from "./hooks";
import { type StackBuilder, withBuilder } from "./stackBuilder";
import { type StagedTests, smokeTest, testName } from "./smokeTest";

/** The arguments of an image's build for one platform. */
export interface PlatformImageArgs {
    readonly prepared: PreparedImage;
    readonly platform: Platform;
    /** The staged build context and smoke tests, relative to the program's folder. */
    readonly staged: StagedImage;
    /** Whether this update builds it without cache. The next update removes that property again, with the cache that this one left. */
    readonly uncached: boolean;
    /** What other stacks have of their platforms. */
    readonly elsewhere: Elsewhere;
    /** The stack's build secrets by name; an image receives those that its definition lists. */
    readonly secrets: Readonly<Record<string, pulumi.Output<string>>>;
    /** How long the build and its smoke test may take. */
    readonly limits: TimeLimits;
    /** What the state has before this run: of a pinned image it decides what stays. */
    readonly former: FormerState;
    /** The hooks around its build. */
    readonly hooks: pulumi.ResourceHookBinding;
    /** The builder that the stack sets; buildx's current builder if undefined. */
    readonly builder: StackBuilder | undefined;
    /** For each parent in the Dockerfile: its name as BuildKit sees it, `<repository>@<digest>`, and its smoke test. */
    readonly parents: readonly ({ readonly expanded: string } & Pick<PlatformImage, "ref" | "test">)[];
}

/** The resources of an image for one platform. */
export interface PlatformImage {
    /** Its builds and smoke tests. */
    readonly resources: readonly dockerBuild.Image[];
    /** The digest of the pushed manifest; empty for an image that is never pushed. */
    readonly digest: pulumi.Output<string>;
    /** `<repository>@<digest>`, from which children are built. Empty for an image that is never pushed. */
    readonly ref: pulumi.Output<string>;
    /** Its build tag, without the repository; of a pinned image the release's tag, and empty if nothing pushes it. */
    readonly tag: pulumi.Output<string>;
    /**
     * Whether exactly this build passed the tests that it has in this checkout: an update of other targets (`--target`) leaves the build, its test or both
     * as they were.
     */
    readonly isTested: pulumi.Output<boolean>;
    /** Where it was built; absent if it is this stack. */
    readonly from?: {
        /** The stack's name. */
        readonly stack: string;
        /** The input hash of the smoke tests that it passed there; undefined if that stack has none. */
        readonly tests: string | undefined;
    };
    /** The smoke test of this build; absent if the image has none, or is pinned: a release was tested. */
    readonly test?: dockerBuild.Image;
}

/**
 * Returns `<repository>@<digest>`, the only form in which an image is passed to its children.
 *
 * @throws pulumi.RunError for an empty digest: a child must never be built from the image that a tag happens to name
 */
export function digestRef(key: string, repository: string, digest: string): string {
    if (isDigest(digest)) return withDigest(repository, digest);
    throw new pulumi.RunError(
        `image ${key} has no digest (got ${JSON.stringify(digest)}), so no image can be built from it. Run \`pulumi up\` ` +
            "again; if the error persists, check the builder's output for that image.",
    );
}

const location = (ref: pulumi.Input<string>) => ({ location: pulumi.interpolate`${imageScheme}${ref}` });

/** Returns the images that a Dockerfile names, by the name that BuildKit looks up. */
function namedContexts({
    prepared,
    parents,
    platform,
}: PlatformImageArgs): dockerBuild.types.input.BuildContextArgs["named"] {
    const pinned = prepared.roots.flatMap((root) => {
        const pin = pinFor(root, platform);
        return pin === undefined ? [] : [[root.expanded, location(pin)] as const];
    });
    return Object.fromEntries([...parents.map(({ expanded, ref }) => [expanded, location(ref)] as const), ...pinned]);
}

/**
 * Returns the build argument that pins the frontend. Named contexts can replace it too (gateway.go), but only since
 * BuildKit 0.13, and a frontend that receives other named contexts must be labelled as supporting them.
 */
function syntax({ frontend }: PreparedImage): Readonly<Record<string, string>> {
    return frontend?.pin === undefined ? {} : { [syntaxArgument]: frontend.pin + frontend.rest };
}

/** Returns the immutable tag of this build, without the repository; empty for an image that is never pushed. */
function tagIn({ prepared, parents, platform }: PlatformImageArgs): pulumi.Output<string> {
    if (prepared.repository === undefined) return pulumi.output("");
    return pulumi.all(parents.map(({ ref }) => ref)).apply((refs) => buildTagOf(prepared, platform, refs));
}

/**
 * Returns the registry cache of an image and platform. A cache that can't be read or written costs time, but does not
 * fail the build.
 */
function cache({ prepared, platform }: PlatformImageArgs): Pick<dockerBuild.ImageArgs, "cacheFrom" | "cacheTo"> {
    const { repository, registryCache, cacheTag, readCacheTag, compression } = prepared;
    if (repository === undefined || !registryCache) return {};
    const cacheRef = (tag: string) => `${repository}:${tag}-${archOf(platform)}`;
    const from = [cacheTag, ...(readCacheTag === undefined ? [] : [readCacheTag])];
    const to = {
        ref: cacheRef(cacheTag),
        mode: "max",
        ignoreError: true,
        imageManifest: true,
        ociMediaTypes: true,
        compression: compression.type,
        ...(compression.level !== undefined && { compressionLevel: compression.level }),
    } as const;
    return { cacheFrom: from.map((tag) => ({ registry: { ref: cacheRef(tag) } })), cacheTo: [{ registry: to }] };
}

/**
 * Returns the build secrets that an image lists. A changed value does not cause a rebuild, because no layer contains
 * it.
 */
function secretsOf({ prepared, secrets }: PlatformImageArgs): Partial<dockerBuild.ImageArgs> {
    const names = prepared.definition.secrets ?? [];
    if (names.length === 0) return {};
    const values = Object.fromEntries(names.map((name) => [name, secrets[name] ?? ""]));
    return { secrets: values, ignoreSecretsInDiffCalculation: [...names] };
}

/** Returns the name of the resource of an image's build. */
export const buildName = (key: string, platform: Platform): string => `${key}-${archOf(platform)}`;

/** Creates the build of an image for one platform. */
function build(name: string, args: PlatformImageArgs, opts: pulumi.CustomResourceOptions): dockerBuild.Image {
    const { prepared, platform, staged } = args;
    const { definition, repository } = prepared;
    const inputs: dockerBuild.ImageArgs = {
        // A preview must not need a builder, and must pass `unknown`, not an empty digest, to the children.
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
        ...(args.uncached && { noCache: true }),
        ...(prepared.rebuild !== undefined && { addHosts: [rebuildHost(prepared.rebuild)] }),
        ...cache(args),
        ...secretsOf(args),
        exports: [repository === undefined ? { cacheonly: {} } : { raw: registryExport(prepared.compression) }],
        tags: repository === undefined ? [] : [pulumi.interpolate`${repository}:${tagIn(args)}`],
    };
    // Deletion would remove the manifest by digest, and every tag with it, so an update never deletes a published
    // image.
    return new dockerBuild.Image(name, ...withBuilder(name, args, inputs, { retainOnDelete: true, ...opts }));
}

/** Returns the tag that was pushed, without the repository: not the checkout's, because an update of other targets (`--target`) leaves a build as it was. */
const pushedTag = ({ tags }: dockerBuild.Image, repository: string): pulumi.Output<string> =>
    tags.apply(([tag = ""] = []) => tag.slice(repository.length + 1));

/** Whether a smoke test ran these scripts on this image: see `isTested`. */
const hasTested = (
    { context }: dockerBuild.Image,
    ref: pulumi.Output<string>,
    staged: Staged,
): pulumi.Output<boolean> =>
    pulumi
        .all([context, ref])
        .apply(
            ([tested, built]) =>
                tested?.location === staged.context &&
                tested.named?.[imageUnderTest]?.location === `${imageScheme}${built}`,
        );

/** Creates the smoke test of a pushed image. */
function testOf(
    args: PlatformImageArgs,
    ref: pulumi.Output<string>,
    staged: StagedTests,
    parent: pulumi.Resource,
): dockerBuild.Image {
    const { prepared, platform, builder, hooks, limits } = args;
    const { onError } = hooks;
    return smokeTest(
        buildName(prepared.key, platform),
        { ...args, ref, staged },
        {
            parent,
            customTimeouts: timeouts(limits({ image: prepared.key, platform, kind: "test" })),
            hooks: { ...beforehand(builder ? [builder.ready] : []), ...(onError && { onError }) },
        },
    );
}

/** Whether the state has the build of an image as it is in this checkout, for each platform that this stack builds. */
export const isBuiltFrom = (former: FormerState, image: PreparedImage, staged: Staged): boolean =>
    platformsHere(image).every((platform) => isBuilt(former, buildName(image.key, platform), staged));

/** Whether the state has a build or test of exactly this staged context: its path contains the hash of its inputs. */
function isBuilt(former: FormerState, name: string, { context }: Staged): boolean {
    const built = former.outputsOf(dockerTypes.image, name)?.context as { readonly location?: unknown } | undefined;
    return built?.location === context;
}

/**
 * Returns a pinned release's image for one platform. Nothing is built. What the state has of the image as it is in this checkout stays there
 * with its former inputs, whatever its parents are now, so that an update without the pin builds only what really changed. A build
 * of other inputs leaves the state: the engine can't keep it without the files that it was built from.
 */
function pinnedImage(
    args: PlatformImageArgs,
    repository: string,
    digest: string,
    parent: pulumi.Resource,
): PlatformImage {
    const { prepared, platform, staged, former } = args;
    const name = buildName(prepared.key, platform);
    const ref = withDigest(repository, digest);
    const kept = { parent, ignoreChanges: ["*"] };
    return {
        resources: [
            ...(isBuilt(former, name, staged) ? [build(name, args, kept)] : []),
            ...(staged.tests && isBuilt(former, testName(name), staged.tests)
                ? [smokeTest(name, { ...args, ref, staged: staged.tests }, kept)]
                : []),
        ],
        digest: pulumi.output(digest),
        ref: pulumi.output(ref),
        tag: pulumi.output(prepared.pin?.release ?? ""),
        isTested: pulumi.output(true),
    };
}

/**
 * Returns an image's build of another stack. An update begins only when all of those are there, so a build that is missing is one of a preview:
 * it will be there before the update, with a digest that nobody knows yet. A build that passed other tests than those of this checkout is tested here.
 */
function imageElsewhere(args: PlatformImageArgs, parent: pulumi.Resource): PlatformImage {
    const { prepared, platform, elsewhere, staged } = args;
    const build = elsewhere.builds[prepared.key]?.[platform];
    const ref = pulumi.output<string>(build?.ref ?? (pulumi.unknown as never));
    const { tag = "", from } = build ?? {};
    const digest = ref.apply((text) => digestOf(text) ?? text);
    const there = from === undefined ? {} : { from: { stack: from, tests: build?.tests } };
    const made = { digest, ref, tag: pulumi.output(tag), ...there };
    const isKnown = !build || build.tests === prepared.tests?.inputHash || prepared.pin !== undefined;
    if (isKnown || !staged.tests) return { ...made, resources: [], isTested: pulumi.output(true) };
    const test = testOf(args, ref, staged.tests, parent);
    return { ...made, resources: [test], isTested: hasTested(test, ref, staged.tests), test };
}

/**
 * Creates the build of an image for one platform, which is pushed under its build tag, and the smoke test of the pushed
 * image; or returns the release that the image is pinned to, or what another stack built.
 */
export function platformImage(args: PlatformImageArgs, parent: pulumi.Resource): PlatformImage {
    const { prepared, platform, staged } = args;
    const { tests } = staged;
    const { repository, key, pin } = prepared;
    if (prepared.elsewhere?.[platform] !== undefined) return imageElsewhere(args, parent);
    const pinned = pin?.platforms[platform];
    if (repository !== undefined && pinned !== undefined) return pinnedImage(args, repository, pinned, parent);
    const name = buildName(key, platform);
    // A build waits for the smoke tests of its parents.
    const dependsOn = args.parents.flatMap(({ test }) => test ?? []);
    const customTimeouts = timeouts(args.limits({ image: key, platform, kind: "build" }));
    const image = build(name, args, { parent, hooks: args.hooks, dependsOn, customTimeouts });
    const { digest } = image;
    const isTested = pulumi.output(true);
    if (repository === undefined)
        return { resources: [image], digest, ref: pulumi.output(""), tag: pulumi.output(""), isTested };
    const tag = pushedTag(image, repository);
    const built = digest.apply((text) => digestRef(key, repository, text));
    const ref = forDependents(built, withDigest(repository, `sha256:${"0".repeat(64)}`));
    if (!tests) return { resources: [image], digest, ref, tag, isTested };
    const test = testOf(args, ref, tests, parent);
    return { resources: [image, test], digest, ref, tag, isTested: hasTested(test, ref, tests), test };
}
