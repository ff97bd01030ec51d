/**
 * Selects, from the platforms of an image, the platform that a build uses. A name stands for one image in a build, so
 * the result is undefined if the build uses the image for several platforms.
 *
 * @param offered the platforms that the image is built for
 */
export function platformToUse({ native, emulated }: PlatformUse, offered: readonly Platform[]): Platform | undefined {
    const wanted = [native, emulated].flatMap(([platform, ...more]) =>
        platform && more.length === 0 ? [platform] : [],
    );
    return wanted.flatMap((wish) => offered.find((platform) => normalPlatform(platform) === wish) ?? [])[0];
}

/** The platforms, in normal form, of an image that a build reads; usually the target platform. */
export interface PlatformUse {
    /** With a builder of this machine's platform, which `FROM --platform=$BUILDPLATFORM` requests. */
    readonly native: readonly Platform[];
    /** With a builder of the target platform: the result of such a FROM if the native platform is not available. */
    readonly emulated: readonly Platform[];
}

/** By target platform; absent if the build for that platform does not name the image. */
export type PlatformUses = Readonly<Partial<Record<Platform, PlatformUse>>>;

/**
 * The architectures that Go, and therefore BuildKit, supports on Linux (`go tool dist list`), each with its variants
 * (OCI image-spec, image-index.md, "Platform Variants"; golang.org/wiki/MinimumRequirements, GOAMD64).
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

/** All valid platforms, without variants. */
export const knownPlatforms: readonly Platform[] = Object.keys(variants).map((arch): Platform => `linux/${arch}`);

/** Checks whether a text is a platform as images.ts writes it: linux/<architecture>[/<variant>], in lower case. */
export function isPlatform(text: string): boolean {
    const [os, arch = "", variant, ...more] = text.split("/");
    const known = os === "linux" && Object.hasOwn(variants, arch) ? variants[arch] : undefined;
    return more.length === 0 && (variant === undefined ? known !== undefined : (known?.includes(variant) ?? false));
}

/** Other names of architectures; some imply a variant. */
const architectures: Readonly<Record<string, string>> = {
    x86_64: "amd64",
    "x86-64": "amd64",
    aarch64: "arm64",
    i386: "386",
    armhf: "arm/v7",
    armel: "arm/v6",
};

/** Platforms whose variant is the default, or implied. */
const defaults: Readonly<Record<string, Platform>> = {
    "linux/arm": "linux/arm/v7",
    "linux/arm64/v8": "linux/arm64",
    "linux/amd64/v1": "linux/amd64",
};

/** Converts a platform to the normal form of containerd's platforms.Parse and Normalize: "x86_64" → "linux/amd64". */
export function normalPlatform(text: string): Platform {
    const [first = "", ...rest] = text.toLowerCase().split("/");
    const [os, arch = "", ...variant] = rest.length === 0 ? ["linux", first] : [first, ...rest];
    const platform = [os, architectures[arch] ?? arch, ...variant].join("/");
    return defaults[platform] ?? (platform as Platform);
}

/** An operating system and architecture in OCI notation: "linux/amd64", "linux/arm/v7". */
export type Platform = `linux/${string}`;

/**
 * Returns the architecture as written in tags and resource names: "linux/arm64" → "arm64", "linux/arm/v7" → "arm-v7".
 */
export const archOf = (platform: Platform): string => platform.slice("linux/".length).replaceAll("/", "-");

/** Returns the platform of this machine in OCI notation, from Node's name of its architecture. */
export const hostPlatform = (arch: string = process.arch): Platform =>
    `linux/${{ x64: "amd64", arm: "arm/v7", ia32: "386" }[arch] ?? arch}`;
