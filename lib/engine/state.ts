import { z } from "zod";
import { InputError } from "../errors";
import type { Platform } from "../platform";
import { digestOf, repositoryOf } from "../registry/references";
import { type RunOptions, run } from "../system/process";
import { componentTypes, dockerTypes, isPublished, nameOf, pinIn, pushedBy, readImage } from "./resources";

/** A secret property as `pulumi stack export --show-secrets` writes it: its JSON as text. */
const revealed = z.object({ plaintext: z.string() }).transform(({ plaintext }) => JSON.parse(plaintext) as unknown);
const secretValues = z.union([revealed, z.unknown()]).pipe(z.record(z.string(), z.string()));

/** A published build as the stack's state has it: enough to do it again. */
const build = z.object({
    urn: z.string(),
    outputs: z.object({ digest: z.string().startsWith("sha256:") }),
    inputs: z.object({
        platforms: z.tuple([z.custom<Platform>((one) => typeof one === "string")]),
        dockerfile: z.object({ location: z.string() }),
        context: z.object({
            location: z.string(),
            named: z.record(z.string(), z.object({ location: z.string() })).default({}),
        }),
        buildArgs: z.record(z.string(), z.string()).default({}),
        labels: z.record(z.string(), z.string()).default({}),
        secrets: secretValues.default({}),
        target: z.string().optional(),
        tags: z.array(z.string()).min(1),
    }),
});
export type Build = z.infer<typeof build>;

/** A resource of a state that is a published build and stays. */
const publishedBuild = z.object({
    type: z.literal(dockerTypes.image),
    inputs: z.record(z.string(), z.unknown()).refine(isPublished),
    delete: z.literal(false).optional(),
});

/** Name of a build: `<image>-<arch>`. */
export const buildName = ({ urn }: Pick<Build, "urn">) => nameOf(urn);

/** Where the state and the builder are. */
export type CanaryOptions = Pick<RunOptions, "cwd" | "env">;

/** The published builds among the resources of an exported state. */
export const publishedOf = (resources: readonly unknown[]): Build[] =>
    resources.filter((one) => publishedBuild.safeParse(one).success).map((one) => build.parse(one));

/** The published builds of the stack's state, with the values of their build secrets. */
export async function publishedBuilds(options: CanaryOptions): Promise<Build[]> {
    const exported = JSON.parse(await run("pulumi", ["stack", "export", "--show-secrets"], options)) as {
        deployment: { resources?: unknown[] };
    };
    return publishedOf(exported.deployment.resources ?? []);
}

/** A build as the state has it. */
export interface DeployedBuild {
    readonly urn: string;
    /** "linux/amd64" */
    readonly platform: string;
    /** "sha256:…" */
    readonly digest: string;
    /** "registry/repository" */
    readonly repository: string;
    /** When the engine last changed it: ISO 8601, UTC. */
    readonly built?: string;
}

/** What `latest` was promoted to, as the state has it. */
export interface DeployedPromotion {
    readonly urn: string;
    /** "registry/repository:latest" */
    readonly tag: string;
    /** Digest of the index that the tag was moved to. */
    readonly digest: string;
    /** Digests of the builds in that index. */
    readonly sources: readonly string[];
}

/** A published image as the state has it. */
export interface DeployedImage {
    /** Key of `images.ts`. */
    readonly image: string;
    readonly parents: readonly string[];
    /** External images as Dockerfiles write them → "repository@sha256:…"; undefined for one that is not pinned. */
    readonly roots: Readonly<Record<string, string | undefined>>;
    readonly builds: readonly DeployedBuild[];
    readonly promotion?: DeployedPromotion;
}

const resource = z.object({
    urn: z.string(),
    type: z.string(),
    parent: z.string().optional(),
    delete: z.boolean().optional(),
    modified: z.string().optional(),
    inputs: z.record(z.string(), z.unknown()).default({}),
    outputs: z.record(z.string(), z.unknown()).default({}),
    /** Why the last update of it failed halfway: its inputs are then the new ones, and the engine updates it again in any case. */
    initErrors: z.array(z.string()).nullish(),
});
/** A resource of an exported deployment, as far as it matters here. Secrets in it are encrypted. */
export type Resource = z.infer<typeof resource>;

const exported = z.object({
    deployment: z.object({
        resources: z.array(resource).default([]),
        pending_operations: z.array(z.object({ resource: z.object({ urn: z.string() }), type: z.string() })).nullish(),
    }),
});

/** What `pulumi stack export` says. */
export interface Deployment {
    /** Those that are deployed; what only waits for its deletion is left out. */
    readonly resources: readonly Resource[];
    /** What the engine had begun when it was cut off. */
    readonly pending: readonly { readonly name: string; readonly operation: string }[];
}

/**
 * Reads what `pulumi stack export` printed.
 *
 * @throws InputError when it is no deployment of version 3
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
        resources: resources.filter((one) => one.delete !== true),
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

/** Parents first, then by name; the state's own order follows what was made last. */
function inOrder(images: readonly DeployedImage[]): DeployedImage[] {
    const byName = new Map(images.map((one) => [one.image, one]));
    const depth = (one: DeployedImage): number =>
        Math.max(0, ...one.parents.flatMap((name) => byName.get(name) ?? []).map((parent) => depth(parent) + 1));
    return [...images].sort((a, b) => depth(a) - depth(b) || a.image.localeCompare(b.image));
}

/** The images that the stack pushed, parents first. */
export function deployedImages({ resources }: Pick<Deployment, "resources">): DeployedImage[] {
    const ofType = (type: string) => resources.filter((one) => one.type === type);
    const [builds, indexes] = [ofType(dockerTypes.image), ofType(dockerTypes.index)];
    const images = ofType(componentTypes.image).flatMap(({ urn, inputs }) => {
        const image = nameOf(urn);
        const own = builds.filter(({ parent }) => parent === urn).flatMap(readBuild);
        const promotion = indexes.filter((index) => nameOf(index.urn) === image).flatMap(readPromotion)[0];
        const { parents, roots: described } = readImage(inputs);
        const roots = Object.fromEntries(Object.entries(described).map(([root, pin]) => [root, pinIn(pin)]));
        if (own.length === 0 && !promotion) return [];
        return [{ image, parents, roots, builds: own, ...(promotion && { promotion }) }];
    });
    return inOrder(images);
}
