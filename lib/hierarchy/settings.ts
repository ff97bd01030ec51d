import { z } from "zod";
import { InputError } from "../errors";
import { type Platform, hostPlatform } from "../platform";
import {
    type Definitions,
    type ImageDefinition,
    type Images,
    type WantedPlatforms,
    declaredPlatforms,
    keysOf,
} from "./definition";
import { sharedTagProblems } from "./validate";

/**
 * `pulumi config set --path` writes digits and `true` as YAML numbers and booleans, but build arguments are strings.
 */
const argument = z
    .union([z.string(), z.int(), z.boolean()], {
        error: "not text; write it in quotes, because YAML changes 3.10 to 3.1",
    })
    .transform(String);

/** `layered-images:buildArgs`: build arguments by image or matrix, which override those in images.ts. */
export const buildArgsSchema = z.record(z.string(), z.record(z.string(), argument));

/**
 * `layered-images:buildArgsWithout`: by address, the build arguments of labs on machines that can't reach it. They override `buildArgs`.
 */
export const buildArgsWithoutSchema = z.record(z.string(), buildArgsSchema).superRefine((byAddress, context) => {
    for (const address of Object.keys(byAddress).filter((text) => !/^https?:\/\//.test(text) || !URL.canParse(text))) {
        const message = "not an address that starts with https:// or http://";
        context.addIssue({ code: "custom", path: [address], message, params: { remove: true } });
    }
});

/** Build arguments by image or matrix. */
type BuildArgs = z.infer<typeof buildArgsSchema>;

/**
 * Returns the build arguments of a lab: those of the stack, overridden by those for the addresses that its machine can't reach.
 *
 * @param reachable the addresses that were asked, and whether they answered
 */
export function withUnreachable(
    buildArgs: BuildArgs,
    without: z.infer<typeof buildArgsWithoutSchema>,
    reachable: Readonly<Record<string, boolean>> = {},
): BuildArgs {
    const applying = Object.entries(without).flatMap(([url, images]) => (reachable[url] ? [] : Object.entries(images)));
    const merged: BuildArgs = { ...buildArgs };
    for (const [image, args] of applying) merged[image] = { ...merged[image], ...args };
    return merged;
}

const otherPlatforms = "pulumi config set platforms all, or set a list of allowed platforms";

const platformsIn = (images: Images): Platform[] => [...new Set(Object.values(images).flatMap(declaredPlatforms))];

/** Stack settings that decide where images are pushed and for which platforms they are built. */
export interface HierarchySettings {
    readonly registry?: string;
    readonly platforms: WantedPlatforms;
    readonly roots: Readonly<Record<string, string>>;
    /** By platform, pins that replace those in `roots` in builds that use the root for this platform. */
    readonly rootsByPlatform?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** By image, the period of its last scheduled rebuild ("2026-W48"). */
    readonly rebuilds?: Readonly<Record<string, string>>;
    /** Whether the builder's own frontend replaces docker/dockerfile (`# syntax=`). */
    readonly builtinFrontend?: boolean;
    /** Names of the build secrets in the stack's configuration. */
    readonly secretNames?: readonly string[];
}

/** Returns the build arguments of `key`: those in images.ts, overridden by the stack's. */
export const buildArgsOf = (
    key: string,
    { buildArgs }: ImageDefinition,
    settings: Pick<HierarchySettings, "buildArgs">,
): Readonly<Record<string, string>> => ({ ...buildArgs, ...settings.buildArgs[key] });

/**
 * Returns the settings with the build arguments of each image: those of its matrix, overridden by its own.
 *
 * @throws InputError for build arguments of an unknown image, and for one that is a variable of the image's matrix
 */
export function withImageArguments(definitions: Definitions, settings: HierarchySettings): HierarchySettings {
    const { images, matrices = {} } = definitions;
    const buildArgs: Record<string, Readonly<Record<string, string>>> = {};
    // Matrices first, because the arguments of a single image override theirs.
    const names = Object.keys(settings.buildArgs).sort((a, b) => Number(b in matrices) - Number(a in matrices));
    for (const name of names) {
        const keys = keysOf(definitions, name);
        if (keys.length === 0) {
            const problem = `buildArgs names image "${name}", which is not in images.ts`;
            throw new InputError({ problem, allowed: [...Object.keys(matrices), ...Object.keys(images)] });
        }
        for (const key of keys) buildArgs[key] = { ...buildArgs[key], ...settings.buildArgs[name] };
    }
    for (const [entry, { images: keys, variables }] of Object.entries(matrices)) {
        for (const key of keys) {
            const variable = variables.find((name) => name in (buildArgs[key] ?? {}));
            if (variable === undefined) continue;
            throw new InputError({
                problem: `buildArgs sets ${variable} of image ${key}, which is a variable of the matrix of ${entry}`,
                next: `remove it from buildArgs, and change the matrix of ${entry} in images.ts`,
            });
        }
    }
    return { ...settings, buildArgs };
}

/**
 * Refuses settings that name a platform or, for scheduled rebuilds, an image that images.ts does not have. A mistyped platform would remove
 * from the stack what was built for the correct platform.
 *
 * @throws InputError for scheduled rebuilds of an unknown image, and for an unknown platform
 */
export function refuseUnknown(images: Images, { platforms, rebuilds = {} }: HierarchySettings): void {
    const key = Object.keys(rebuilds).find((name) => !(name in images));
    if (key !== undefined) {
        const problem = `rebuilds names image "${key}", which is not in images.ts`;
        throw new InputError({ problem, allowed: Object.keys(images) });
    }
    const declared = platformsIn(images);
    const unknown = typeof platforms === "string" ? [] : platforms.filter((platform) => !declared.includes(platform));
    if (unknown.length === 0) return;
    const problem = `the stack's platforms name ${unknown.join(", ")}, which no image in images.ts is built for`;
    throw new InputError({ problem, allowed: declared, next: otherPlatforms });
}

/**
 * Refuses platforms that exclude every image: the stack would lose all images, and the variables on GitHub.
 *
 * @param prepared the images that the stack builds
 * @throws InputError with the platforms
 */
export function refuseEmpty(images: Images, prepared: readonly unknown[], { platforms }: HierarchySettings): void {
    if (prepared.length > 0 || Object.keys(images).length === 0) return;
    const wanted = platforms === "host" ? `"host", here ${hostPlatform()}` : String(platforms);
    const problem = `the stack's platforms (${wanted}) exclude every image in images.ts`;
    throw new InputError({ problem, allowed: platformsIn(images), next: otherPlatforms });
}

/**
 * Refuses a registry setting that gives two images the same tag: each would move the other image's tag.
 *
 * @throws InputError with the images
 */
export function refuseShared(images: Images, { registry }: HierarchySettings): void {
    if (registry === undefined) return;
    const problems = sharedTagProblems(images, registry);
    if (problems.length === 0) return;
    throw new InputError({
        problem: [`with registry ${registry}:`, ...problems].join("\n  "),
        next: "change a name in images.ts, or push to another registry: pulumi config set registry <registry>",
    });
}
