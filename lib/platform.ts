/**
 * The platform of an image to build on, out of those that it is built for. One name stands for one image in a build, so
 * there is none where a build uses several platforms.
 */
export function platformToUse({ native, emulated }: PlatformUse, offered: readonly Platform[]): Platform | undefined {
    const wishes = [native, emulated].flatMap(([only, ...others]) => (only && others.length === 0 ? [only] : []));
    return wishes.flatMap((wish) => offered.find((one) => normalPlatform(one) === wish) ?? [])[0];
}

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

/** An operating system and architecture as OCI writes them: "linux/amd64", "linux/arm/v7". */
export type Platform = `linux/${string}`;

/** The architecture as tags and resource names write it: "linux/arm64" → "arm64", "linux/arm/v7" → "arm-v7". */
export const archOf = (platform: Platform): string => platform.slice("linux/".length).replaceAll("/", "-");

/** The platform of this machine, in OCI's words, from Node's name of its architecture. */
export const hostPlatform = (arch: string = process.arch): Platform =>
    `linux/${{ x64: "amd64", arm: "arm/v7", ia32: "386" }[arch] ?? arch}`;
