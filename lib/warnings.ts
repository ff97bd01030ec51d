import { type ImageDefinitions, hostPlatform } from "./images";
import type { PreparedLayer } from "./layers";
import { withoutCapitals } from "./references";
import { rootsOf, unpinnedRoots } from "./roots";
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

/** A release of an image of ours that another is built on: what is built of that image from now on does not reach it. */
const pinnedWarnings = ({ key, pinned }: PreparedLayer): string[] =>
    pinned.map(
        ({ key: parent, expanded, where }) =>
            `image ${key} is pinned to a digest of image ${parent}: it is not rebuilt with it, and its smoke tests don't run in it. ` +
            `To follow ${parent}, remove @${expanded.split("@")[1] ?? ""} from ${where}`,
    );

/** A frontend of somebody else's: nobody sees what it reads. */
function frontendWarnings({ key, frontend }: PreparedLayer): string[] {
    if (!frontend || frontend.own) return [];
    return [
        `${frontend.where}: ${frontend.reference} reads the Dockerfile of image ${key}, and may read whatever it likes: the whole build ` +
            "context is its input, minus what .dockerignore leaves out, and parents are known only as far as it is like a Dockerfile. " +
            "Where it is a copy of docker/dockerfile, write that, and pin it to the copy: " +
            "pulumi config set --path 'roots[\"docker/dockerfile:1\"]' <repository>@sha256:<digest>",
    ];
}

/** What BuildKit takes for a registry only because it has capital letters. */
const hostWarnings = (layer: PreparedLayer): string[] =>
    rootsOf(layer).flatMap(({ expanded }) => {
        const lower = withoutCapitals(expanded);
        const isMeant = lower === undefined || /^[^/]*[.:]/.test(expanded);
        return isMeant
            ? []
            : [
                  `root ${expanded} of ${layer.key}: its capital letters make ${expanded.split("/")[0] ?? ""} the host of a registry. ` +
                      `Write ${lower}`,
              ];
    });

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
        ...layers.flatMap(({ unreadable = [] }) => unreadable),
        ...layers.flatMap(pinnedWarnings),
        ...layers.flatMap(frontendWarnings),
        ...layers.flatMap(hostWarnings),
        ...layers.flatMap(cacheWarning),
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
