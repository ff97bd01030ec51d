import { z } from "zod";
import { InputError } from "../errors";
import { type Platform, hostPlatform } from "../platform";
import { pushedRepository } from "../registry/references";
import { type ImageDefinition, type ImageDefinitions, type WantedPlatforms, declaredPlatforms } from "./definition";
import { namedImages } from "./validate";

/** `pulumi config set --path` writes digits and true as YAML's numbers and booleans; a build argument is text. */
const argument = z
    .union([z.string(), z.int(), z.boolean()], { error: "not text; write it in quotes, as YAML changes 3.10 to 3.1" })
    .transform(String);

/** `layered-images:buildArgs`: build arguments by image, over those in images.ts. */
export const buildArgsSchema = z.record(z.string(), z.record(z.string(), argument));

const otherPlatforms = "pulumi config set platforms all, or set a list of those that are allowed";

const platformsIn = (images: ImageDefinitions): Platform[] => [
    ...new Set(Object.values(images).flatMap(declaredPlatforms)),
];

/** Stack settings that decide where and for which platforms images are built. */
export interface HierarchySettings {
    readonly registry?: string;
    readonly platforms: WantedPlatforms;
    readonly roots: Readonly<Record<string, string>>;
    readonly buildArgs: Readonly<Record<string, Readonly<Record<string, string>>>>;
    /** Whether the builder's own frontend takes the place of docker/dockerfile (`# syntax=`). */
    readonly builtinFrontend?: boolean;
    /** Names of the build secrets that the stack has. */
    readonly secretNames?: readonly string[];
}

/** Build arguments of `key`: those of images.ts, those of the stack over them. */
export const buildArgsOf = (
    key: string,
    { buildArgs }: ImageDefinition,
    settings: Pick<HierarchySettings, "buildArgs">,
): Readonly<Record<string, string>> => ({ ...buildArgs, ...settings.buildArgs[key] });

/**
 * Refuses settings that name what images.ts does not have: a mistyped platform would take out of the stack what was built
 * for the right one.
 *
 * @throws InputError for build arguments of an image, and for a platform, that is not there
 */
export function refuseUnknown(images: ImageDefinitions, { buildArgs, platforms }: HierarchySettings): void {
    for (const key of Object.keys(buildArgs).filter((one) => !(one in images))) {
        const problem = `buildArgs names image "${key}", which images.ts does not`;
        throw new InputError({ problem, allowed: Object.keys(images) });
    }
    const declared = platformsIn(images);
    const unknown = typeof platforms === "string" ? [] : platforms.filter((one) => !declared.includes(one));
    if (unknown.length === 0) return;
    const problem = `the stack's platforms name ${unknown.join(", ")}, which no image in images.ts is built for`;
    throw new InputError({ problem, allowed: declared, next: otherPlatforms });
}

/**
 * Refuses platforms that leave no image over: the stack would lose all of them, and with them the variables on GitHub.
 *
 * @param prepared what is left of `images`
 * @throws InputError that names the platforms
 */
export function refuseEmpty(
    images: ImageDefinitions,
    prepared: readonly unknown[],
    { platforms }: HierarchySettings,
): void {
    if (prepared.length > 0 || Object.keys(images).length === 0) return;
    const wanted = platforms === "host" ? `"host", here ${hostPlatform()}` : String(platforms);
    const problem = `the stack's platforms (${wanted}) leave out every image in images.ts`;
    throw new InputError({ problem, allowed: platformsIn(images), next: otherPlatforms });
}

/**
 * Refuses a registry that puts two images into one repository: each would move the other's tags.
 *
 * @throws InputError that names the images
 */
export function refuseShared(images: ImageDefinitions, { registry }: HierarchySettings): void {
    const byRepository = new Map<string, string[]>();
    for (const { key, name } of namedImages(images)) {
        const repository = pushedRepository(name, registry);
        byRepository.set(repository, [...(byRepository.get(repository) ?? []), key]);
    }
    const [repository, keys] = [...byRepository].find(([, all]) => all.length > 1) ?? [];
    if (!keys) return;
    throw new InputError({
        problem: `images ${keys.join(" and ")} would both be pushed to ${repository}: an image has a repository of its own`,
        next: "change one of their names in images.ts, or push to another registry: pulumi config set registry <registry>",
    });
}
