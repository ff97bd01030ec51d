import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { momentOfPromotion, readReleases, releaseName, withPromoted } from "../lib/engine/releases";
import { commandType, componentTypes, dockerTypes, promotionNames, textIn } from "../lib/engine/resources";
import type { ReleasePin } from "../lib/hierarchy/pins";
import type { Place, Publication } from "../lib/hierarchy/publication";
import { digestOf, shortDigest, withDigest } from "../lib/registry/references";
import { timeouts } from "../lib/update/timeLimits";
import { forDependents, ifKnown, knownOutputs } from "./failures";
import type { FormerState } from "./formerState";
import { tagHooks } from "./hooks";
import { releaseTags } from "./releaseTags";

/** The arguments of a promotion. */
export interface PromotionArgs {
    /** The repositories and tags of the image. */
    readonly publication: Publication;
    /** `<repository>@<digest>` by platform. */
    readonly refs: readonly pulumi.Input<string>[];
    /** Smoke tests that must have passed. */
    readonly tests: readonly pulumi.Resource[];
    /** How long each tag, and each copy of the release, may take, in minutes. */
    readonly minutes: number;
    /** Promotions of the ancestors: if one of them fails, this image is not promoted either. */
    readonly after: readonly Promotion[];
    /** Hooks that may refuse a new release. */
    readonly before?: readonly pulumi.ResourceHook[];
    /** `<repository>@<digest>` of the images of this repository that its builds stand on. */
    readonly bases: readonly pulumi.Input<string>[];
    /** The release to promote instead of one that is made from `refs`. */
    readonly pin?: ReleasePin;
    /** What the state has before this run: the releases until now. */
    readonly former: FormerState;
}

/**
 * Publishes the tested digests: first as a release, an index under a tag `r-<12 hex>` that never moves, then under the image's tags,
 * which move to that release (`latest`). Other repositories get a copy of the release, and the same tags. After a failed test
 * all tags stay; a repository that fails leaves the others as they should be.
 */
export class Promotion extends pulumi.ComponentResource {
    /** `<repository>@<digest>` of the release to which the tag of the image's name was moved. */
    public readonly ref: pulumi.Output<string>;
    /** Everything that it makes. */
    public readonly resources: pulumi.Resource[] = [];
    /** Like `ref`, as an input of other resources. */
    public readonly passedRef: pulumi.Output<string>;
    /** The release's own tag: "r-<12 hex>". */
    public readonly release: pulumi.Output<string>;
    private readonly minutes: number;
    /** The tag of the image's name: promotions of children wait for it alone. */
    private readonly main: dockerBuild.Index;

    public constructor(key: string, args: PromotionArgs, opts: pulumi.ComponentResourceOptions) {
        super(componentTypes.promotion, key, {}, opts);
        const { publication, refs, tests, after, pin, minutes, before = [] } = args;
        this.minutes = minutes;
        const { repository, tags, copies } = publication;
        const [tag = "latest", ...otherTags] = tags;
        const release = pin ? pulumi.output(pin.release) : releaseOf(refs);
        // An index over a single index is that index. The release's own builds would be another one if their order had changed since.
        const sources = pin ? [withDigest(repository, pin.digest)] : refs;
        const tested = [...tests, ...after.map(({ main }) => main)];
        const names = promotionNames(key);
        const hooks = tagHooks(key, repository, minutes);
        // What refuses the release leaves its tags where they are.
        const judged = {
            ...hooks,
            beforeCreate: [...before, ...(hooks.beforeCreate ?? [])],
            beforeUpdate: [...before, ...(hooks.beforeUpdate ?? [])],
        };
        const made = this.index(names.release, pulumi.interpolate`${repository}:${release}`, sources, tested, judged);
        // Its sources are the builds, as in states without releases. Equal sources give equal indexes: its digest is the release's.
        this.main = this.index(names.main, `${repository}:${tag}`, sources, [...tested, made], hooks);
        this.ref = refIn(repository, this.main);
        this.passedRef = passedOn(repository, this.main);
        this.release = release;
        this.move(names, { repository, tags: otherTags }, made, hooks);
        this.addTags(names.command, args, publication, this.ref, this.main, hooks);
        for (const copy of copies) {
            const copyNames = promotionNames(key, copy.repository);
            const copyHooks = tagHooks(key, copy.repository, minutes);
            const tagged = pulumi.interpolate`${copy.repository}:${release}`;
            const copied = this.index(copyNames.release, tagged, [passedOn(repository, made)], [this.main], copyHooks);
            this.move(copyNames, copy, copied, copyHooks);
            this.addTags(copyNames.command, args, copy, refIn(copy.repository, copied), copied, copyHooks);
        }
        this.registerOutputs(knownOutputs({ ref: this.ref, ...this.releases(key, args) }));
    }

