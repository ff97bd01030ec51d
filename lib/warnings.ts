import type { ImageDefinitions } from "./images";
import type { PreparedLayer } from "./layers";
import { unpinnedRoots } from "./roots";

/** What is allowed and yet may not be meant, a sentence each with what to do about it. */
export function warningsOf(images: ImageDefinitions, layers: readonly PreparedLayer[]): string[] {
    const unpinned = unpinnedRoots(layers).map(
        ({ root, images: affected }) =>
            `root ${root} of ${affected.join(", ")} is not pinned: when it moves, nothing is rebuilt. Pin it: ` +
            `pulumi config set --path 'roots["${root}"]' <repository>@sha256:<digest>`,
    );
    const leftOut = Object.keys(images).filter((key) => !layers.some((layer) => layer.key === key));
    return [
        ...unpinned,
        ...leftOut.map(
            (key) =>
                `image ${key} is left out: it, or an image that it is built on, declares none of the platforms of this ` +
                "stack. Build for more: pulumi config set platforms all",
        ),
    ];
}
