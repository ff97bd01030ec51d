import { argumentValue } from "../dockerfile/arguments";
import { InputError } from "../errors";
import { withTls } from "../registry/failures";
import { isLoopback, parseReference, pushedRepository, repositoryOf } from "../registry/references";
import type { ImageDefinition } from "./definition";
import { type HierarchySettings, buildArgsOf } from "./settings";
import { argumentPlaceholder, namesRelease, tagProblem, tagsOfReleases } from "./validate";

/** A repository that the releases of an image are published to. */
export interface Place {
    /** "registry/repository" */
    readonly repository: string;
    /** The tags that move to each release; that of the name first. */
    readonly tags: readonly string[];
}

/** Where and under which tags the releases of an image are published. Build arguments in tags have their values. */
export interface Publication extends Place {
    /** Tags that only one release gets: text with {commit}, {date} or {release}. */
    readonly releaseTags: readonly string[];
    /** The repositories of its additional names. */
    readonly copies: readonly Place[];
}

/** Replaces the placeholders of build arguments in a tag by their values. */
function withArguments(
    tag: string,
    key: string,
    definition: ImageDefinition,
    dockerfile: string,
    settings: Pick<HierarchySettings, "buildArgs">,
): string {
    const { dockerfile: path, target, name } = definition;
    const options = {
        path,
        buildArgs: buildArgsOf(key, definition, settings),
        ...(target !== undefined && { target }),
    };
    const text = tag.replace(argumentPlaceholder, (_all, argument: string) => {
        const value = argumentValue(dockerfile, options, argument);
        if (value !== undefined) return value;
        throw new InputError({
            problem: `image ${key}: its tag "${tag}" names build argument ${argument}, which has no value of its own in ${path}`,
            where: "images.ts",
            next: `set ${argument} in buildArgs of image ${key}, or write ARG ${argument}=<default> in ${path}`,
        });
    });
    const problem = tag === text ? undefined : tagProblem(text, name);
    if (problem === undefined) return text;
    throw new InputError({
        problem: `image ${key}: its tag "${tag}", with build arguments "${text}", ${problem}`,
        where: "images.ts",
        next: "change the tag, or the build argument that it names",
    });
}

/**
 * Returns where the releases of an image are published; undefined for an image without a name. A registry setting replaces
 * the registries of all names: what it publishes is one release in one repository, so additional names are left out.
 *
 * @param dockerfile text of its Dockerfile
 * @throws InputError for a tag that names a build argument without a value, or is no tag with the value
 */
export function publicationOf(
    key: string,
    definition: ImageDefinition,
    dockerfile: string,
    settings: Pick<HierarchySettings, "buildArgs" | "registry">,
): Publication | undefined {
    const { name, additionalNames = [], tags = [] } = definition;
    if (name === undefined) return undefined;
    const written = [...new Set(tags.map((tag) => withArguments(tag, key, definition, dockerfile, settings)))];
    const moving = written.filter((tag) => !namesRelease(tag));
    const tagsOf = (reference: string) => [...new Set([parseReference(reference).tag ?? "latest", ...moving])];
    const copies = settings.registry === undefined ? additionalNames : [];
    return {
        repository: pushedRepository(name, settings.registry),
        tags: tagsOf(name),
        releaseTags: written.filter(namesRelease),
        copies: copies.map((copy) => ({ repository: repositoryOf(copy), tags: tagsOf(copy) })),
    };
}

/** Returns all repositories of a publication, that of the name first. */
export const placesOf = (publication: Publication): readonly Place[] => [publication, ...publication.copies];

interface Published {
    readonly key: string;
    readonly publication?: Publication;
}

/** A tag that an image writes. It may contain placeholders of a release. */
interface WrittenTag {
    readonly key: string;
    readonly repository: string;
    readonly tag: string;
}

/** Returns the tags that images write, by repository. Those with {release} are left out: it differs between any two images. */
function writtenTags(images: readonly Published[]): ReadonlyMap<string, readonly WrittenTag[]> {
    const written = new Map<string, WrittenTag[]>();
    for (const { key, publication } of images) {
        if (!publication) continue;
        const releaseTags = publication.releaseTags.filter((tag) => !tag.includes("{release}"));
        for (const { repository, tags } of placesOf(publication)) {
            const inRepository = written.get(repository) ?? [];
            inRepository.push(...[...tags, ...releaseTags].map((tag) => ({ key, repository, tag })));
            written.set(repository, inRepository);
        }
    }
    return written;
}

/** Returns the problems of the tags of one repository. Two tags with different placeholders are not compared. */
function sharedIn(written: readonly WrittenTag[]): string[] {
    const firsts = new Map<string, WrittenTag>();
    const same = written.flatMap((one) => {
        const first = firsts.get(one.tag) ?? one;
        firsts.set(one.tag, first);
        return first.key === one.key
            ? []
            : [`images ${first.key} and ${one.key} would both be published as ${one.repository}:${one.tag}`];
    });
    const different = [...firsts.values()].flatMap((one) => {
        if (!namesRelease(one.tag)) return [];
        const form = tagsOfReleases(one.tag);
        const others = written.filter(({ key, tag }) => key !== one.key && tag !== one.tag && form.test(tag));
        return others.map(
            ({ key, repository, tag }) =>
                `images ${one.key} and ${key} can both be published as ${repository}:${tag}, by the tag "${one.tag}" of ${one.key}`,
        );
    });
    return [...same, ...different];
}

/**
 * Refuses tags of one repository that two images write: each would take it from the other at each of its promotions.
 *
 * @param registry the stack's setting `registry` if the images are published there
 * @throws InputError with tags and images
 */
export function refuseSharedTags(images: readonly Published[], registry?: string): void {
    const problems = [...writtenTags(images).values()].flatMap(sharedIn);
    if (problems.length === 0) return;
    const change =
        "change name, additionalNames or tags of one of them in images.ts, or add to the tag what differs between them";
    throw new InputError({
        problem: problems.join("\n  "),
        where: registry === undefined ? "images.ts" : `the stack's setting \`registry\` (${registry})`,
        next:
            registry === undefined
                ? change
                : `${change}, or push to another registry: pulumi config set registry <registry>`,
    });
}

/**
 * Refuses registries on a loopback address: a build is pushed there without TLS, and then its promotion, which reads the
 * promoted tag with TLS, fails.
 *
 * @throws InputError with the images, and how to get a registry with TLS
 */
export function refuseLoopback(images: readonly Published[], settings: Pick<HierarchySettings, "registry">): void {
    const repositories = images.flatMap(({ key, publication }) =>
        publication ? placesOf(publication).map(({ repository }) => ({ key, repository })) : [],
    );
    const found = repositories.filter(({ repository }) => isLoopback(parseReference(repository).registry));
    const [first] = found;
    if (!first) return;
    const { registry } = parseReference(first.repository);
    const keys = [...new Set(found.map(({ key }) => key))].join(", ");
    throw new InputError({
        problem:
            `registry ${registry} can't be pushed to (image ${keys}): Docker's tools use localhost and 127.* without TLS, ` +
            "and promoting an image needs TLS",
        ...(settings.registry !== undefined && { where: "the stack's setting `registry`" }),
        next: withTls(registry),
    });
}
