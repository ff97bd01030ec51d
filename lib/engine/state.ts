import { z } from "zod";
import { CommandError, InputError } from "../errors";
import { type StackBuilds, stackBuildsSchema } from "../hierarchy/elsewhere";
import type { Platform } from "../platform";
import { digestOf, repositoryOf } from "../registry/references";
import { typed } from "../system/commandLine";
import { hide } from "../system/hidden";
import { type RunOptions, capture } from "../system/process";
import {
    componentTypes,
    dockerTypes,
    imageAbove,
    isMainTag,
    isPublished,
    nameOf,
    pinIn,
    pushedBy,
    readImage,
    stackType,
} from "./resources";

/** A secret property as `pulumi stack export --show-secrets` writes it: its JSON as a string. */
const revealed = z.object({ plaintext: z.string() }).transform(({ plaintext }) => JSON.parse(plaintext) as unknown);
const secretValues = z.union([revealed, z.unknown()]).pipe(z.record(z.string(), z.string()));

/** A published build in the stack's state: everything needed to repeat it. */
const build = z.object({
    urn: z.string(),
    outputs: z.object({ digest: z.string().startsWith("sha256:") }),
    inputs: z.object({
        platforms: z.tuple([z.custom<Platform>((value) => typeof value === "string")]),
        dockerfile: z.object({ location: z.string() }),
        context: z.object({
            location: z.string(),
            named: z.record(z.string(), z.object({ location: z.string() })).default({}),
        }),
        buildArgs: z.record(z.string(), z.string()).default({}),
        labels: z.record(z.string(), z.string()).default({}),
        secrets: secretValues.default({}),
        target: z.string().optional(),
        exports: z.tuple([z.object({ raw: z.string() })]),
        tags: z.array(z.string()).min(1),
    }),
});
export type Build = z.infer<typeof build>;

/** A resource of a state that is a published build and is not about to be deleted. */
const publishedBuild = z.object({
    type: z.literal(dockerTypes.image),
    inputs: z.record(z.string(), z.unknown()).refine(isPublished),
    delete: z.literal(false).optional(),
});

/** Returns the name of a build: `<image>-<arch>`. */
export const buildName = ({ urn }: Pick<Build, "urn">) => nameOf(urn);

/** The working directory and environment in which the state and the builder are found. */
export type CanaryOptions = Pick<RunOptions, "cwd" | "env">;

/** Returns the published builds among the resources of an exported state. */
export const publishedOf = (resources: readonly unknown[]): Build[] =>
    resources
        .filter((candidate) => publishedBuild.safeParse(candidate).success)
        .map((candidate) => build.parse(candidate));

/**
 * Returns the published builds of the stack's state, with the values of their build secrets, and hides these in what this process prints.
 *
 * @throws CommandError if the state can't be read
 */
export async function publishedBuilds(options: CanaryOptions): Promise<Build[]> {
    const { failure, stdout, stderr } = await capture("pulumi", ["stack", "export", "--show-secrets"], options);
    // What a command that ended early has printed may contain secrets, which are not known yet.
    if (failure !== undefined)
        throw new CommandError(
            `the state can't be read: ${failure}\n${stderr.trimEnd()}`,
            `mend what pulumi says, or see what else is wrong by: ${typed("status")}`,
        );
    const exported = JSON.parse(stdout) as { deployment: { resources?: unknown[] } };
    const builds = publishedOf(exported.deployment.resources ?? []);
    hide(builds.flatMap(({ inputs }) => Object.values(inputs.secrets)));
    return builds;
}

/** A build as recorded in the state. */
export interface DeployedBuild {
    /** URN of its resource; where none of this stack stands for it, of the image's component. */
    readonly urn: string;
    /** "linux/amd64" */
    readonly platform: string;
    /** "sha256:…" */
    readonly digest: string;
    /** "registry/repository" */
    readonly repository: string;
    /** When the engine last changed it: ISO 8601, UTC. */
    readonly built?: string;
    /** The stack that built it; absent if it is this one. */
    readonly from?: string;
}

/** A tag of an image, as recorded in the state: a tag that moves (`latest`), or the tag of a release. */
export interface DeployedTag {
    readonly urn: string;
    /** "registry/repository:latest" */
    readonly tag: string;
    /** Digest of the index that the tag was moved to. */
    readonly digest: string;
}

