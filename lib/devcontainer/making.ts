import { InputError } from "../errors";
import type { PreparedImage } from "../hierarchy/prepare";
import { hostPlatform } from "../platform";
import { sameImage } from "../registry/references";
import { type Devcontainer, inRepository } from "./file";
import { dockerfileIn } from "./schema";

/** An image that a devcontainer may be made from. */
export interface Candidate {
    readonly key: string;
    readonly name?: string | undefined;
    readonly dockerfile: string;
    /** Keys of the images that it stands on. */
    readonly parents: readonly string[];
}

/** What a devcontainer is made from: an image of the hierarchy, and the images that Docker must have for it. */
export interface Making {
    /** The image whose Dockerfile it builds, or on which it is made. */
    readonly image: string;
    /** Keys of the images that the Dev Containers CLI looks for by name: the parents of that Dockerfile, or the image itself. */
    readonly below: readonly string[];
}

/**
 * Finds what a devcontainer is made from.
 *
 * @throws InputError if it is no image of the hierarchy, or stands on none
 */
export function makingOf({ file, content }: Devcontainer, candidates: readonly Candidate[]): Making {
    const { image } = content;
    const written = dockerfileIn(content);
    const dockerfile = written === undefined ? undefined : inRepository(file, written);
    const isIt = ({ name, dockerfile: one }: Candidate) =>
        image === undefined ? one === dockerfile : name !== undefined && sameImage(name, image);
    const found = candidates.find(isIt);
    const below = image === undefined ? found?.parents : found && [found.key];
    if (found && below && below.length > 0) return { image: found.key, below };
    const named = image === undefined ? "build.dockerfile" : "image";
    const value = image ?? written;
    throw new InputError({
        problem:
            value === undefined
                ? "it names no Dockerfile and no image (services of Compose are not built here)"
                : `${named}: ${value} ${found ? "stands on no image of images.ts" : "is no image of images.ts"}`,
        where: file,
        allowed: candidates.flatMap((one) => (image === undefined ? one.dockerfile : (one.name ?? []))),
        next: "name one of these, or have the Dev Containers CLI build it: devcontainer up --workspace-folder .",
    });
}

/** What the command of an update makes. */
export interface PublishedMaking {
    /** Path of devcontainer.json from the repository's root. */
    readonly file: string;
    /** Key of the image whose Dockerfile it builds, or on which it is made. */
    readonly image: string;
    /** The published images that Docker must have: their keys, and the names that they get there. */
    readonly below: readonly { readonly key: string; readonly name: string }[];
    /** Changes whenever devcontainer.json, a file beside it, or an input of the image does. */
    readonly triggers: readonly string[];
}

/**
 * Decides what the command of an update makes.
 *
 * @throws InputError as `makingOf`, and if the stack does not publish what the devcontainer stands on for this machine's platform
 */
export function publishedMaking(devcontainer: Devcontainer, images: readonly PreparedImage[]): PublishedMaking {
    const candidates = images.map(({ key, definition: { name, dockerfile }, parents }) => ({
        ...{ key, name, dockerfile, parents: parents.map((parent) => parent.key) },
    }));
    const { image, below } = makingOf(devcontainer, candidates);
    const byKey = new Map(images.map((one) => [one.key, one]));
    const platform = hostPlatform();
    const published = below.map((key) => {
        const one = byKey.get(key);
        const name = one?.definition.name;
        const isBuilt = one?.platforms.includes(platform) === true && one.elsewhere?.[platform] === undefined;
        if (isBuilt && one.repository !== undefined && name !== undefined) return { key, name };
        throw new InputError({
            problem: `image ${key}, on which the devcontainer stands, is not published for ${platform}`,
            where: devcontainer.file,
            allowed: ["an image that the stack pushes for the platform of this machine"],
            next: "add the platform to the image's platforms, or turn the devcontainer off: pulumi config rm devcontainer",
        });
    });
    const { file, hash } = devcontainer;
    return { file, image, below: published, triggers: [byKey.get(image)?.inputHash ?? "", hash] };
}
