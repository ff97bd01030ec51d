import { hostPlatform } from "../platform";
import { withoutCapitals, parseReference, sameImage } from "../registry/references";
import { type Hierarchy, type PreparedImage, rootsOf } from "./prepare";
import { unlistedSecretWarnings } from "./secrets";

/** Roots that nobody pinned, each with the images that stand on it: their moves go unnoticed. */
export function unpinnedRoots(
    prepared: readonly PreparedImage[],
): { readonly root: string; readonly images: string[] }[] {
    const found = new Map<string, string[]>();
    for (const { key, ...image } of prepared) {
        for (const { expanded, by } of rootsOf(image)) {
            if (by === undefined && parseReference(expanded).digest === undefined) {
                found.set(expanded, [...(found.get(expanded) ?? []), key]);
            }
        }
    }
    return [...found].map(([root, images]) => ({ root, images }));
}

/**
 * Pins of roots, and roots of images.ts, that no Dockerfile names, because they are mistyped or left over. Each is a sentence that says
 * what to do. They are no errors: a build argument may make the Dockerfiles of another stack name them.
 *
 * @param pins the keys of the stack's `roots`
 */
export function unusedPins({ definitions, roots }: Hierarchy, pins: readonly string[]): string[] {
    const unused = (all: readonly string[]) => all.filter((one) => !roots.some((other) => sameImage(one, other)));
    const which = `which no Dockerfile names; they name ${roots.join(", ") || "none"}. Remove it`;
    return [
        ...unused(pins).map((pin) => `roots pins ${pin}, ${which}: pulumi config rm --path 'roots["${pin}"]'`),
        ...unused(Object.keys(definitions.roots ?? {})).map((one) => `roots in images.ts has ${one}, ${which} there`),
    ];
}

/** What the cache publishes beyond the image, where nobody decided that it may: the layers of stages that are copied from. */
function cacheWarning({ key, definition, repository, registryCache, stages }: PreparedImage): string[] {
    const copied = stages.filter(({ base }) => !base).map(({ name, number }) => name ?? number.toString());
    if (repository === undefined || !registryCache || definition.registryCache || copied.length === 0) return [];
    return [
        `the registry cache of image ${key} publishes whole stages that the image only copies from (${copied.join(", ")}), as ` +
            `${repository}:cache-<arch>. In images.ts, registryCache: true says that all who may pull the image may see ` +
            "them; registryCache: false keeps no cache",
    ];
}

/** A build argument that nothing takes is a mistyped one, or an ARG that is gone. */
const unreadWarnings = ({ key, definition, unreadArguments }: PreparedImage): string[] =>
    unreadArguments.map(
        (name) =>
            `build argument ${name} of image ${key} changes nothing: what ${definition.dockerfile} builds has no ARG ` +
            `${name}. Declare it there, or remove it from buildArgs`,
    );

const sizeOf = (bytes: number): string => {
    const units = ["bytes", "kB", "MB", "GB"];
    const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
    return `${(bytes / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit] ?? ""}`;
};

/** How many of the largest folders are named. */
const mostFolders = 5;

/** What the whole context costs whoever reads it, and what is left out of it although BuildKit would copy it. */
function broadCopyWarnings({ key, definition, broadCopies }: PreparedImage): string[] {
    if (!broadCopies) return [];
    const { instructions, files, bytes, folders, omitted } = broadCopies;
    const largest = folders
        .slice(0, mostFolders)
        .map((one) => `${one.name} (${one.files} files, ${sizeOf(one.bytes)})`);
    const inFolders = largest.length > 0 ? `, most of it in ${largest.join(", ")}` : "";
    const lines = [...largest.map((_one, index) => folders[index]?.name ?? ""), ...omitted].map((one) => `"/${one}"`);
    const whole =
        `image ${key} reads the whole context (${definition.dockerfile}: ${instructions.join(", ")}): ${files} files, ${sizeOf(bytes)}` +
        `${inFolders}. A change of any of them rebuilds it. Lines for .dockerignore, of those that the image needs not: ` +
        lines.join(", ");
    const missed =
        `image ${key} does not get ${omitted.join(", ")}, which \`docker build\` would copy: they differ from checkout to checkout. ` +
        "Name one in a COPY or mount of its own where the image needs it, or in .dockerignore where it does not";
    return [...(instructions.length > 0 ? [whole] : []), ...(omitted.length > 0 ? [missed] : [])];
}

