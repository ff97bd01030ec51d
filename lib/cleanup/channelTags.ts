import { commandType, imageAbove, releaseTagsIn } from "../engine/resources";
import { type Deployment, deployedImages, tagsOf } from "../engine/state";
import { isInChannel } from "../hierarchy/channel";
import { tagsOfReleases } from "../hierarchy/validate";
import { parseReference, repositoryOf } from "../registry/references";
import { isImmutableTag } from "../registry/retention";

/* The tags that a stack promoted to in its channel, from its state. */

/** A tag of a channel. */
export interface ChannelTag {
    /** Key of the image in images.ts. */
    readonly image: string;
    /** "registry/repository" */
    readonly repository: string;
    readonly tag: string;
    /** "sha256:…" that the stack moved it to; absent for the tags of releases, which name a commit or date that the state does not have. */
    readonly digest?: string;
}

/** Tags that a stack gave to each release of an image, of which the registry knows the commits and dates. */
export interface ReleaseTagPattern {
    readonly image: string;
    readonly repository: string;
    readonly pattern: RegExp;
}

/** What a state says about the tags of a stack's channel. */
export interface ChannelTags {
    readonly tags: readonly ChannelTag[];
    readonly patterns: readonly ReleaseTagPattern[];
    /** Tags that the stack moved and that are not in the channel: its settings had another one, or none, when it was updated last. */
    readonly others: readonly ChannelTag[];
}

const tagIn = (ref: string): string => parseReference(ref).tag ?? "latest";

/**
 * Returns the tags of a channel that a state says its stack promoted to. Releases, builds and caches have tags of other forms, and belong to no
 * channel.
 *
 * @param channel as the stack's settings have it
 */
export function channelTags(deployment: Pick<Deployment, "resources">, channel: string): ChannelTags {
    const images = deployedImages(deployment);
    const moved = images.flatMap((image) =>
        tagsOf(image)
            .map(({ tag: ref, digest }) => ({
                image: image.image,
                repository: repositoryOf(ref),
                tag: tagIn(ref),
                digest,
            }))
            .filter(({ tag }) => !isImmutableTag(tag)),
    );
    const commands = deployment.resources.filter(({ type }) => type === commandType);
    const patterns = images.flatMap((image) => {
        const { image: key, promotion } = image;
        if (!promotion) return [];
        // The command has the name of its release in place of the placeholder.
        const releases = tagsOf(image)
            .map(({ tag }) => tagIn(tag))
            .filter((tag) => tag.startsWith("r-"))
            .map((tag) => tag.slice("r-".length));
        const template = (text: string) =>
            releases.reduce((found, release) => found.replaceAll(release, "{release}"), text);
        return commands
            .filter(({ parent }) => imageAbove(parent ?? "") === key)
            .flatMap(({ inputs }) => releaseTagsIn(inputs))
            .filter((tag) => isInChannel(tag, channel))
            .map((tag) => ({
                ...{ image: key, repository: repositoryOf(promotion.tag) },
                pattern: tagsOfReleases(template(tag)),
            }));
    });
    return {
        tags: moved.filter(({ tag }) => isInChannel(tag, channel)),
        patterns,
        others: moved.filter(({ tag }) => !isInChannel(tag, channel)),
    };
}