    private index(
        name: string,
        tag: pulumi.Input<string>,
        sources: readonly pulumi.Input<string>[],
        dependsOn: readonly pulumi.Resource[],
        hooks: pulumi.ResourceHookBinding,
    ): dockerBuild.Index {
        // Others may still use the manifest behind a tag, so an update or a removal never deletes it.
        const customTimeouts = timeouts(this.minutes);
        const options = { parent: this, retainOnDelete: true, hooks, customTimeouts, dependsOn: [...dependsOn] };
        const index = new dockerBuild.Index(name, { tag, sources: [...sources], push: true }, options);
        this.resources.push(index);
        return index;
    }

    /** Moves tags of a repository to the release that it has. */
    private move(
        names: ReturnType<typeof promotionNames>,
        { repository, tags }: Place,
        made: dockerBuild.Index,
        hooks: pulumi.ResourceHookBinding,
    ): void {
        const source = [passedOn(repository, made)];
        for (const tag of tags) this.index(names.tag(tag), `${repository}:${tag}`, source, [made], hooks);
    }

    private addTags(
        name: string,
        { publication: { releaseTags: tags }, pin, former }: PromotionArgs,
        { repository }: Place,
        ref: pulumi.Output<string>,
        dependsOn: pulumi.Resource,
        hooks: pulumi.ResourceHookBinding,
    ): void {
        if (tags.length === 0) return;
        // They name the commit and date of the update that adds them, so a release that comes back gets none; those that were added stay.
        if (pin && !former.outputsOf(commandType, name)) return;
        const customTimeouts = timeouts(this.minutes);
        const opts = { parent: this, dependsOn, hooks, customTimeouts, ...(pin && { ignoreChanges: ["*"] }) };
        this.resources.push(releaseTags(name, { repository, ref, release: this.release, tags }, opts));
    }

    /** Returns the releases for the state, in an update: the former ones, and the one that is promoted now. */
    private releases(key: string, { pin, former, bases }: PromotionArgs): { releases?: pulumi.Output<unknown> } {
        if (pulumi.runtime.isDryRun()) return {};
        const before = readReleases(former.outputsOf(componentTypes.promotion, key));
        if (pin) return { releases: pulumi.output(before) };
        const formerRef = textIn(former.outputsOf(dockerTypes.index, promotionNames(key).main)?.ref) ?? "";
        const promoted = pulumi.all([this.ref, this.release, pulumi.all([...bases])]).apply(([ref, release, refs]) => {
            const on = [...new Set(refs.map(shortDigest))].sort();
            const now = { release, digest: digestOf(ref) ?? ref, ...(on.length > 0 && { on }) };
            return withPromoted(before, digestOf(formerRef), now, () => momentOfPromotion());
        });
        return { releases: ifKnown(promoted, before) };
    }
}

/** Returns the tag of the release of these builds. */
const releaseOf = (refs: readonly pulumi.Input<string>[]): pulumi.Output<string> =>
    pulumi.all([...refs]).apply((builds) => releaseName(builds.map((ref) => digestOf(ref) ?? ref)));

/** Returns `<repository>@<digest>` of an index. */
const refIn = (repository: string, index: dockerBuild.Index): pulumi.Output<string> =>
    index.ref.apply((ref) => withDigest(repository, digestOf(ref) ?? ref));

/** Like `refIn`, as an input of other resources. */
const passedOn = (repository: string, index: dockerBuild.Index): pulumi.Output<string> =>
    forDependents(refIn(repository, index), withDigest(repository, `sha256:${"0".repeat(64)}`));
