import path from "node:path";
import { type Step, isUnknown, listOf, textOf, textsOf } from "../engine/preview";
import { type Properties, type Texts, imageScheme, readImage, textIn } from "../engine/resources";
import { byImage, parseReference } from "../registry/references";
import { type Group, groups } from "./groups";
import type { ImagePlan } from "./images";

/** A target of a bake file (docs.docker.com/build/bake/reference). */
export interface BakeTarget {
    readonly context: string;
    readonly dockerfile?: string;
    /** Text of a Dockerfile instead. */
    readonly "dockerfile-inline"?: string;
    readonly contexts: Texts;
    readonly args: Texts;
    readonly labels?: Texts;
    readonly target?: string;
    readonly platforms: readonly string[];
    readonly network?: string;
    readonly secret?: readonly string[];
    readonly "cache-from"?: readonly string[];
    readonly output: readonly string[];
}

/** Builds that bake does, by target. */
export interface BakeFile {
    readonly group: { readonly default: { readonly targets: readonly string[] } };
    readonly target: Readonly<Record<string, BakeTarget>>;
}

/** What the builds are made from. */
export interface BakeSources {
    readonly steps: readonly Step[];
    readonly images: readonly ImagePlan[];
    /** Names of images by key, as Dockerfiles write them. */
    readonly names: Texts;
    readonly platform: string;
    /** Folder that the stack's paths are relative to. */
    readonly root: string;
    /** Name of the environment variable with the value of a build secret. */
    readonly secretVariable: (name: string) => string;
    /**
     * By image, where its result goes, as an output of buildx ("type=docker,name=base"; "type=cacheonly" for nowhere). These images are built,
     * whatever an update would do with them, and not tested; those that this stack does not build are fetched. By default those that an update would build, with their tests.
     */
    readonly outputs?: ReadonlyMap<string, string>;
}

/** The output of a build whose result goes nowhere. */
const nowhere = "type=cacheonly";

const isRecord = (value: unknown): value is Properties => typeof value === "object" && value !== null;

const locationIn = (value: unknown): string => (isRecord(value) ? (textIn(value.location) ?? "") : "");

/**
 * Returns a reference as the frontend looks up named contexts: without Docker Hub and without `latest` (buildkit, dockerui, namedContext).
 * `docker buildx build` shortens the names that it is given, bake does not, and a name that is not found is no error.
 */