/** A release of an image of ours that another is built on: what is built of that image from now on does not reach it. */
const pinnedWarnings = ({ key, pinned }: PreparedImage): string[] =>
    pinned.map(
        ({ key: parent, expanded, where }) =>
            `image ${key} is pinned to a digest of image ${parent}: it is not rebuilt with it, and its smoke tests don't run in it. ` +
            `To follow ${parent}, remove @${expanded.split("@")[1] ?? ""} from ${where}`,
    );

/** A frontend of somebody else's: nobody sees what it reads. */
function frontendWarnings({ key, frontend }: PreparedImage): string[] {
    if (!frontend || frontend.official) return [];
    return [
        `${frontend.where}: ${frontend.reference} reads the Dockerfile of image ${key}, and may read whatever it likes: the whole build ` +
            "context is its input, minus what .dockerignore leaves out, and parents are known only as far as it is like a Dockerfile. " +
            "Where it is a copy of docker/dockerfile, write that, and pin it to the copy: " +
            "pulumi config set --path 'roots[\"docker/dockerfile:1\"]' <repository>@sha256:<digest>",
    ];
}

/** What BuildKit takes for a registry only because it has capital letters. */
const hostWarnings = (image: PreparedImage): string[] =>
    rootsOf(image).flatMap(({ expanded }) => {
        const lower = withoutCapitals(expanded);
        const isMeant = lower === undefined || /^[^/]*[.:]/.test(expanded);
        return isMeant
            ? []
            : [
                  `root ${expanded} of ${image.key}: its capital letters make ${expanded.split("/")[0] ?? ""} the host of a registry. ` +
                      `Write ${lower}`,
              ];
    });

/**
 * What is allowed and yet may not be meant: a sentence each, with what to do about it.
 *
 * @param pins the keys of the stack's `roots`
 */
export function warningsOf(hierarchy: Hierarchy, pins: readonly string[]): string[] {
    const { definitions, images: prepared } = hierarchy;
    const unpinned = unpinnedRoots(prepared).map(
        ({ root, images: affected }) =>
            `root ${root} of ${affected.join(", ")} is not pinned: when it moves, nothing is rebuilt. Pin it: ` +
            `pulumi config set --path 'roots["${root}"]' <repository>@sha256:<digest>`,
    );
    const leftOut = Object.entries(definitions.images).filter(([key]) => !prepared.some((image) => image.key === key));
    return [
        ...unpinned,
        ...prepared.flatMap(({ unreadable = [] }) => unreadable),
        ...prepared.flatMap(pinnedWarnings),
        ...prepared.flatMap(frontendWarnings),
        ...prepared.flatMap(hostWarnings),
        ...prepared.flatMap(cacheWarning),
        ...prepared.flatMap(unreadWarnings),
        ...prepared.flatMap(broadCopyWarnings),
        ...prepared.flatMap(unlistedSecretWarnings),
        ...leftOut.map(([key, { platforms }]) => {
            const all = "Build for more: pulumi config set platforms all";
            return platforms === "host"
                ? `image ${key} is left out: it is for this machine's platform, ${hostPlatform()}, and that, or an image that ` +
                      `it is built on, is not in this stack. ${all}, and declare ${hostPlatform()} for what it is built on`
                : `image ${key} is left out: it, or an image that it is built on, is for none of the platforms of this ` +
                      `stack. ${all}`;
        }),
        ...unusedPins(hierarchy, pins),
    ];
}
