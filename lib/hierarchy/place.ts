import type { Layer } from "./resolve";
import { type Platform, declaredPlatforms } from "./definition";

/** What a build reads of an image that its Dockerfile names: platforms in normal form, usually the one that is built for. */
export interface PlatformUse {
    /** With a builder of this machine's platform, which `FROM --platform=$BUILDPLATFORM` asks for. */
    readonly native: readonly Platform[];
    /** With a builder of the platform that is built for: what such a FROM gets where it can't have its wish. */
    readonly emulated: readonly Platform[];
}

/** By platform that is built for; absent where that build does not name the image. */
export type PlatformUses = Readonly<Partial<Record<Platform, PlatformUse>>>;

/**
 * The architectures that Go builds for Linux (`go tool dist list`), and so BuildKit, each with its variants (OCI image-spec,
 * image-index.md, "Platform Variants"; golang.org/wiki/MinimumRequirements, GOAMD64).
 */
const variants: Readonly<Record<string, readonly string[]>> = {
    "386": [],
    amd64: ["v1", "v2", "v3", "v4"],
    arm: ["v5", "v6", "v7", "v8"],
    arm64: ["v8", "v9"],
    loong64: [],
    mips: [],
    mips64: [],
    mips64le: [],
    mipsle: [],
    ppc64: [],
    ppc64le: [],
    riscv64: [],
    s390x: [],
};

/** The platforms that there are, without their variants. */
export const knownPlatforms: readonly Platform[] = Object.keys(variants).map((arch): Platform => `linux/${arch}`);

/** Whether a text is a platform as images.ts writes it: linux/<architecture>[/<variant>], in lower case. */
export function isPlatform(text: string): boolean {
    const [os, arch = "", variant, ...more] = text.split("/");
    const known = os === "linux" && Object.hasOwn(variants, arch) ? variants[arch] : undefined;
    return more.length === 0 && (variant === undefined ? known !== undefined : (known?.includes(variant) ?? false));
}

/** Other names of architectures, with their variant where they say it. */
const architectures: Readonly<Record<string, string>> = {
    x86_64: "amd64",
    "x86-64": "amd64",
    aarch64: "arm64",
    i386: "386",
    armhf: "arm/v7",
    armel: "arm/v6",
};

/** Platforms whose variant is the default one, or goes without saying. */
const defaults: Readonly<Record<string, Platform>> = {
    "linux/arm": "linux/arm/v7",
    "linux/arm64/v8": "linux/arm64",
    "linux/amd64/v1": "linux/amd64",
};

/** A platform in the normal form of containerd's platforms.Parse and Normalize: "x86_64" → "linux/amd64". */
export function normalPlatform(text: string): Platform {
    const [first = "", ...rest] = text.toLowerCase().split("/");
    const [os, arch = "", ...variant] = rest.length === 0 ? ["linux", first] : [first, ...rest];
    const platform = [os, architectures[arch] ?? arch, ...variant].join("/");
    return defaults[platform] ?? (platform as Platform);
}

/**
 * The platform of an image to build on, out of those that it is built for. One name stands for one image in a build, so
 * there is none where a build uses several platforms.
 */
export function platformToUse({ native, emulated }: PlatformUse, offered: readonly Platform[]): Platform | undefined {
    const wishes = [native, emulated].flatMap(([only, ...others]) => (only && others.length === 0 ? [only] : []));
    return wishes.flatMap((wish) => offered.find((one) => normalPlatform(one) === wish) ?? [])[0];
}

/** An image's parent, as its builds get it. */
export interface PlacedParent {
    /** The reference as BuildKit sees it: the key of the named build context. */
    readonly expanded: string;
    /** The parent's key. */
    readonly by: string;
    /** Whether the image is built FROM it, rather than copying from it. */
    readonly base: boolean;
    /** By platform that is built for, the parent's platform; absent where that build does not name the parent. */
    readonly platforms: Readonly<Partial<Record<Platform, Platform>>>;
}

/**
 * Puts an image that is built for `platforms` on its parents.
 *
 * @param below the images before it, with the platforms that they are built for
 * @returns the parents that these builds name, and whether there is one for each of them
 */
export function placeOn(
    { parents }: Layer,
    platforms: readonly Platform[],
    below: readonly { readonly key: string; readonly platforms: readonly Platform[] }[],
): { readonly parents: readonly PlacedParent[]; readonly complete: boolean } {
    let complete = true;
    const placed = parents.flatMap(({ key, expanded, base, platforms: uses }) => {
        const offered = below.find((one) => one.key === key)?.platforms ?? [];
        const using = platforms.flatMap((platform) => {
            const use = uses[platform];
            return use ? [[platform, platformToUse(use, offered)] as const] : [];
        });
        complete &&= using.every(([, own]) => own !== undefined);
        return using.length === 0 ? [] : [{ expanded, by: key, base, platforms: Object.fromEntries(using) }];
    });
    return { parents: placed, complete };
}

function parentProblem({ key, definition }: Layer, parent: Layer["parents"][number], offered: readonly Platform[]) {
    const platforms = declaredPlatforms(definition);
    const uses = platforms.flatMap((platform) => parent.platforms[platform] ?? []);
    const several = uses.find(({ emulated }) => emulated.length > 1);
    if (several) {
        const both = several.emulated.join(" and ");
        return (
            `image ${key} names its parent ${parent.key} for ${both} in one build, where a name can stand for one image ` +
            "only. Leave --platform away, or take one of them from another image"
        );
    }
    // What is for whatever machine builds it is left out where that machine's platform is not there.
    const lacking = definition.platforms === "host" ? [] : uses.filter((use) => !platformToUse(use, offered));
    if (lacking.length === 0) return [];
    const missing = [...new Set(lacking.flatMap(({ emulated }) => emulated))].join(", ");
    return (
        `image ${key} needs its parent ${parent.key} for ${missing}, which ${parent.key} is not built for (only for ` +
        `${offered.join(", ")}). Change \`platforms\` of one of them, or --platform in the Dockerfile`
    );
}

/** Parents that are not declared for a platform that an image needs of them, a problem a text. */
export function platformProblems(layers: readonly Layer[]): string[] {
    const problems = layers.flatMap((layer) =>
        layer.parents.flatMap((parent) => {
            const found = layers.find(({ key }) => key === parent.key);
            return found ? parentProblem(layer, parent, declaredPlatforms(found.definition)) : [];
        }),
    );
    return [...new Set(problems)];
}