function contextName(name: string): string {
    const { registry, repository, tag, digest } = parseReference(name);
    const short = registry === "docker.io" ? repository.replace(/^library\//, "") : `${registry}/${repository}`;
    return `${short}${tag === undefined || tag === "latest" ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The builds or smoke tests of an image for one platform. */
const ofPlatform = (steps: readonly Step[], platform: string) =>
    steps.find((step) => step.new && listOf(step.new, "platforms").includes(platform));

/** Bake replaces `${…}` and `%{…}` in texts (HCL's JSON syntax). */
function literal<T>(value: T): T {
    if (typeof value === "string") return value.replace(/([$%])(?=\{)/g, "$1$1") as T;
    if (Array.isArray(value)) return value.map(literal) as T;
    if (!isRecord(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, literal(one)])) as T;
}

/**
 * Returns the builds that an update would do for one platform, with their smoke tests, as a bake file: children are built on the results
 * of their parents, nothing is pushed, and caches are only read. An image whose digest may change counts as one that does.
 *
 * @returns undefined if nothing is built for this platform
 */
export function bakeFile(sources: BakeSources): BakeFile | undefined {
    const { platform, root, names } = sources;
    const pending = sources.images.filter(({ platforms }) =>
        platforms.some((one) => one.platform === platform && ["rebuild", "maybe", "recreate"].includes(one.action)),
    );
    const keys = new Set(sources.outputs?.keys() ?? pending.map(({ image }) => image));
    const all = groups(sources.steps).filter(({ image }) => keys.has(image));
    // A pinned image and one that another stack has built are there: what stands on them names their digests.
    const isBuilt = ({ builds, component }: Group) =>
        readImage(component.new?.inputs).pin === undefined && ofPlatform(builds, platform)?.new !== undefined;
    const here = all.filter(isBuilt).map(({ image }) => image);
    const keyOf = byImage(here.flatMap((key) => (names[key] === undefined ? [] : [[names[key], key] as const])));
    const published = byImage(
        groups(sources.steps).flatMap(({ builds }) => {
            const context = ofPlatform(builds, platform)?.new?.inputs.context;
            const named = isRecord(context) && isRecord(context.named) ? context.named : {};
            return Object.entries(named).map(([name, value]) => [name, locationIn(value)] as const);
        }),
    );
    const fetched = ({ image }: Group): [string, BakeTarget][] => {
        const [output, location] = [sources.outputs?.get(image), published(names[image] ?? "")];
        if (output === undefined || output === nowhere || !location?.startsWith(imageScheme)) return [];
        const from = `FROM ${location.slice(imageScheme.length)}\n`;
        return [
            [
                image,
                {
                    context: root,
                    "dockerfile-inline": from,
                    contexts: {},
                    args: {},
                    platforms: [platform],
                    output: [output],
                },
            ],
        ];
    };
    const basics = (inputs: Properties) => ({
        context: path.resolve(root, locationIn(inputs.context)),
        dockerfile: path.resolve(root, locationIn(inputs.dockerfile)),
        platforms: [platform],
        output: [nowhere],
    });
    const build = (group: Group): [string, BakeTarget][] => {
        const { image, component, builds } = group;
        const state = ofPlatform(builds, platform)?.new;
        if (!state || !isBuilt(group)) return fetched(group);
        const context = isRecord(state.inputs.context) ? state.inputs.context : {};
        const named = isRecord(context.named) ? context.named : {};
        const contexts = Object.entries(named).map(([name, value]) => {
            const key = keyOf(name);
            return [contextName(name), key === undefined ? locationIn(value) : `target:${key}`] as const;
        });
        const [target, labels] = [textOf(state, "target"), textsOf(state, "labels")];
        const caches = Array.isArray(state.inputs.cacheFrom) ? (state.inputs.cacheFrom as unknown[]) : [];
        const refs = caches.flatMap((cache) =>
            isRecord(cache) && isRecord(cache.registry) ? (textIn(cache.registry.ref) ?? []) : [],
        );
        const { secrets } = readImage(component.new?.inputs);
        const output = sources.outputs?.get(image);
        const built = {
            ...basics(state.inputs),
            ...(output !== undefined && { output: [output] }),
            contexts: Object.fromEntries(contexts),
            args: textsOf(state, "buildArgs"),
            ...(Object.keys(labels).length > 0 && { labels }),
            ...(target !== "" && { target }),
            ...(secrets.length > 0 && { secret: secrets.map((id) => `id=${id},env=${sources.secretVariable(id)}`) }),
            ...(refs.length > 0 && { "cache-from": refs.map((ref) => `type=registry,ref=${ref}`) }),
        };
        return [[image, built]];
    };
    const tests = ({ image, tests: steps }: Group): [string, BakeTarget][] => {
        const state = ofPlatform(steps, platform)?.new;
        const context = isRecord(state?.inputs.context) ? state.inputs.context : {};
        if (sources.outputs || !state || !isRecord(context.named)) return [];
        const contexts = Object.fromEntries(Object.keys(context.named).map((name) => [name, `target:${image}`]));
        const args = textsOf(state, "buildArgs");
        return [[`${image}-test`, { ...basics(state.inputs), contexts, args, network: "none" }]];
    };
    const target = Object.fromEntries(all.flatMap((group) => [...build(group), ...tests(group)]));
    const targets = Object.keys(target);
    return targets.length === 0 ? undefined : literal({ group: { default: { targets } }, target });
}

/** Returns the build contexts of a bake file that the preview did not know. */
export const unknownContexts = ({ target }: BakeFile): readonly string[] =>
    Object.values(target).flatMap(({ contexts }) =>
        Object.entries(contexts).flatMap(([name, value]) => (isUnknown(value) || value === "" ? [name] : [])),
    );
