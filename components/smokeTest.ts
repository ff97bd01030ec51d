import * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import type { StagedImage } from "../lib/hierarchy/staging";
import { imageUnderTest } from "../lib/hierarchy/smokeTests";
import { imageScheme } from "../lib/engine/resources";
import { type BuilderArgs, withBuilder } from "./stackBuilder";

/** The staged smoke tests of an image. */
export type StagedTests = NonNullable<StagedImage["tests"]>;

/** The arguments of a smoke test. */
export interface SmokeTestArgs extends BuilderArgs {
    /** `<repository>@<digest>` of the image to test. */
    readonly ref: pulumi.Input<string>;
    readonly staged: StagedTests;
}

/** Returns the name of the smoke test of a build. */
export const testName = (name: string): string => `${name}-test`;

/**
 * Tests a pushed image by a build on top of it whose result is discarded. It runs on the builder, without a Docker
 * daemon and without a network, and fails with the script's output.
 */
export function smokeTest(name: string, args: SmokeTestArgs, opts: pulumi.CustomResourceOptions): dockerBuild.Image {
    const { ref, platform, staged } = args;
    const inputs: dockerBuild.ImageArgs = {
        buildOnPreview: false,
        push: false,
        context: {
            location: staged.context,
            named: { [imageUnderTest]: { location: pulumi.interpolate`${imageScheme}${ref}` } },
        },
        dockerfile: { location: staged.dockerfile },
        buildArgs: { SCRIPTS: staged.scripts.join(" ") },
        platforms: [platform as dockerBuild.Platform],
        network: "none",
        exports: [{ cacheonly: {} }],
    };
    const named = testName(name);
    return new dockerBuild.Image(named, ...withBuilder(named, args, inputs, { retainOnDelete: true, ...opts }));
}
