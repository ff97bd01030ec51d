import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { hash12 } from "../lib/context/hash";
import { componentTypes, promotionNames } from "../lib/engine/resources";
import type { Place, Publication } from "../lib/hierarchy/publication";
import { digestOf, withDigest } from "../lib/registry/references";
import { timeouts } from "../lib/update/timeLimits";
import { forDependents, knownOutputs } from "./failures";
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
        const { publication, refs, tests, after, minutes } = args;
        this.minutes = minutes;
        const { repository, tags, copies } = publication;
        const [tag = "latest", ...otherTags] = tags;
        const release = releaseOf(refs);
        const tested = [...tests, ...after.map(({ main }) => main)];
        const names = promotionNames(key);
        const hooks = tagHooks(key, repository, minutes);
        const made = this.index(names.release, pulumi.interpolate`${repository}:r-${release}`, refs, tested, hooks);
        // Its sources are the builds, as in states without releases. Equal sources give equal indexes: its digest is the release's.
        this.main = this.index(names.main, `${repository}:${tag}`, refs, [...tested, made], hooks);
        this.ref = refIn(repository, this.main);
        this.passedRef = passedOn(repository, this.main);
        this.release = pulumi.interpolate`r-${release}`;
        this.move(names, { repository, tags: otherTags }, made, hooks);
        this.addTags(names.command, publication, publication, release, this.ref, this.main, hooks);
        for (const copy of copies) {
            const copyNames = promotionNames(key, copy.repository);
            const copyHooks = tagHooks(key, copy.repository, minutes);
            const tagged = pulumi.interpolate`${copy.repository}:r-${release}`;
            const copied = this.index(copyNames.release, tagged, [passedOn(repository, made)], [this.main], copyHooks);
            this.move(copyNames, copy, copied, copyHooks);
            this.addTags(
                copyNames.command,
                publication,
                copy,
                release,
                refIn(copy.repository, copied),
                copied,
                copyHooks,
            );
        }
        this.registerOutputs(knownOutputs({ ref: this.ref }));
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
        { releaseTags: tags }: Publication,
        { repository }: Place,
        release: pulumi.Output<string>,
        ref: pulumi.Output<string>,
        dependsOn: pulumi.Resource,
        hooks: pulumi.ResourceHookBinding,
    ): void {
        if (tags.length === 0) return;
        this.resources.push(
            releaseTags(
                name,
                { repository, ref, release, tags },
                { parent: this, dependsOn, hooks, customTimeouts: timeouts(this.minutes) },
            ),
        );
    }
}

/** Returns the 12 hexadecimal digits that name a release: equal builds, in the same order, are the same release. */
const releaseOf = (refs: readonly pulumi.Input<string>[]): pulumi.Output<string> =>
    pulumi.all([...refs]).apply((builds) => hash12(builds.map((ref) => digestOf(ref) ?? ref)));

/** Returns `<repository>@<digest>` of an index. */
const refIn = (repository: string, index: dockerBuild.Index): pulumi.Output<string> =>
    index.ref.apply((ref) => withDigest(repository, digestOf(ref) ?? ref));

/** Like `refIn`, as an input of other resources. */
const passedOn = (repository: string, index: dockerBuild.Index): pulumi.Output<string> =>
    forDependents(refIn(repository, index), withDigest(repository, `sha256:${"0".repeat(64)}`));
