import { z } from "zod";
import { InputError } from "../errors";
import { type Platform, hostPlatform } from "../platform";
import type { Compression } from "./compression";
import type { ReleasePin } from "./pins";
import type { PlatformStacks } from "./platformStacks";
import {
    type Definitions,
    type ImageDefinition,
    type Images,
    type WantedPlatforms,
    declaredPlatforms,
    imagesNamed,
    keysOf,
} from "./definition";

/**
 * `pulumi config set --path` writes digits and `true` as YAML numbers and booleans, but build arguments are strings.
 */
const argument = z
    .union([z.string(), z.int(), z.boolean()], {
        error: "not text; write it in quotes, because YAML changes 3.10 to 3.1",
    })
    .transform(String);

/** `layered-images:buildArgs`: build arguments by image or entry with a matrix, which override those in images.ts. */
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
    /** Host, with port and path prefix if wanted, that replaces the registry in the images' names. */
    readonly registry?: string;
    /** Which of the images' platforms are read. */
    readonly platforms: WantedPlatforms;
    /** The channel that the stack promotes to, instead of the tags in images.ts. */
    readonly channel?: string;
    /** By platform, the other stack that builds it. */
    readonly platformStacks?: PlatformStacks;
    /** `<repository>@sha256:…` by the external image, as Dockerfiles write it, that it replaces. */
    readonly roots: Readonly<Record<string, string>>;
    /** By platform, pins that replace those in `roots` in builds that use the root for this platform. */
    readonly rootsByPlatform?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** Values by argument, by image or matrix; they override those in images.ts. */
    readonly buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** By image or entry with a matrix, the period of its last scheduled rebuild ("2026-W48"). */
    readonly rebuilds?: Readonly<Record<string, string>>;
    /** By image, the release that replaces its build. */
    readonly pins?: Readonly<Record<string, ReleasePin>>;
    /** Whether the builder's own frontend replaces docker/dockerfile (`# syntax=`). */
    readonly builtinFrontend?: boolean;
    /** How the layers of published images are compressed. Default: `usualCompression`. */
    readonly compression?: Compression;
    /** false: no image uses its registry cache. Default: true. */
    readonly registryCache?: boolean;
    /** Names of the build secrets in the stack's configuration. */
    readonly secretNames?: readonly string[];
}

/** The settings of a stack that decide a build. Stacks that take each other's builds need equal ones, and by `buildSettingsOf` have them from one file. */
export const buildSettings = [
    "buildArgs",
    "buildArgsWithout",
    "builtinFrontend",
    "compression",
    "pins",
    "rebuilds",
    "registry",
    "registryCache",
    "roots",
] as const;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** Settings that are records of entries, with the number of their levels: build arguments are by image and name, and those without an address by that too. */
const levels: Readonly<Partial<Record<(typeof buildSettings)[number], number>>> = {
    buildArgs: 2,
    buildArgsWithout: 3,
    pins: 1,
    rebuilds: 1,
    roots: 1,
};

/** Adds entries to those of a record, which take precedence, on so many levels. */
function withEntries(own: unknown, other: unknown, level: number): unknown {
    if (level === 0 || !isRecord(own) || !isRecord(other)) return own ?? other;
    const added = Object.entries(other).map(([key, value]) => [key, withEntries(own[key], value, level - 1)] as const);
    return { ...own, ...Object.fromEntries(added) };
}

/**
 * Adds the settings of another stack that decide a build to those of a stack. A setting of its own takes precedence, in records entry by entry.
 *
 * @param own settings by key
 * @param other settings of the other stack, by key
 */
export function withBuildSettings(
    own: Readonly<Record<string, unknown>>,
    other: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
    const merged: Record<string, unknown> = { ...own };
    for (const key of buildSettings) {
        if (other[key] !== undefined) merged[key] = withEntries(own[key], other[key], levels[key] ?? 0);
    }
    return merged;
}

/** Returns the build arguments of `key`: those in images.ts, overridden by the stack's. */
export const buildArgsOf = (
    key: string,
    { buildArgs }: ImageDefinition,
    settings: Pick<HierarchySettings, "buildArgs">,
): Readonly<Record<string, string>> => ({ ...buildArgs, ...settings.buildArgs[key] });

/**
 * Returns a setting by image from one whose names may also be keys of entries with a matrix.
 *
 * @param merge combines the value of an entry with that of one of its images, which takes precedence
 * @throws InputError for a name of no image
 */
function byImage<Value>(
    definitions: Definitions,
    [setting, values]: readonly [name: string, values: Readonly<Record<string, Value>>],
    merge: (ofEntry: Value, ofImage: Value) => Value,
): Record<string, Value> {
    const { matrices = {} } = definitions;
    const where = `the stack's setting \`${setting}\``;
    imagesNamed(definitions, Object.keys(values), { where });
    const merged: Record<string, Value> = {};
    // Entries first, because the values of a single image override theirs.
    const sorted = Object.entries(values).sort(([a], [b]) => Number(b in matrices) - Number(a in matrices));
    for (const [name, value] of sorted) {
        for (const key of keysOf(definitions, name)) {
            merged[key] = merged[key] === undefined ? value : merge(merged[key], value);
        }
    }
    return merged;
}

/** Returns the periods of the last scheduled rebuilds by image. Throws InputError for a name of no image. */
const rebuildsByImage = (definitions: Definitions, rebuilds: Readonly<Record<string, string>>) =>
    byImage(definitions, ["rebuilds", rebuilds], (_ofEntry, ofImage) => ofImage);

/**
 * Returns the settings with the values of each image: those of its matrix, overridden by its own.
 *
 * @throws InputError for build arguments and scheduled rebuilds of an unknown image, and for a build argument that is a variable of the
 *     image's matrix
 */
export function withImageSettings(definitions: Definitions, settings: HierarchySettings): HierarchySettings {
    const { matrices = {} } = definitions;
    const buildArgs = byImage(definitions, ["buildArgs", settings.buildArgs], (ofEntry, ofImage) => ({
        ...ofEntry,
        ...ofImage,
    }));
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
    const { rebuilds } = settings;
    return { ...settings, buildArgs, ...(rebuilds && { rebuilds: rebuildsByImage(definitions, rebuilds) }) };
}

/**
 * Refuses platforms that images.ts does not have. A mistyped platform would remove from the stack what was built for the correct platform.
 *
 * @throws InputError with the unknown platforms
 */
export function refuseUnknownPlatforms(images: Images, { platforms }: HierarchySettings): void {
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
