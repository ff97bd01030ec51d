import { z } from "zod";
import { InputError } from "../errors";
import type { Platform } from "../platform";
import { isDigest } from "../registry/references";
import { typed } from "../system/commandLine";
import { keyArguments } from "../system/shell";
import { type Definitions, declaredPlatforms, imageNames, keysOf } from "./definition";

/** A release that replaces an image's build: a rollback, as the stack's configuration has it. */
export interface ReleasePin {
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
    /** "sha256:<64 hex>" of the index for all platforms. */
    readonly digest: string;
    /** "sha256:<64 hex>" of the image for each platform: what children are built from. */
    readonly platforms: Readonly<Record<Platform, string>>;
}

const digest = z.string().refine(isDigest, "not sha256:<64 hex>");

/** The keys of a pin, for messages. */
export const pinKeys = ["release", "digest", "platforms"] as const;

/** `layered-images:pins`: by image, the release that replaces its build. */
export const pinsSchema = z.record(
    z.string(),
    z.strictObject({
        release: z.string().regex(/^r-[0-9a-f]{12}$/, "not the tag of a release: r-<12 hex>"),
        digest,
        platforms: z
            .record(z.string(), digest)
            .refine((platforms) => Object.keys(platforms).length > 0, "it has no platform"),
    }),
) as z.ZodType<Readonly<Record<string, ReleasePin>>>;

/**
 * Returns the warning about a pinned image: a pin is easily forgotten.
 *
 * @param isChanged whether the image would be built without the pin
 * @param options of the command that removes the pin: those that name the stack
 */
export const pinWarning = (
    key: string,
    { release }: ReleasePin,
    isChanged: boolean,
    options: readonly string[],
): string =>
    `image ${key} is pinned to ${release}: its tags, children and deployments follow that release, and it is not built. ` +
    (isChanged ? "Its inputs changed since: it is built when the pin goes. " : "") +
    `Remove the pin: ${typed("unpin", key, ...options)}`;

/**
 * Checks images that are to be built again against the pins: a pinned image is not built.
 *
 * @param names as typed: keys of images, or names that stand for several
 * @param keys of the images that they stand for
 * @param optionsOf returns the options of the command that removes the pin of an image: those that name the stack in whose file it is
 * @returns a warning for each pinned image among those that a name for several stands for
 * @throws InputError for pinned images that are named by their keys, and if all of them are pinned
 */
export function checkRebuild(
    { names, keys }: { readonly names: readonly string[]; readonly keys: readonly string[] },
    pins: Readonly<Record<string, ReleasePin>>,
    optionsOf: (key: string) => readonly string[],
): string[] {
    const commands = (some: readonly string[]) => {
        const texts = [...new Set(some.map((key) => optionsOf(key).join(" ")))];
        const inOneFile = texts.map((text) => some.filter((key) => optionsOf(key).join(" ") === text));
        return inOneFile.map((keys) => typed("unpin", ...keys, ...keys.slice(0, 1).flatMap(optionsOf))).join(" and ");
    };
    const pinned = Object.entries(pins).filter(([key]) => keys.includes(key));
    const said = (some: typeof pinned) => some.map(([key, { release }]) => `image ${key} is pinned to ${release}`);
    const named = pinned.length === keys.length ? pinned : pinned.filter(([key]) => names.includes(key));
    if (named.length > 0) {
        throw new InputError({
            problem: `${said(named).join(", ")}: what is pinned is not built`,
            where: "up --rebuild",
            next: `remove the pin: ${commands(named.map(([key]) => key))}`,
        });
    }
    return pinned.map((one) => `${said([one]).join("")}: it is not built again. Remove the pin: ${commands([one[0]])}`);
}

/** Names the command that removes a pin. */
const removing = (name: string): string => `pulumi config rm ${keyArguments(["pins", name])}`;

function refuse(name: string, problem: string, allowed?: readonly string[], next?: string): never {
    throw new InputError({
        problem,
        where: "the stack's setting `pins`",
        ...(allowed && { allowed }),
        next: next === undefined ? `remove it: ${removing(name)}` : `${next}, or remove it: ${removing(name)}`,
    });
}

/**
 * Checks that pins are of published images, and of platforms that these images declare.
 *
 * @throws InputError with the image, what is wrong, and the command that removes the pin
 */
export function checkPins(definitions: Definitions, pins: Readonly<Record<string, ReleasePin>>): void {
    const { images } = definitions;
    const published = Object.keys(images).filter((key) => images[key]?.name !== undefined);
    for (const [name, { platforms }] of Object.entries(pins)) {
        const image = Object.hasOwn(images, name) ? images[name] : undefined;
        if (!image) {
            const keys = keysOf(definitions, name);
            if (keys.length > 0)
                refuse(name, `${name} stands for several images, and each has releases of its own`, keys);
            refuse(
                name,
                `there is no image "${name}"`,
                imageNames({ images }, { keys: published, adjective: "published" }),
            );
        }
        if (image.name === undefined) refuse(name, `image ${name} is never pushed, so it has no releases`, published);
        const declared: readonly string[] = declaredPlatforms(image);
        const unknown = Object.keys(platforms).find((platform) => !declared.includes(platform));
        if (unknown !== undefined) refuse(name, `image ${name} is not for platform ${unknown}`, declared);
    }
}

/**
 * Checks that a pin has all platforms that the stack builds of its image.
 *
 * @throws InputError with the missing platform
 */
export function checkPlatforms(key: string, { release, platforms }: ReleasePin, built: readonly Platform[]): void {
    const missing = built.find((platform) => !Object.hasOwn(platforms, platform));
    if (missing === undefined) return;
    refuse(
        key,
        `image ${key} is pinned to ${release}, without a digest for ${missing}, which the stack builds`,
        undefined,
        "pin it to a release that has this platform",
    );
}
