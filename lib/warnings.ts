import { type ImageDefinitions, hostPlatform } from "./images";
import type { PreparedLayer } from "./layers";
import { unpinnedRoots } from "./roots";
import { unlistedSecretWarnings } from "./secrets";

/** What the cache publishes beyond the image, where nobody decided that it may: the layers of stages that are copied from. */
function cacheWarning({ key, definition, repository, registryCache, stages }: PreparedLayer): string[] {
    const copied = stages.filter(({ base }) => !base).map(({ name, number }) => name ?? number.toString());
    if (repository === undefined || !registryCache || definition.registryCache || copied.length === 0) return [];
    return [
        `the registry cache of image ${key} publishes whole stages that the image only copies from (${copied.join(", ")}), as ` +
            `${repository}:cache-<arch>. In images.ts, registryCache: true says that all who may pull the image may see ` +
            "them; registryCache: false keeps no cache",
    ];
}

/** A build argument that nothing takes is a mistyped one, or an ARG that is gone. */
const unreadWarnings = ({ key, definition, unreadArguments }: PreparedLayer): string[] =>
    unreadArguments.map(
        (name) =>
            `build argument ${name} of image ${key} changes nothing: what ${definition.dockerfile} builds has no ARG ` +
            `${name}. Declare it there, or remove it from buildArgs`,
    );

/** What is allowed and yet may not be meant, a sentence each with what to do about it. */
export function warningsOf(images: ImageDefinitions, layers: readonly PreparedLayer[]): string[] {
    const unpinned = unpinnedRoots(layers).map(
        ({ root, images: affected }) =>
            `root ${root} of ${affected.join(", ")} is not pinned: when it moves, nothing is rebuilt. Pin it: ` +
            `pulumi config set --path 'roots["${root}"]' <repository>@sha256:<digest>`,
    );
    const leftOut = Object.entries(images).filter(([key]) => !layers.some((layer) => layer.key === key));
    return [
        ...unpinned,
        ...layers.flatMap(cacheWarning),
        ...layers.flatMap(unreadWarnings),
        ...layers.flatMap(unlistedSecretWarnings),
        ...leftOut.map(([key, { platforms }]) => {
            const all = "Build for more: pulumi config set platforms all";
            return platforms === "host"
                ? `image ${key} is left out: it is for this machine's platform, ${hostPlatform()}, and that, or an image that ` +
                      `it is built on, is not in this stack. ${all}, and declare ${hostPlatform()} for what it is built on`
                : `image ${key} is left out: it, or an image that it is built on, is for none of the platforms of this ` +
                      `stack. ${all}`;
        }),
    ];
}
