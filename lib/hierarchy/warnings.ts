import { hostPlatform } from "../platform";
import { byImage, digestOf, withoutCapitals } from "../registry/references";
import { keyArguments, pinCommand } from "../system/shell";
import type { Definitions } from "./definition";
import { type Hierarchy, type PreparedImage, rootsOf } from "./prepare";
import { unlistedSecretWarnings } from "./secrets";

/**
 * Returns the roots without a pin, each with the images that use it: the program does not notice when such a root
 * moves.
 */
export function unpinnedRoots(
    prepared: readonly PreparedImage[],
): { readonly root: string; readonly images: string[] }[] {
    const imagesByRoot = new Map<string, string[]>();
    for (const { key, ...image } of prepared) {
        for (const { expanded, pin } of rootsOf(image)) {
            if (pin === undefined && digestOf(expanded) === undefined) {
                imagesByRoot.set(expanded, [...(imagesByRoot.get(expanded) ?? []), key]);
            }
        }
    }
    return [...imagesByRoot].map(([root, images]) => ({ root, images }));
}

/**
 * Returns a warning, with the command that removes it, for each pin of a root and each root in images.ts that no
 * Dockerfile names, for example because it is mistyped or outdated. It is not an error: with other build arguments,
 * another stack's Dockerfiles may name it.
 *
 * @param pins the keys of the stack's `roots`
 */
export function unusedPins({ definitions, roots }: Hierarchy, pins: readonly string[]): string[] {
    const rootOf = byImage(roots.map((root) => [root, root]));
    const unused = (names: readonly string[]) => names.filter((name) => rootOf(name) === undefined);
    const which = `which no Dockerfile names; they name ${roots.join(", ") || "no root"}. Remove it`;
    return [
        ...unused(pins).map((pin) => `roots pins ${pin}, ${which}: pulumi config rm ${keyArguments(["roots", pin])}`),
        ...unused(Object.keys(definitions.roots ?? {})).map((name) => `roots in images.ts has ${name}, ${which} there`),
    ];
}

/**
 * Warns about layers that the cache publishes in addition to the image, unless `registryCache` is set: stages that are
 * only copied from.
 */
function cacheWarning({ key, definition, repository, registryCache, cacheTag, stages }: PreparedImage): string[] {
    const copied = stages.filter(({ base }) => !base).map(({ name, number }) => name ?? number.toString());
    if (repository === undefined || !registryCache || definition.registryCache || copied.length === 0) return [];
    return [
        `the registry cache of image ${key} publishes whole stages that the image only copies from (${copied.join(", ")}), as ` +
            `${repository}:${cacheTag}-<arch>. In images.ts, set registryCache: true if everyone who may pull the image may see ` +
            "them, or registryCache: false to disable the cache",
    ];
}

/** Warns about a build argument without an ARG: it is mistyped, or its ARG was removed. */
function unreadWarnings({ key, definition, unreadArguments }: PreparedImage, { matrices = {} }: Definitions): string[] {
    const matrix = Object.values(matrices).find(({ images }) => images.includes(key));
    return unreadArguments
        .filter((name) => !matrix?.inTemplates.includes(name))
        .map(
            (name) =>
                `build argument ${name} of image ${key} has no effect: the stages that ${definition.dockerfile} builds have no ARG ` +
                `${name}. Declare it there, or remove it from ${matrix?.variables.includes(name) ? "the matrix" : "buildArgs"}`,
        );
}

const sizeOf = (bytes: number): string => {
    const units = ["bytes", "kB", "MB", "GB"];
    const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
    return `${(bytes / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit] ?? ""}`;
};

/** The number of large folders to name. */
const folderLimit = 5;

/**
 * Warns about instructions that copy the whole context, and about files that are omitted although BuildKit would copy
 * them.
 */
