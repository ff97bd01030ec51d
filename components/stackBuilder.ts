import type * as dockerBuild from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { type Properties, dockerTypes } from "../lib/engine/resources";
import { readyBuilder } from "../lib/builders/instance";
import { type BuilderSettings, instancesFor } from "../lib/builders/settings";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { platformsHere } from "../lib/hierarchy/platformStacks";
import type { Platform } from "../lib/platform";
import type { FormerState } from "./formerState";
import { builderHook } from "./hooks";

/** The builder that a stack sets. */
export interface StackBuilder {
    /** By platform, the name of the buildx instance on which it is built. */
    readonly instances: ReadonlyMap<Platform, string>;
    /** Makes them on this machine, and checks them, before the first build or smoke test. */
    readonly ready: pulumi.ResourceHook;
}

/**
 * Returns the builder of a stack for its images, to be made and checked before the first build.
 *
 * @throws InputError for a platform that no node builds
 */
export function stackBuilder(
    settings: BuilderSettings,
    images: readonly Pick<PreparedImage, "platforms" | "elsewhere">[],
): StackBuilder {
    const platforms = new Set(images.flatMap(platformsHere));
    // The engine starts the program in the repository's root.
    const instances = instancesFor(settings, platforms, process.cwd());
    const names = [...instances].map(([platform, { name }]) => [platform, name] as const);
    return { instances: new Map(names), ready: builderHook(() => readyBuilder(instances, process.env)) };
}

/** What decides on which builder something is built. */
export interface BuilderArgs {
    /** The builder that the stack sets; buildx's current builder if undefined. */
    readonly builder: StackBuilder | undefined;
    /** What the state has before this run. */
    readonly former: FormerState;
    readonly platform: Platform;
}

/** Inputs that are left out where they have no value. */
const optional = [
    ...["addHosts", "cacheFrom", "cacheTo", "ignoreSecretsInDiffCalculation", "labels", "noCache", "target"],
] as const;

const isObject = (value: unknown): value is Properties => typeof value === "object" && value !== null;

const isNothing = (value: unknown): boolean =>
    value === undefined ||
    value === null ||
    value === false ||
    value === "" ||
    (isObject(value) && Object.keys(value).length === 0);

/** Whether a value of the state has everything that an input says; the provider adds what it takes for inputs that are left out. */
function has(former: unknown, input: unknown): boolean {
    if (isNothing(input)) return isNothing(former);
    if (!isObject(input)) return former === input;
    return isObject(former) && Object.entries(input).every(([key, value]) => has(former[key], value));
}

/** Whether the state has a build with these inputs, wherever it was built. */
export const isBuiltWith = (former: Properties, inputs: Properties): boolean =>
    [...optional, ...Object.keys(inputs)].every((key) => has(former[key], inputs[key]));

/**
 * Returns the arguments of a build after its name, with the builder. Where something is built is no reason to build it, but the provider takes a changed
 * `builder` for one. So what the state has stays there with its former builder, and only what is built for another reason gets the
 * stack's. `ignoreChanges` can't do that in an update: it would also build what changed on the former builder.
 *
 * @param name of the resource
 */
export function withBuilder(
    name: string,
    { builder, former, platform }: BuilderArgs,
    inputs: dockerBuild.ImageArgs,
    opts: pulumi.CustomResourceOptions,
): [dockerBuild.ImageArgs, pulumi.CustomResourceOptions] {
    const instance = builder?.instances.get(platform);
    const wanted = instance === undefined ? undefined : { name: instance };
    // A preview builds nothing.
    if (pulumi.runtime.isDryRun())
        return [
            { ...inputs, ...(wanted && { builder: wanted }) },
            { ...opts, ignoreChanges: opts.ignoreChanges ?? ["builder"] },
        ];
    const had = former.outputsOf(dockerTypes.image, name);
    const before = had?.builder as { readonly name?: string } | undefined;
    if (had === undefined || before?.name === wanted?.name)
        return [{ ...inputs, ...(wanted && { builder: wanted }) }, opts];
    // The values of secrets do not count: see `ignoreSecretsInDiffCalculation`.
    const compared = { ...inputs };
    delete compared.secrets;
    const chosen = pulumi.output(compared).apply((now) => (isBuiltWith(had, now) ? before : wanted));
    return [{ ...inputs, builder: chosen }, opts];
}
