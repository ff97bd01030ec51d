import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { componentTypes } from "../lib/engine/resources";
import { digestOf, parseReference, withDigest } from "../lib/registry/references";
import { knownOutputs } from "./failures";

/** What a promotion needs. */
export interface PromotionArgs {
    /** The image's name; its tag is the one that moves. */
    readonly name: string;
    /** Where the image is pushed. */
    readonly repository: string;
    /** `<repository>@<digest>` by platform. */
    readonly refs: readonly pulumi.Input<string>[];
    /** Smoke tests that must have passed. */
    readonly tests: readonly pulumi.Resource[];
    /** Promotions of the ancestors: none of theirs, none of ours. */
    readonly after: readonly Promotion[];
}

/** Moves the promoted tag (`latest`) to an index over the tested digests; a failed test leaves it where it was. */
export class Promotion extends pulumi.ComponentResource {
    /** `<repository>@<digest>` of the index that the tag was moved to. */
    public readonly ref: pulumi.Output<string>;

    public constructor(key: string, args: PromotionArgs, opts: pulumi.ComponentResourceOptions) {
        super(componentTypes.promotion, key, {}, opts);
        const tag = parseReference(args.name).tag ?? "latest";
        const index = new dockerBuild.Index(
            key,
            { tag: `${args.repository}:${tag}`, sources: [...args.refs], push: true },
            // The manifest behind a tag may be wanted by somebody else: an update or a removal never deletes it.
            { parent: this, retainOnDelete: true, dependsOn: [...args.tests, ...args.after] },
        );
        this.ref = index.ref.apply((ref) => withDigest(args.repository, digestOf(ref) ?? ref));
        this.registerOutputs(knownOutputs({ ref: this.ref }));
    }
}
