import { z } from "zod";
import { InputError } from "../errors";
import { type Platform, hostPlatform } from "../platform";
import { pushedRepository } from "../registry/references";
import { type ImageDefinition, type ImageDefinitions, type WantedPlatforms, declaredPlatforms } from "./definition";
import { namedImages } from "./validate";

/**
 * `pulumi config set --path` writes digits and `true` as YAML numbers and booleans, but build arguments are strings.
 */
const argument = z
    .union([z.string(), z.int(), z.boolean()], {
        error: "not text; write it in quotes, because YAML changes 3.10 to 3.1",
    })
    .transform(String);

/** `layered-images:buildArgs`: build arguments by image, which override those in images.ts. */
export const buildArgsSchema = z.record(z.string(), z.record(z.string(), argument));

const otherPlatforms = "pulumi config set platforms all, or set a list of allowed platforms";

const platformsIn = (images: ImageDefinitions): Platform[] => [
    ...new Set(Object.values(images).flatMap(declaredPlatforms)),
];

/** Stack settings that decide where images are pushed and for which platforms they are built. */
export interface HierarchySettings {
    readonly registry?: string;
    readonly platforms: WantedPlatforms;
    readonly roots: Readonly<Record<string, string>>;
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
 * Refuses settings that name a platform or an image that images.ts does not have. A mistyped platform would remove from
 * the stack what was built for the correct platform.
 *
 * @throws InputError for build arguments of an unknown image, and for an unknown platform
 */
export function refuseUnknown(images: ImageDefinitions, settings: HierarchySettings): void {
    const { buildArgs, rebuilds = {}, platforms } = settings;
    for (const [setting, byImage] of Object.entries({ buildArgs, rebuilds })) {
        const key = Object.keys(byImage).find((name) => !(name in images));
        if (key === undefined) continue;
        const problem = `${setting} names image "${key}", which is not in images.ts`;
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
export function refuseEmpty(
    images: ImageDefinitions,
    prepared: readonly unknown[],
    { platforms }: HierarchySettings,
): void {
    if (prepared.length > 0 || Object.keys(images).length === 0) return;
    const wanted = platforms === "host" ? `"host", here ${hostPlatform()}` : String(platforms);
    const problem = `the stack's platforms (${wanted}) exclude every image in images.ts`;
    throw new InputError({ problem, allowed: platformsIn(images), next: otherPlatforms });
}

/**
 * Refuses a registry setting that gives two images the same repository: each would move the other image's tags.
 *
 * @throws InputError with the images
 */
export function refuseShared(images: ImageDefinitions, { registry }: HierarchySettings): void {
    const byRepository = new Map<string, string[]>();
    for (const { key, name } of namedImages(images)) {
        const repository = pushedRepository(name, registry);
        byRepository.set(repository, [...(byRepository.get(repository) ?? []), key]);
    }
    const [repository, keys] = [...byRepository].find(([, sharing]) => sharing.length > 1) ?? [];
    if (!keys) return;
    throw new InputError({
        problem: `images ${keys.join(" and ")} would both be pushed to ${repository}: every image needs a separate repository`,
        next: "change a name in images.ts, or push to another registry: pulumi config set registry <registry>",
    });
}
