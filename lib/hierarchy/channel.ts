import { InputError } from "../errors";
import { type Place, type Publication, placesOf } from "./publication";
import { namesRelease, tagProblem, tagsOfReleases } from "./validate";

/* A channel: the tags of a stack that promotes in the same repositories as another one, and moves none of that one's tags. */

/** What stands for the stack's name in the setting `channel`. */
export const stackPlaceholder = "{stack}";

/** Returns the channel of a stack, from its setting. */
export const channelOf = (setting: string, stack: string): string => setting.replaceAll(stackPlaceholder, stack);

/** What stands between a channel and a tag of images.ts. No channel has it in its own name, so no two channels have a tag in common. */
const separator = "_";

/** Returns the tag that a channel has instead of one in images.ts: `latest` is the channel itself. */
export const tagInChannel = (tag: string, channel: string): string =>
    tag === "latest" ? channel : `${channel}${separator}${tag}`;

/** Returns the tag of a registry cache that a channel writes, instead of the stack's without one: that one it only reads. */
export const cacheInChannel = (cacheTag: string, channel: string): string => `${cacheTag}-in-${channel}`;

/** Whether a tag is one of a channel. */
export const isInChannel = (tag: string, channel: string): boolean =>
    tag === channel || tag.startsWith(`${channel}${separator}`);

/** Returns where a channel publishes what `publication` publishes without one: in the repository of the image's name, under tags of its own. */
export function inChannel(publication: Publication, channel: string): Publication {
    const tags = (all: readonly string[]) => all.map((tag) => tagInChannel(tag, channel));
    return { ...publication, tags: tags(publication.tags), releaseTags: tags(publication.releaseTags), copies: [] };
}

const refuse = (channel: string, problem: string): never => {
    throw new InputError({
        problem: `channel "${channel}" ${problem}`,
        where: "the stack's setting `channel`",
        allowed: [
            `a tag that no image has, such as "preview", or "pr-1" by "${stackPlaceholder}" in a stack of that name`,
        ],
        next: "pulumi config set channel <channel>, or pulumi config rm channel",
    });
};

/** Whether two tags, which may have placeholders of a release, can be the same. Two with placeholders are not compared. */
const canBeSame = (one: string, other: string): boolean =>
    one === other ||
    (namesRelease(one) && tagsOfReleases(one).test(other)) ||
    (namesRelease(other) && tagsOfReleases(other).test(one));

/**
 * Refuses a channel that can't be told from a tag of another one, or whose tags are not tags, look like those that this program gives to builds, releases and caches, or are those of an image without
 * the channel: the stack would move what another one promotes.
 *
 * @param published the publications without the channel, by key of the image
 * @throws InputError with the channel, and the tag that it can't have
 */
export function checkChannel(channel: string, published: Readonly<Record<string, Publication>>): void {
    if (channel.includes(separator))
        refuse(
            channel,
            `has "${separator}" in it, which separates a channel from an image's tag: ${channel}${separator}<tag>`,
        );
    const all = Object.values(published);
    const own = all.flatMap((publication) => {
        const { tags, releaseTags } = inChannel(publication, channel);
        return [...tags, ...releaseTags];
    });
    for (const tag of [channel, ...own]) {
        const problem = tagProblem(tag, undefined);
        if (problem !== undefined) refuse(channel, `is no channel: its tag "${tag}" ${problem}`);
    }
    const others = Object.entries(published).flatMap(([key, publication]) =>
        placesOf(publication).flatMap(({ repository, tags }: Place) =>
            [...tags, ...publication.releaseTags].map((tag) => ({ key, repository, tag })),
        ),
    );
    for (const publication of all) {
        const { repository, tags, releaseTags } = inChannel(publication, channel);
        for (const tag of [...tags, ...releaseTags]) {
            const met = others.find((other) => other.repository === repository && canBeSame(tag, other.tag));
            if (met)
                refuse(channel, `would move ${repository}:${tag}, which is a tag of image ${met.key} in images.ts`);
        }
    }
}
