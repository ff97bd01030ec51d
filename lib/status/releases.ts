import { type PromotedBefore, readReleases } from "../engine/releases";
import {
    componentTypes,
    githubTypes,
    nameOf,
    readDeployment,
    readImage,
    remoteCommandType,
    textIn,
} from "../engine/resources";
import { type Deployment, type DeployedImage, type Resource, deployedImages, tagsOf } from "../engine/state";
import type { Manifest } from "../registry/manifest";
import { repositoryOf, shortDigest, withDigest } from "../registry/references";
import type { Answer } from "./findings";

/** What stands on a release, or names it. */
export interface ReleaseUsers {
    /** Tags that move, in all repositories: "registry/repository:latest". */
    readonly tags: readonly string[];
    /** Keys of images whose promoted release was built on it. */
    readonly children: readonly string[];
    /** Names of variables on GitHub. */
    readonly variables: readonly string[];
    /** Names of deployments that run it. */
    readonly deployments: readonly string[];
}

/** A release of an image. */
export interface ReleaseStatus extends PromotedBefore {
    /** Whether the image's tags stand for it. */
    readonly current: boolean;
    /** Whether the stack's file pins the image to it. */
    readonly pinned: boolean;
    /** Whether the registry has it; absent if it could not be asked. */
    readonly present?: boolean;
    /** "sha256:…" by platform; absent if the registry does not say it. */
    readonly platforms?: Readonly<Record<string, string>>;
    readonly users: ReleaseUsers;
}

/** A published image with its releases. */
export interface ImageReleases {
    /** Key of `images.ts`. */
    readonly image: string;
    /** "registry/repository" */
    readonly repository: string;
    /** Keys of the images that it is built on. */
    readonly parents: readonly string[];
    /** Platforms that the stack builds. */
    readonly platforms: readonly string[];
    /** "sha256:…" of the release that its tags stand for. */
    readonly current: string;
    /** Newest first. */
    readonly releases: readonly PromotedBefore[];
}

/** Returns the published images of a state with the releases that it records, parents first. */
export function recordedReleases({ resources }: Pick<Deployment, "resources">): ImageReleases[] {
    const named = (type: string, name: string) =>
        resources.find((resource) => resource.type === type && nameOf(resource.urn) === name);
    return deployedImages({ resources }).flatMap(({ image, parents, promotion, otherTags }) => {
        if (!promotion) return [];
        const repository = repositoryOf(promotion.tag);
        const { platforms } = readImage(named(componentTypes.image, image)?.inputs);
        const recorded = readReleases(named(componentTypes.promotion, image)?.outputs);
        const isCurrentKnown = recorded.some(({ digest }) => digest === promotion.digest);
        const own = otherTags.find(
            ({ tag, digest }) => digest === promotion.digest && tag.startsWith(`${repository}:r-`),
        );
        // A state that no update has recorded releases in has the current one.
        const unrecorded =
            !isCurrentKnown && own ? [{ release: own.tag.slice(repository.length + 1), digest: promotion.digest }] : [];
        const releases = [...unrecorded, ...recorded];
        return [{ image, repository, parents, platforms, current: promotion.digest, releases }];
    });
}

/** Returns the references of releases to query from registries. */
export const releaseQuestions = (images: readonly ImageReleases[]): string[] =>
    images.flatMap(({ repository, releases }) => releases.map(({ digest }) => withDigest(repository, digest)));

const contains = (value: unknown, text: string): boolean => JSON.stringify(value ?? "").includes(text);

/** Returns what stands on a release, from the state. */
function usersOf(
    digest: string,
    platforms: readonly string[],
    all: readonly ImageReleases[],
    deployed: DeployedImage | undefined,
    resources: readonly Resource[],
): ReleaseUsers {
    const tags = (deployed ? tagsOf(deployed) : []).filter(
        (tag) => tag.digest === digest && !/:r-[0-9a-f]{12}$/.test(tag.tag),
    );
    const short = platforms.map((one) => shortDigest(withDigest("", one)));
    const children = all.filter(({ releases, current }) =>
        releases.some((release) => release.digest === current && release.on?.some((base) => short.includes(base))),
    );
    const using = (type: string, input: string) =>
        resources.filter((resource) => resource.type === type && contains(resource.inputs[input], digest));
    const names = new Set(using(remoteCommandType, "stdin").map(({ urn }) => nameOf(urn)));
    const deployments = resources.filter(
        ({ type, urn, inputs }) =>
            type === componentTypes.deployment && names.has(nameOf(urn)) && readDeployment(inputs) !== undefined,
    );
    return {
        tags: tags.map(({ tag }) => tag),
        children: children.map(({ image }) => image),
        variables: using(githubTypes.variable, "value").map(
            ({ inputs, urn }) => textIn(inputs.variableName) ?? nameOf(urn),
        ),
        deployments: deployments.map(({ urn }) => nameOf(urn)),
    };
}

/**
 * Returns the releases of an image, newest first, with what stands on each.
 *
 * @param all all images of the state
 * @param pinned "sha256:…" that the stack's file pins the image to
 * @param answers registries' answers to `releaseQuestions`
 */
export function releasesOf(
    image: ImageReleases,
    all: readonly ImageReleases[],
    { resources }: Pick<Deployment, "resources">,
    pinned: string | undefined,
    answers: ReadonlyMap<string, Answer<Manifest>>,
): ReleaseStatus[] {
    const deployed = deployedImages({ resources }).find((one) => one.image === image.image);
    return image.releases.map((release) => {
        const { digest } = release;
        const answer = answers.get(withDigest(image.repository, digest));
        const platforms = answer && "found" in answer ? answer.found?.platforms : undefined;
        return {
            ...release,
            current: digest === image.current,
            pinned: digest === pinned,
            ...(answer && "found" in answer && { present: answer.found !== undefined }),
            ...(platforms && { platforms }),
            users: usersOf(digest, Object.values(platforms ?? {}), all, deployed, resources),
        };
    });
}

/** A text that names a release, read. */
export type WantedRelease =
    | { readonly by: "tag"; readonly hex: string }
    | { readonly by: "digest"; readonly digest: string }
    | { readonly by: "date"; readonly until: string };

/**
 * Reads how a release is named: its tag "r-<hex>" or the beginning of it, its digest or the beginning of it, or a day or time (UTC), which names
 * the release that was promoted last until then.
 *
 * @returns undefined for any other text
 */
export function readWanted(text: string): WantedRelease | undefined {
    if (/^r-[0-9a-f]{4,12}$/.test(text)) return { by: "tag", hex: text };
    if (/^sha256:[0-9a-f]{6,64}$/.test(text)) return { by: "digest", digest: text };
    if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)))
        return { by: "date", until: `${text}T23:59:59.999Z` };
    const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
    return Number.isNaN(time) ? undefined : { by: "date", until: new Date(time).toISOString() };
}

/** Returns the recorded releases that a text names: several if a beginning is ambiguous. */
export function matching(releases: readonly PromotedBefore[], wanted: WantedRelease): readonly PromotedBefore[] {
    switch (wanted.by) {
        case "tag":
            return releases.filter(({ release }) => release.startsWith(wanted.hex));
        case "digest":
            return releases.filter(({ digest }) => digest.startsWith(wanted.digest));
        case "date": {
            const until = releases.filter(({ date }) => date !== undefined && date <= wanted.until);
            return until.sort((a, b) => ((a.date ?? "") < (b.date ?? "") ? 1 : -1)).slice(0, 1);
        }
    }
}