/** The tag of an image's name, as recorded in the state. */
export interface DeployedPromotion extends DeployedTag {
    /** Digests of the builds in that index. */
    readonly sources: readonly string[];
}

/** A published image as recorded in the state. */
export interface DeployedImage {
    /** Key of `images.ts`. */
    readonly image: string;
    readonly parents: readonly string[];
    /** By external image as Dockerfiles write it, "repository@sha256:…"; undefined if it is not pinned. */
    readonly roots: Readonly<Record<string, string | undefined>>;
    readonly builds: readonly DeployedBuild[];
    readonly promotion?: DeployedPromotion;
    /** Its other tags: releases, and tags that move, in all repositories. */
    readonly otherTags: readonly DeployedTag[];
    /** The release that it is pinned to: `builds` are those of the release. Absent if it is not pinned. */
    readonly pinned?: DeployedPin;
}

/** A pin of an image, as recorded in the state. */
export interface DeployedPin {
    /** The release's own tag: "r-<12 hex>". */
    readonly release: string;
    /** "sha256:…" of its index. */
    readonly digest: string;
    /** Whether the image would be built without the pin, because the state has no build of what the checkout had. */
    readonly changed: boolean;
}

/** Returns all tags of an image, that of its name first. */
export const tagsOf = ({ promotion, otherTags }: Pick<DeployedImage, "promotion" | "otherTags">): DeployedTag[] => [
    ...(promotion ? [promotion] : []),
    ...otherTags,
];

const resource = z.object({
    urn: z.string(),
    type: z.string(),
    parent: z.string().optional(),
    delete: z.boolean().optional(),
    modified: z.string().optional(),
    inputs: z.record(z.string(), z.unknown()).default({}),
    outputs: z.record(z.string(), z.unknown()).default({}),
    /** Whether the provider is not asked to delete it when it leaves the state. */
    retainOnDelete: z.boolean().optional(),
    /**
     * Why its last update failed halfway: its inputs are then the new inputs, and the engine updates it again in any
     * case.
     */
    initErrors: z.array(z.string()).nullish(),
});
/** A resource of an exported deployment, reduced to the fields used here. Its secrets are encrypted. */
export type Resource = z.infer<typeof resource>;

const exported = z.object({
    deployment: z.object({
        resources: z.array(resource).default([]),
        pending_operations: z.array(z.object({ resource: z.object({ urn: z.string() }), type: z.string() })).nullish(),
    }),
});

/** A deployment, from `pulumi stack export`. */
export interface Deployment {
    /** The deployed resources; resources that only wait for their deletion are left out. */
    readonly resources: readonly Resource[];
    /** Operations that the engine had begun when it was interrupted. */
    readonly pending: readonly { readonly name: string; readonly operation: string }[];
}

/**
 * Reads the output of `pulumi stack export`.
 *
 * @throws InputError if the text is not a deployment of version 3
 */
export function parseDeployment(text: string): Deployment {
    let json: unknown;
    try {
        json = JSON.parse(text);
    } catch {
        json = undefined;
    }
    const parsed = exported.safeParse(json);
    if (!parsed.success) {
        throw new InputError({
            problem: `\`pulumi stack export\` printed no deployment: ${z.prettifyError(parsed.error)}`,
            next: "run the program with the version of Pulumi that docs/operations.md names",
        });
    }
    const { resources, pending_operations } = parsed.data.deployment;
    return {
        resources: resources.filter((entry) => entry.delete !== true),
        pending: (pending_operations ?? []).map(({ resource: { urn }, type }) => ({
            name: nameOf(urn),
            operation: type,
        })),
    };
}

const buildInputs = z.object({ platforms: z.array(z.string()).length(1) });
const indexOutputs = z.object({ ref: z.string().includes("@"), tag: z.string(), sources: z.array(z.string()) });

function readBuild({ urn, inputs, outputs, modified }: Resource): DeployedBuild[] {
    const [ref, { data }] = [pushedBy({ inputs, outputs }), buildInputs.safeParse(inputs)];
    const [digest, platform] = [ref && digestOf(ref), data?.platforms[0]];
    if (ref === undefined || digest === undefined || platform === undefined) return [];
    return [
        { urn, platform, digest, repository: repositoryOf(ref), ...(modified !== undefined && { built: modified }) },
    ];
}

