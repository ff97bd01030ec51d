import { type Platform, hostPlatform } from "../platform";

/** An entry of `images.ts`. */
export interface ImageDefinition {
    /** One line for people. */
    readonly description: string;
    /**
     * Reference as Dockerfiles write it, with its promoted tag ("ghcr.io/owner/repo:latest"). An image without a name is
     * never pushed: it has no digest and no children.
     */
    readonly name?: string;
    /** Path from the repository's root. */
    readonly dockerfile: string;
    /** Build context root from the repository's root; default ".". */
    readonly context?: string;
    readonly target?: string;
    /** "host": the platform of the machine that builds. */
    readonly platforms: readonly Platform[] | "host";
    readonly buildArgs?: Readonly<Record<string, string>>;
    /** Build arguments that look like secrets and are none: everybody may read their values. */
    readonly plainArguments?: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
    /** Names of build secrets; their values come from elsewhere. */
    readonly secrets?: readonly string[];
    /**
     * Registry cache `<repository>:cache-<arch>`, mode max; on unless false. It holds every step, also of stages that the
     * image only copies from, for all who may pull the image: a warning says so until this is true or false. Rewritten
     * layers are other blobs than cached ones, so a huge layer would be stored twice.
     */
    readonly registryCache?: boolean;
    /** Script that tests the image inside it, from the repository's root; what is tested has a name. */
    readonly smokeTest?: string;
}

/** The hierarchy: images by key. */
export type ImageDefinitions = Readonly<Record<string, ImageDefinition>>;

/** What is known of an external image. */
export interface RootDefinition {
    /**
     * Its ONBUILD instructions, as `docker image inspect --format '{{json .Config.OnBuild}}'` has them: BuildKit runs them in
     * every stage that is built FROM it, so they are read as a part of it. Checked before a build; none without.
     */
    readonly onBuild: readonly string[];
}

/** External images by reference as Dockerfiles write it, in any spelling. */
export type RootDefinitions = Readonly<Record<string, RootDefinition>>;

/** What `images.ts` exports. */
export interface Definitions {
    readonly images: ImageDefinitions;
    readonly roots?: RootDefinitions;
}

/**
 * The platforms that a stack wants. "declared": those of the images, and no image is left out, whatever this machine is;
 * for what only describes them.
 */
export type WantedPlatforms = "all" | "host" | "declared" | readonly Platform[];

/** The platforms that an image is declared for: on this machine, where it says "host". */
export const declaredPlatforms = ({ platforms }: ImageDefinition): readonly Platform[] =>
    platforms === "host" ? [hostPlatform()] : platforms;

/** Those of them that a stack wants. */
export function platformsOf(image: ImageDefinition, wanted: WantedPlatforms): readonly Platform[] {
    const list = wanted === "host" ? [hostPlatform()] : wanted;
    const declared = declaredPlatforms(image);
    return typeof list === "string" ? declared : declared.filter((platform) => list.includes(platform));
}
