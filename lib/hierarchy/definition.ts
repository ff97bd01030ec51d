import { InputError } from "../errors";
import { type Platform, hostPlatform } from "../platform";
import type { RebuildInterval } from "./rebuild";

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
    /** Name or number of the stage to build, as for `docker build --target`. Default: the last stage. */
    readonly target?: string;
    /** "host": the platform of the machine that runs the build. */
    readonly platforms: readonly Platform[] | "host";
    /** Values by build argument. Those that the Dockerfile does not read have no effect. */
    readonly buildArgs?: Readonly<Record<string, string>>;
    /** Build arguments that look like secrets but are public. */
    readonly plainArguments?: readonly string[];
    /** Labels in addition to those of the Dockerfile, which they override. A changed label rebuilds the image. */
    readonly labels?: Readonly<Record<string, string>>;
    /** Names of build secrets; stack configuration holds their values. */
    readonly secrets?: readonly string[];
    /**
     * Registry cache `<repository>:cache-<arch>`, mode max; on by default. Images of a matrix, and
     * further images of the same repository, have `<repository>:cache-<key>-<arch>`. It publishes every step, including the stages from which the image only copies
     * files, to everyone who may pull the image. If it does, a warning appears until this is set to true or false.
     * Rewritten layers and cached layers are different blobs, so the registry stores a huge layer twice.
     */
    readonly registryCache?: boolean;
    /**
     * How often `bump` schedules a rebuild that repeats all downloads. One that downloads the same files has the same digest,
     * and moves nothing.
     */
    readonly rebuild?: RebuildInterval;
    /**
     * The size that its layers may have, compressed, for each platform: "500 MB". A stack with a policy promotes no build that is
     * larger (docs/operations.md, "Policy"). It requires a `name`.
     */
    readonly maxSize?: string;
    /** Script that tests the image, run inside it; relative to the repository's root. It requires a `name`. */
    readonly smokeTest?: string;
}

/** Values by variable, for example `{ PYTHON: "3.12", CUDA: "" }`. */
export type Combination = Readonly<Record<string, string>>;

/**
 * An entry of `images.ts` that stands for several images: one for each combination of the values in `matrix`. The
 * variables are build arguments of the same name. `description`, `name`, `tags`, `dockerfile`, `context`, `target`,
 * `smokeTest` and the values of `buildArgs` and `labels` are templates: {PYTHON} is the value of the variable PYTHON, and
 * text in square brackets is left out if a value in it is empty. With `matrix: { PYTHON: ["3.11", "3.12"], CUDA: ["", "12"] }`,
 * "ghcr.io/acme/base:py{PYTHON}[-cuda{CUDA}]" names base:py3.11, base:py3.11-cuda12, base:py3.12 and base:py3.12-cuda12.
 */
export interface MatrixDefinition extends ImageDefinition {
    /** The values of each variable. */
    readonly matrix: Readonly<Record<string, readonly string[]>>;
    /** Combinations without an image: those that have all the values of one of these. */
    readonly exclude?: readonly Combination[];
    /**
     * Template of the images' keys, in which values are written in lower case and with dashes: "base-py{PYTHON}" gives
     * base-py3-11. Default: the key of the entry and the values that are not empty, such as base-3-11-12.
     */
    readonly key?: string;
}

/** The images of `images.ts`, as written: entries by key. */
export type ImageDefinitions = Readonly<Record<string, ImageDefinition | MatrixDefinition>>;

/** The images of a repository by key; each entry with a matrix is replaced by its images. */
export type Images = Readonly<Record<string, ImageDefinition>>;

/** What is known of a matrix after its entry was replaced. */
export interface Matrix {
    /** The keys of its images. */
    readonly images: readonly string[];
    /** The names of its variables, in the order of images.ts. */
    readonly variables: readonly string[];
    /** The variables that templates of what is built contain, so that they matter even if no Dockerfile reads them. */
    readonly inTemplates: readonly string[];
}

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