function readPromotion({ urn, outputs }: Resource): DeployedPromotion[] {
    const { data } = indexOutputs.safeParse(outputs);
    const digest = data && digestOf(data.ref);
    if (!data || digest === undefined) return [];
    return [{ urn, tag: data.tag, digest, sources: data.sources.map((source) => digestOf(source) ?? source) }];
}

/** Sorts parents first, then by name; the order in the state depends on when each image was last changed. */
function inOrder(images: readonly DeployedImage[]): DeployedImage[] {
    const byName = new Map(images.map((entry) => [entry.image, entry]));
    const depths = new Map<DeployedImage, number>();
    const depth = (image: DeployedImage): number => {
        const parents = image.parents.flatMap((name) => byName.get(name) ?? []);
        // Without the map, the number of ways through the hierarchy would count, and not that of its images.
        const known = depths.get(image) ?? Math.max(0, ...parents.map((parent) => depth(parent) + 1));
        depths.set(image, known);
        return known;
    };
    return [...images].sort((a, b) => depth(a) - depth(b) || a.image.localeCompare(b.image));
}

/** Returns the builds of a pinned release. No resource stands for them, so they have the URN of the image's component. */
const pinnedBuilds = (urn: string, repository: string, platforms: Readonly<Record<string, string>>): DeployedBuild[] =>
    Object.entries(platforms).map(([platform, digest]) => ({ urn, platform, digest, repository }));

/**
 * Returns the builds of other stacks that an image of this one consists of. What the stack has built itself counts more: an update of chosen resources may have left
 * both.
 */
const foreignBuilds = (urn: string, own: readonly DeployedBuild[], builds: StackBuilds[string] = {}): DeployedBuild[] =>
    Object.entries(builds).flatMap(([platform, { ref, from }]) => {
        const digest = digestOf(ref);
        return from === undefined || digest === undefined || own.some((build) => build.platform === platform)
            ? []
            : [{ urn, platform, digest, repository: repositoryOf(ref), from }];
    });

/** Returns the images that the stack pushed, or made of what other stacks pushed, parents first. */
export function deployedImages({ resources }: Pick<Deployment, "resources">): DeployedImage[] {
    const ofType = (type: string) => resources.filter((entry) => entry.type === type);
    const [builds, indexes] = [ofType(dockerTypes.image), ofType(dockerTypes.index)];
    const said = stackBuildsSchema.safeParse(ofType(stackType)[0]?.outputs.builds).data ?? {};
    const images = ofType(componentTypes.image).flatMap(({ urn, inputs }) => {
        const image = nameOf(urn);
        const kept = builds.filter(({ parent }) => parent === urn).flatMap(readBuild);
        const { pin, platforms, elsewhere = {}, ...read } = readImage(inputs);
        const isMain = (index: Resource) => isMainTag({ name: nameOf(index.urn), image });
        const promotion = indexes.filter(isMain).flatMap(readPromotion)[0];
        const otherTags = indexes
            .filter((index) => imageAbove(index.parent ?? "") === image && !isMain(index))
            .flatMap(readPromotion)
            .map(({ urn: indexUrn, tag, digest }) => ({ urn: indexUrn, tag, digest }));
        const { parents, roots: described } = read;
        const tag = promotion?.tag;
        const imageBuilds =
            pin && tag !== undefined
                ? pinnedBuilds(urn, repositoryOf(tag), pin.platforms)
                : [...kept, ...foreignBuilds(urn, kept, said[image])];
        const pinned = pin && {
            release: pin.release,
            digest: pin.digest,
            changed: kept.length < platforms.length - Object.keys(elsewhere).length,
        };
        const roots = Object.fromEntries(Object.entries(described).map(([root, pin]) => [root, pinIn(pin)]));
        if (imageBuilds.length === 0 && !promotion && otherTags.length === 0) return [];
        return [
            {
                ...{ image, parents, roots, builds: imageBuilds, otherTags },
                ...(promotion && { promotion }),
                ...(pinned && { pinned }),
            },
        ];
    });
    return inOrder(images);
}
