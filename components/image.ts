import * as pulumi from "@pulumi/pulumi";
import { componentTypes, imageInputs } from "../lib/engine/resources";
import type { StackBuild } from "../lib/hierarchy/elsewhere";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { PolicySettings } from "../lib/policy/settings";
import type { Platform } from "../lib/platform";
import { digestOf } from "../lib/registry/references";
import { allMade, knownOutputs } from "./failures";
import { buildHooks, sizeHooks, uncommittedHooks } from "./hooks";
import { type PlatformImage, type PlatformImageArgs, platformImage } from "./platformImage";
import { Promotion } from "./promotion";

/** The arguments of an image's component. */
export interface ImageArgs extends Pick<
    PlatformImageArgs,
    "prepared" | "staged" | "secrets" | "uncached" | "limits" | "former" | "builder" | "elsewhere"
> {
    /** Whether the stack promotes; one that does not builds for another stack, which promotes. */
    readonly promotes: boolean;
    /** The images of `prepared.parents`, by key. */
    readonly parents: Readonly<Record<string, Image>>;
    /** What the stack refuses to promote. */
    readonly policy: PolicySettings | undefined;
}

/**
 * One image of the hierarchy: for each platform a build, pushed under its immutable build tag, and a smoke test of that
 * build; then the promotion of the tested digests. Children use `platformImages`, never a tag.
 */
export class Image extends pulumi.ComponentResource {
    /** What was read of it before anything was built. */
    public readonly prepared: PreparedImage;
    private readonly limits: PlatformImageArgs["limits"];
    /** Its build for each of the stack's platforms. */
    public readonly platformImages: ReadonlyMap<Platform, PlatformImage>;
    /** Moves its tags to the tested digests; undefined for an image that is never pushed. */
    public readonly promotion: Promotion | undefined;

    public constructor(args: ImageArgs, opts: pulumi.ComponentResourceOptions) {
        const { prepared, parents } = args;
        const behind = args.elsewhere.behind.filter(({ image }) => image === prepared.key);
        const behindOf = Object.fromEntries(behind.map(({ platform, stack }) => [platform, stack]));
        super(componentTypes.image, prepared.key, imageInputs(prepared, behindOf), opts);
        this.prepared = prepared;
        this.limits = args.limits;
        const before = [...(args.builder ? [args.builder.ready] : []), ...uncommittedHooks(prepared)];
        const hooks = buildHooks(prepared, args.limits, undefined, before);
        const bases: pulumi.Input<string>[] = [];
        const build = (platform: Platform): PlatformImage => {
            const refs = prepared.parents.flatMap(({ expanded, key, platforms }) => {
                const parentPlatform = platforms[platform];
                return parentPlatform === undefined ? [] : [{ expanded, ...buildOf(parents, key, parentPlatform) }];
            });
            bases.push(...refs.map(({ ref }) => ref));
            return platformImage({ ...args, hooks, platform, parents: refs }, this);
        };
        this.platformImages = new Map(prepared.platforms.map((platform) => [platform, build(platform)]));
        this.promotion = this.promote(args, bases);
        this.registerOutputs(knownOutputs({ ref: this.promotion?.ref }));
    }

    /**
     * Returns the stack outputs of the image: promoted ref and digest (null if it is never pushed), digests by
     * platform, parent, and the release that it is pinned to.
     */
    public outputs(): pulumi.Output<unknown> {
        const ref: pulumi.Output<string | undefined> = this.promotion?.ref ?? pulumi.output(undefined);
        const digests = [...this.platformImages].map(([platform, { digest }]) => [platform, digest] as const);
        return pulumi.output({
            ref: ref.apply((text) => text ?? null),
            digest: ref.apply((text) => (text === undefined ? null : (digestOf(text) ?? null))),
            platforms: Object.fromEntries(digests),
            parent: this.prepared.parents[0]?.key ?? this.prepared.roots[0]?.expanded ?? null,
            ...(this.prepared.pin && { pinned: this.prepared.pin.release }),
        });
    }

    /** Everything that it makes: builds, smoke tests and promotion. */
    public get resources(): readonly pulumi.Resource[] {
        const builds = [...this.platformImages.values()].flatMap(({ resources }) => resources);
        return [...builds, ...(this.promotion?.resources ?? [])];
    }

    /**
     * Returns for other stacks what this one has of the image, by platform: without what is not pushed, what failed, its smoke test included, and what
     * did not pass the tests of this checkout.
     */
    public builds(): pulumi.Output<Readonly<Record<string, StackBuild>>> {
        const { tests, pin } = this.prepared;
        const builds = [...this.platformImages].map(([platform, { ref, tag, isTested, from, resources }]) =>
            pulumi.all([ref, tag, isTested, allMade(resources)]).apply((all): [string, StackBuild][] => {
                const [ref, tag, isTested, isMade] = all;
                if (ref === "" || !isTested || !isMade) return [];
                // Tests of this stack on another one's build are repeated as long as that stack has others.
                const passed = from ? from.tests : pin ? undefined : tests?.inputHash;
                const tested = passed === undefined ? {} : { tests: passed };
                return [[platform, { ref, tag, ...tested, ...(from && { from: from.stack }) }]];
            }),
        );
        return pulumi.all(builds).apply((all) => Object.fromEntries(all.flat()));
    }

    private promote(
        { parents, former, promotes, policy }: ImageArgs,
        bases: readonly pulumi.Input<string>[],
    ): Promotion | undefined {
        const { publication, key, pin } = this.prepared;
        if (!publication || !promotes) return undefined;
        const platformImages = [...this.platformImages.values()];
        return new Promotion(
            key,
            {
                publication,
                refs: platformImages.map(({ ref }) => ref),
                tests: platformImages.flatMap(({ test }) => test ?? []),
                minutes: this.limits({ image: key, kind: "promotion" }),
                // A release stood on tested ancestors, and waits for nothing that is built now.
                after: pin ? [] : Object.values(parents).flatMap(({ promotion }) => promotion ?? []),
                // A release was judged when it was made.
                before: pin ? [] : sizeHooks(this.prepared, policy),
                ...(pin && { pin }),
                bases,
                former,
            },
            { parent: this },
        );
    }
}

function buildOf(parents: ImageArgs["parents"], key: string, platform: Platform): PlatformImage {
    const parent = parents[key]?.platformImages.get(platform);
    if (parent) return parent;
    throw new Error(`image ${key} is not built for ${platform}, although a child uses it`);
}