/** What `images.ts` defines, after matrices were expanded. */
export interface Definitions {
    /** The images by key, those of matrices among them. */
    readonly images: Images;
    /** The entries with a matrix, by their keys in `images.ts`; absent if there is none. */
    readonly matrices?: Readonly<Record<string, Matrix>>;
    /** What is known of external images; absent if images.ts has no export `roots`. */
    readonly roots?: RootDefinitions;
}

/**
 * Returns the keys of the images that a name stands for: those of a matrix for the key of its entry, otherwise the key
 * of an image itself. Empty if there is no such image.
 */
export const keysOf = ({ images, matrices = {} }: Definitions, name: string): readonly string[] =>
    (Object.hasOwn(matrices, name) ? matrices[name]?.images : undefined) ?? (Object.hasOwn(images, name) ? [name] : []);

/** Returns the keys of the entries of `images.ts`: one key for all images of a matrix. */
export function entryKeys({ images, matrices = {} }: Definitions): string[] {
    const entries = new Map(
        Object.entries(matrices).flatMap(([entry, matrix]) => matrix.images.map((key) => [key, entry] as const)),
    );
    return [...new Set(Object.keys(images).map((key) => entries.get(key) ?? key))];
}

/** The images that names may stand for, where that is not every image of `images.ts`. */
export interface NamedAmong {
    /** Keys of images; `images.ts` may no longer have some of them. */
    readonly keys: readonly string[];
    /** Describes them in messages: "published". */
    readonly adjective: string;
}

/** Returns all names of images: the keys of entries with a matrix, then those of images. */
export function imageNames({ images, matrices = {} }: Definitions, among?: NamedAmong): string[] {
    const keys = among?.keys ?? Object.keys(images);
    const entries = Object.entries(matrices).filter(([, matrix]) => matrix.images.some((key) => keys.includes(key)));
    return [...new Set([...entries.map(([entry]) => entry), ...keys])];
}

/**
 * Returns the keys of the images that names stand for, wherever people name images: on a command line, in a stack's configuration.
 *
 * @param names keys of images, or of entries with a matrix for all their images
 * @param where what contains the names, for messages: "the stack's setting `buildArgs`"
 * @returns keys without duplicates, in the order of the names
 * @throws InputError with the names that stand for no image, and those that are allowed
 */
export function imagesNamed(
    definitions: Definitions,
    names: readonly string[],
    { where, among }: { readonly where: string; readonly among?: NamedAmong },
): string[] {
    const allowed = among?.keys ?? Object.keys(definitions.images);
    const found = names.map((name) => [...keysOf(definitions, name), name].filter((key) => allowed.includes(key)));
    const unknown = names.filter((_name, index) => found[index]?.length === 0);
    if (unknown.length === 0) return [...new Set(found.flat())];
    throw new InputError({
        problem: `there is no ${among ? `${among.adjective} image` : "image"} ${unknown.map((name) => JSON.stringify(name)).join(", ")}`,
        where,
        allowed: imageNames(definitions, among),
        next: "name images by their keys in images.ts; that of an entry with a matrix stands for all its images",
    });
}

/** The word that names all images to `up --rebuild`. If an image or an entry has this key, it means that one. */
export const allImages = "all";

/**
 * Returns the keys of the images that names stand for, where images to build again are named: like `imagesNamed`, and `allImages` for all
 * of them.
 *
 * @throws InputError with the names that stand for no image, and those that are allowed
 */
export function imagesToRebuild(
    definitions: Definitions,
    names: readonly string[],
    options: Parameters<typeof imagesNamed>[2],
): string[] {
    const every = options.among?.keys ?? Object.keys(definitions.images);
    const isAll = names.includes(allImages) && keysOf(definitions, allImages).length === 0;
    const others = imagesNamed(
        definitions,
        names.filter((name) => !isAll || name !== allImages),
        options,
    );
    return isAll ? [...every] : others;
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
