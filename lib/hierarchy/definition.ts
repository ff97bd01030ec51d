import { type Platform, hostPlatform } from "../platform";

/** An entry of `images.ts`. */
export interface ImageDefinition {
    /** One line that describes the image to readers. */
    readonly description: string;
    /**
     * Reference as written in Dockerfiles, with the promoted tag ("ghcr.io/owner/repo:latest"). An image without a name
     * is never pushed: it has no digest and no children.
     */
    readonly name?: string;
    /**
     * Other names under which each release is published too, in other repositories or registries, with the tag to move
     * ("quay.io/owner/repo:latest"). Dockerfiles may write any of the names. A stack whose configuration sets
     * `registry` publishes `name` alone, there.
     */
    readonly additionalNames?: readonly string[];
    /**
     * Tags that each new release of the image gets in addition to that of `name`, in all of its repositories.
     *
     * - Text without {commit}, {date} or {release}: a tag that moves to each new release, like that of `name`.
     * - Text with {commit} (12 hexadecimal digits, "-dirty" with uncommitted changes), {date} (2026-01-31, UTC) or
     *   {release} (the 12 hexadecimal digits in the release's own tag `r-…`): a tag that stays when the next release is
     *   made. An update that makes no new release adds none.
     *
     * Either may contain {ARG:NAME}, the value of a build argument as the image's build gets it.
     */
    readonly tags?: readonly string[];
    /** Path from the repository's root. */
    readonly dockerfile: string;
    /** Root of the build context, relative to the repository's root; default ".". */
    readonly context?: string;
    readonly target?: string;
    /** "host": the platform of the machine that runs the build. */
    readonly platforms: readonly Platform[] | "host";
    readonly buildArgs?: Readonly<Record<string, string>>;
    /** Build arguments that look like secrets but are public. */
    readonly plainArguments?: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
    /** Names of build secrets; stack configuration holds their values. */
    readonly secrets?: readonly string[];
    /**
     * Registry cache `<repository>:cache-<arch>`, mode max; on by default. It publishes every step, including the
     * stages from which the image only copies files, to everyone who may pull the image. If it does, a warning appears
     * until this is set to true or false. Rewritten layers and cached layers are different blobs, so the registry
     * stores a huge layer twice.
     */
    readonly registryCache?: boolean;
    /** Script that tests the image, run inside it; relative to the repository's root. It requires a `name`. */
    readonly smokeTest?: string;
}

/** The hierarchy: images by key. */
export type ImageDefinitions = Readonly<Record<string, ImageDefinition>>;

/** Properties of an external image. */
export interface RootDefinition {
    /**
     * Its ONBUILD triggers, as shown by `docker image inspect --format '{{json .Config.OnBuild}}'`. BuildKit runs them
     * in every stage built FROM the image, so they are read as part of that stage. They are verified before a build.
     */
    readonly onBuild: readonly string[];
}

/** External images by reference as written in Dockerfiles, in any spelling. */
export type RootDefinitions = Readonly<Record<string, RootDefinition>>;

/** The exports of `images.ts`. */
export interface Definitions {
    readonly images: ImageDefinitions;
    readonly roots?: RootDefinitions;
}

/**
 * The platforms that a stack builds. "declared" means the platforms of each image, on any machine and without omitting
 * an image: for tools that only describe the images.
 */
export type WantedPlatforms = "all" | "host" | "declared" | readonly Platform[];

/** Returns the platforms that an image declares; "host" is this machine's platform. */
export const declaredPlatforms = ({ platforms }: ImageDefinition): readonly Platform[] =>
    platforms === "host" ? [hostPlatform()] : platforms;

/** Returns the declared platforms of an image that a stack builds. */
export function platformsOf(image: ImageDefinition, wanted: WantedPlatforms): readonly Platform[] {
    const list = wanted === "host" ? [hostPlatform()] : wanted;
    const declared = declaredPlatforms(image);
    return typeof list === "string" ? declared : declared.filter((platform) => list.includes(platform));
}