function broadCopyWarnings({ key, definition, broadCopies }: PreparedImage): string[] {
    if (!broadCopies) return [];
    const { instructions, files, bytes, folders, omitted } = broadCopies;
    const largest = folders
        .slice(0, folderLimit)
        .map((folder) => `${folder.name} (${folder.files} files, ${sizeOf(folder.bytes)})`);
    const inFolders = largest.length > 0 ? `, most of it in ${largest.join(", ")}` : "";
    const names = folders.slice(0, folderLimit).map(({ name }) => name);
    const lines = [...names, ...omitted].map((name) => `"/${name}"`);
    const whole =
        `image ${key} reads the whole context (${definition.dockerfile}: ${instructions.join(", ")}): ${files} files, ${sizeOf(bytes)}` +
        `${inFolders}. A change to any of them rebuilds it. For files that the image does not need, add lines to .dockerignore: ` +
        lines.join(", ");
    const missing =
        `image ${key} does not contain ${omitted.join(", ")}, which \`docker build\` would copy: they differ between checkouts. ` +
        "If the image needs one of them, name it in a COPY or mount; otherwise add it to .dockerignore";
    return [...(instructions.length > 0 ? [whole] : []), ...(omitted.length > 0 ? [missing] : [])];
}

/**
 * Warns about an image that is built from a fixed release of another image in this repository: it does not follow that
 * image's builds.
 */
const pinnedWarnings = ({ key, pinned }: PreparedImage): string[] =>
    pinned.map(
        ({ keys, expanded, where }) =>
            `image ${key} is pinned to a digest of image ${keys.join(" or ")}: it is not rebuilt with it, and its smoke tests don't run in it. ` +
            `To follow ${keys.join(" or ")}, remove @${digestOf(expanded) ?? ""} from ${where}`,
    );

/** Warns about a frontend that is not BuildKit's own, because the files that it reads are unknown. */
function frontendWarnings({ key, frontend }: PreparedImage): string[] {
    if (!frontend || frontend.official) return [];
    return [
        `${frontend.where}: ${frontend.reference} reads the Dockerfile of image ${key}, and may read any file: the whole build ` +
            "context is its input, minus what .dockerignore excludes, and parents are known only as far as the file is like a Dockerfile. " +
            "If it is a copy of docker/dockerfile, write docker/dockerfile, and pin that to the copy: " +
            pinCommand("docker/dockerfile:1"),
    ];
}

/** Warns about a name that BuildKit takes for a registry only because of its capital letters. */
const hostWarnings = (image: PreparedImage): string[] =>
    rootsOf(image).flatMap(({ expanded }) => {
        const lower = withoutCapitals(expanded);
        const isMeant = lower === undefined || /^[^/]*[.:]/.test(expanded);
        return isMeant
            ? []
            : [
                  `root ${expanded} of ${image.key}: because of its capital letters, ${expanded.split("/")[0] ?? ""} is the host of a registry. ` +
                      `Write ${lower}`,
              ];
    });

/**
 * Returns warnings about input that is valid but may be unintended, one string per warning, each with a next step.
 *
 * @param pins the keys of the stack's `roots`
 */
export function warningsOf(hierarchy: Hierarchy, pins: readonly string[]): string[] {
    const { definitions, images: prepared } = hierarchy;
    const unpinned = unpinnedRoots(prepared).map(
        ({ root, images: affected }) =>
            `root ${root} of ${affected.join(", ")} is not pinned: when it moves, nothing is rebuilt. Pin it: ` +
            pinCommand(root),
    );
    const omitted = Object.entries(definitions.images).filter(([key]) => !prepared.some((image) => image.key === key));
    return [
        ...unpinned,
        ...prepared.flatMap(({ unreadable = [] }) => unreadable),
        ...prepared.flatMap(pinnedWarnings),
        ...prepared.flatMap(frontendWarnings),
        ...prepared.flatMap(hostWarnings),
        ...prepared.flatMap(cacheWarning),
        ...prepared.flatMap((image) => unreadWarnings(image, definitions)),
        ...prepared.flatMap(broadCopyWarnings),
        ...prepared.flatMap(unlistedSecretWarnings),
        ...omitted.map(([key, { platforms }]) => {
            const all = "Build for more: pulumi config set platforms all";
            return platforms === "host"
                ? `image ${key} is left out: it is for this machine's platform, ${hostPlatform()}, but this stack does not build ` +
                      `that platform, or not for one of its parents. ${all}, and declare ${hostPlatform()} for its parents`
                : `image ${key} is left out: this stack builds none of the platforms of the image or of one of its parents. ${all}`;
        }),
        ...unusedPins(hierarchy, pins),
    ];
}
