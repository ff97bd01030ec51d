import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { componentTypes } from "../lib/engine/resources";
import { digestOf, parseReference, withDigest } from "../lib/registry/references";
import { knownOutputs } from "./failures";
import { releaseTags } from "./releaseTags";

/** The arguments of a promotion. */
export interface PromotionArgs {
    /** The image's name; its tag is the tag to move. */
    readonly name: string;
    /** The repository that the image is pushed to. */
    readonly repository: string;
    /** `<repository>@<digest>` by platform. */
    readonly refs: readonly pulumi.Input<string>[];
    /** Smoke tests that must have passed. */
    readonly tests: readonly pulumi.Resource[];
    /** Tags that each new release gets, with placeholders. */
    readonly tags: readonly string[];
    /** Promotions of the ancestors: if one of them fails, this image is not promoted either. */
    readonly after: readonly Promotion[];
}

/** Moves the promoted tag (`latest`) to an index over the tested digests; after a failed test the tag stays. */
export class Promotion extends pulumi.ComponentResource {
    /** `<repository>@<digest>` of the promoted index. */
    public readonly ref: pulumi.Output<string>;

    public constructor(key: string, args: PromotionArgs, opts: pulumi.ComponentResourceOptions) {
        super(componentTypes.promotion, key, {}, opts);
        const tag = parseReference(args.name).tag ?? "latest";
        const index = new dockerBuild.Index(
            key,
            { tag: `${args.repository}:${tag}`, sources: [...args.refs], push: true },
            // Others may still use the manifest behind a tag, so an update or a removal never deletes it.
            { parent: this, retainOnDelete: true, dependsOn: [...args.tests, ...args.after] },
        );
        this.ref = index.ref.apply((ref) => withDigest(args.repository, digestOf(ref) ?? ref));
        if (args.tags.length > 0) {
            const { repository, tags } = args;
            releaseTags(key, { repository, ref: this.ref, tags }, { parent: this, dependsOn: index });
        }
        this.registerOutputs(knownOutputs({ ref: this.ref }));
    }
}
