import { existsSync } from "node:fs";
import path from "node:path";
import type { Checkout } from "../context/checkout";
import { buildTag, inputHash } from "../context/hash";
import { type BroadCopies, readContext } from "../context/inputs";
import type { InputFile } from "../context/walk";
import { foreignStatements } from "../dockerfile/foreign";
import { type Frontend, syntaxArgument, frontendOf } from "../dockerfile/frontends";
import { splitArguments } from "../dockerfile/meaning";
import { type Statement, type Statements, type Trigger, readStatements } from "../dockerfile/parse";
import { readDockerfile } from "../dockerfile/read";
import type { DockerfileReading } from "../dockerfile/reading";
import { imagesInFrom, targetTriggers, type ReadOptions, type ImagesBelow } from "../dockerfile/stages";
import { InputError } from "../errors";
import type { Platform } from "../platform";
import { byImage, pushedRepository, referenceProblem } from "../registry/references";
import { cacheInChannel, checkChannel, inChannel } from "./channel";
import { type Compression, registryExport, usualCompression } from "./compression";
import { type Definitions, type ImageDefinition, type Images, platformsOf, declaredPlatforms } from "./definition";
import { type ReleasePin, checkPins, checkPlatforms } from "./pins";
import { type PlacedParent, placeParents } from "./place";
import { type PlatformStacks, checkPlatformStacks, platformsHere } from "./platformStacks";
import { type Publication, publicationOf, refuseLoopback, refuseSharedTags } from "./publication";
import { type ResolvedImage, refuseReplacedStages, resolveHierarchy } from "./resolve";
import { refuseSecretArguments, refuseUnlistedSecrets, requireSecrets } from "./secrets";
import {
    type HierarchySettings,
    buildArgsOf,
    refuseEmpty,
    refuseUnknownPlatforms,
    withImageSettings,
} from "./settings";
import { type SmokeTests, collectSmokeTests } from "./smokeTests";
import { allNames, fieldProblems, namedImages } from "./validate";

/**
 * Timestamp, in seconds since 1970, of all files that a build writes (reproducible-builds.org, SOURCE_DATE_EPOCH). It
 * is constant, so that equal inputs give equal digests on any day. 1980-01-01 is the earliest date in a zip file.
 */
export const sourceDateEpoch = "315532800";

/** An external image that a Dockerfile names. */
export interface Root {
    /** The reference as BuildKit sees it: the key of the named build context. */
    readonly expanded: string;
    /**
     * `<repository>@<digest>` that replaces it; undefined without a pin in the stack: the builder then resolves the
     * reference.
     */
    readonly pin: string | undefined;
    /** By the target platform of a build, the pin that replaces `pin` in it; absent if there is none. */
    readonly pins?: Readonly<Partial<Record<Platform, string>>>;
    /** Its platforms that stages in the stack's builds are built FROM; empty if they only copy from it. */
    readonly from: readonly Platform[];
}

/** Returns the pin of a root in builds for a platform. */
export const pinFor = ({ pin, pins }: Root, platform: Platform): string | undefined => pins?.[platform] ?? pin;

/** An image, ready to become resources: all information that exists before anything is built. */
export interface PreparedImage {
    readonly key: string;
    readonly definition: ImageDefinition;
    /** The platforms of its releases; of an image that is never pushed, those that it is built for. */
    readonly platforms: readonly Platform[];
    /** Those of its platforms that other stacks build, each with the stack's name; absent if there are none. */
    readonly elsewhere?: PlatformStacks;
    /** The repository it is pushed to; absent for an image that is never pushed. */
    readonly repository?: string;
    /** Where its releases are published, `repository` first; absent for an image that is never pushed. */
    readonly publication?: Publication;
    /** This repository's images that its Dockerfile names, by key; the image in FROM first. */
    readonly parents: readonly PlacedParent[];
    readonly roots: readonly Root[];
    /** Roots that are releases of this repository's images. */
    readonly pinned: ResolvedImage["pinned"];
    /** The root that reads its Dockerfile; absent if the builder reads it. */
    readonly frontend?: Frontend & Root;
    /** The reason why its Dockerfile can't be read on this machine, and the next step. */
    readonly unreadable?: string;
    /** The build arguments that its Dockerfile reads; `unreadArguments` names the rest, which have no effect. */
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly unreadArguments: readonly string[];
    /** Whether the registry caches the build's steps, for builders with an empty cache. */
    readonly registryCache: boolean;
    /** How its layers are compressed, in the registry and in the registry cache. */
    readonly compression: Compression;
    /** The tag of the registry cache that its builds write, without the architecture at its end. */
    readonly cacheTag: string;
    /** That of one that its builds only read; absent outside of a channel. */
    readonly readCacheTag?: string;
    /** Text of the Dockerfile. */
    readonly dockerfile: string;
    /** Its meaning to BuildKit, as a Dockerfile: the text that is built. */
    readonly meaning: string;
    /** The sources in its Dockerfile, as written; `inputs` are the files that they currently match. */
    readonly sources: DockerfileReading["sources"];
    /** The ONBUILD triggers of the images that its stages are built FROM, by reference as in its Dockerfile. */
    readonly triggers: DockerfileReading["triggers"];
    /** The stages that it needs, and the build secrets that they mount. */
    readonly stages: DockerfileReading["stages"];
    readonly mountedSecrets: DockerfileReading["secrets"];
    readonly inputs: readonly InputFile[];
    /** Sources in its Dockerfile that read more than they name, for warnings. */
    readonly broadCopies?: BroadCopies;
    readonly inputHash: string;
    /** The period of its last scheduled rebuild; absent if the stack has none. */
    readonly rebuild?: string;
    /** The release that replaces its build: its tags, its children and what runs it follow; absent if the stack has no pin of it. */
    readonly pin?: ReleasePin;
    /** Smoke tests of the images that it is built FROM, then its own; absent if it has none or is never pushed. */
    readonly tests?: SmokeTests;
}

/** Returns the roots of an image without duplicates: those that its Dockerfile names, then its frontend. */
export const rootsOf = ({ roots, frontend }: Pick<PreparedImage, "roots" | "frontend">): readonly Root[] =>
    !frontend || roots.some(({ expanded }) => expanded === frontend.expanded) ? roots : [...roots, frontend];

/**
 * Returns the build tag of an image for a platform: it names one build and never moves.
 *
 * @param parents `<repository>@<digest>` of each parent
 */
export function buildTagOf(
    image: Pick<PreparedImage, "roots" | "frontend" | "inputHash">,
    platform: Platform,
    parents: readonly string[],
): string {
    // A root without a pin is identified only by its name.
    const roots = rootsOf(image).map((root) => pinFor(root, platform) ?? root.expanded);
    return buildTag({ inputHash: image.inputHash, platform, base: [...parents, ...roots] });
}

/**
 * The images of a repository, with all information that exists before anything is built. It is read once and shared by
 * all parts of a run.
 */
export interface Hierarchy {
    /** What `images.ts` defines, also what the stack does not build. */
    readonly definitions: Definitions;
    /** The images that the stack builds, in build order: parents first. */
    readonly images: readonly PreparedImage[];
    /**
     * The external images and frontends of all Dockerfiles, also of images that the stack does not build; without
     * duplicates.
     */
    readonly roots: readonly string[];
}

/** Returns the text of an image's Dockerfile. */
function textOf(checkout: Checkout, key: string, { dockerfile }: ImageDefinition): string {
    const text = checkout.text(dockerfile);
    if (text !== undefined) return text;
    const exists = existsSync(path.join(checkout.root, dockerfile));
    throw new InputError({
        problem: `the Dockerfile of image ${key} is ${exists ? "not a file" : "missing"}`,
        where: dockerfile,
        next: "create it, or correct `dockerfile` in images.ts (paths are from the repository's root)",
    });
}

/** Returns the instructions of a Dockerfile, as far as they can be known. */
function statementsOf(
    text: string,
    { parse = readStatements, ...options }: Pick<ReadOptions, "path" | "buildArgs" | "parse">,
): readonly Statement[] {
    const isForeign = frontendOf(text, options)?.official === false;
    return (isForeign ? foreignStatements : parse)(text, options.path).statements;
}

/**
 * Returns a function that looks up the ONBUILD triggers of this repository's images and of declared roots.
 *
 * @param texts of the Dockerfiles, by key
 */
function triggersBelow(
    texts: Readonly<Record<string, string>>,
    { images, roots = {} }: Definitions,
    settings: Pick<HierarchySettings, "buildArgs">,
    keyOf: (reference: string) => string | undefined,
    parse: ReadOptions["parse"],
): NonNullable<ImagesBelow["triggersOf"]> {
    const triggersByKey = new Map<string, readonly Trigger[]>();
    const ofImage = (key: string): readonly Trigger[] => {
        const image = images[key];
        if (!image) return [];
        const options = {
            path: image.dockerfile,
            buildArgs: buildArgsOf(key, image, settings),
            ...(parse && { parse }),
        };
        const triggers =
            triggersByKey.get(key) ?? targetTriggers(statementsOf(texts[key] ?? "", options), image.target);
        triggersByKey.set(key, triggers);
        return triggers;
    };
    const declared = byImage(Object.entries(roots).map(([name, root]) => [name, { name, ...root }]));
    return (reference) => {
        const key = keyOf(reference);
        if (key !== undefined) return ofImage(key);
        const root = declared(reference);
        return (root?.onBuild ?? []).map((text) => ({ text, where: `images.ts: root ${root?.name ?? ""}` }));
    };
}

/**
 * Sorts keys so that parents come first, as far as there are no cycles. Reading an image reads its parents, but a long chain
 * of images would be a deep recursion.
 */
function parentsFirst(keys: readonly string[], parentsOf: (key: string) => readonly string[]): Iterable<string> {
    const sorted = new Set<string>();
    const entered = new Set<string>();
    // The next key is the last.
    const waiting = [...keys].reverse();
    for (let key = waiting.at(-1); key !== undefined; key = waiting.at(-1)) {
        if (entered.has(key)) {
            waiting.pop();
            sorted.add(key);
            continue;
        }
        entered.add(key);
        waiting.push(
            ...parentsOf(key)
                .filter((parent) => !entered.has(parent))
                .reverse(),
        );
    }
    return sorted;
}

/**
 * Reads the Dockerfiles of all images, including those that the stack does not build, with the ONBUILD triggers of
 * their base images.
 *
 * @returns the images in build order, and the contents of their Dockerfiles by key
 * @throws InputError for unknown fields and wrong types in `images.ts`, for invalid Dockerfiles, and for an invalid
 *     hierarchy
 */
export function readImages(
    checkout: Checkout,
    definitions: Definitions,
    settings: Pick<HierarchySettings, "buildArgs" | "builtinFrontend" | "roots" | "platforms">,
): { readonly placed: readonly ResolvedImage[]; readonly readings: Readonly<Record<string, DockerfileReading>> } {
    const { images } = definitions;
    const [problem, ...more] = fieldProblems(definitions);
    if (problem !== undefined) {
        throw new InputError({
            problem: [problem, ...more].join("\n  "),
            where: "images.ts",
            next: "correct images.ts",
        });
    }
    const entries = Object.entries(images);
    const texts = Object.fromEntries(entries.map(([key, image]) => [key, textOf(checkout, key, image)]));
    // Invalid names are reported together with the other problems of the hierarchy.
    const named = allNames(images).filter(({ name }) => referenceProblem(name) === undefined);
    const keyOf = byImage(named.map(({ key, name }) => [name, key]));
    const parsed = new Map<string, Statements>();
    // The images of a matrix share a Dockerfile, and a parent's is read for its triggers as well.
    const parse = (text: string, path: string): Statements => {
        const statements = parsed.get(path) ?? readStatements(text, path);
        parsed.set(path, statements);
        return statements;
    };
    const triggersOf = triggersBelow(texts, definitions, settings, keyOf, parse);
    const readings = new Map<string, DockerfileReading | undefined>();
    const readingOf = (key: string, image: ImageDefinition): DockerfileReading | undefined => {
        if (readings.has(key)) return readings.get(key);
        // In a cycle, an image has no known environment; the cycle is reported with the hierarchy.
        readings.set(key, undefined);
        const reading = readDockerfile(texts[key] ?? "", {
            path: image.dockerfile,
            platforms: declaredPlatforms(image),
            buildArgs: buildArgsOf(key, image, settings),
            ...(settings.builtinFrontend !== undefined && { builtinFrontend: settings.builtinFrontend }),
            ...(image.target !== undefined && { target: image.target }),
            triggersOf,
            parse,
            environmentOf: (reference, platform) => {
                const below = keyOf(reference) ?? "";
                const definition = images[below];
                return definition && readingOf(below, definition)?.environment[platform];
            },
        });
        readings.set(key, reading);
        return reading;
    };
    const parentsOf = (key: string): string[] => {
        const image = images[key];
        if (!image) return [];
        const options = { path: image.dockerfile, buildArgs: buildArgsOf(key, image, settings) };
        if (frontendOf(texts[key] ?? "", options)?.official === false) return [];
        const from = imagesInFrom(parse(texts[key] ?? "", image.dockerfile), {
            ...options,
            platforms: declaredPlatforms(image),
        });
        return from.flatMap((reference) => (referenceProblem(reference) === undefined ? (keyOf(reference) ?? []) : []));
    };
    for (const key of parentsFirst(Object.keys(images), parentsOf)) {
        const image = images[key];
        if (image) readingOf(key, image);
    }
    const readingsByKey = Object.fromEntries(
        entries.flatMap(([key, image]) => {
            const reading = readingOf(key, image);
            return reading ? [[key, reading] as const] : [];
        }),
    );
    // Tools that only describe the images have no pins, so the stack, which has them, is the one to refuse a reference.
    const pinOf = byImage(Object.entries(settings.roots));
    const isRoot = (reference: string) => settings.platforms === "declared" || pinOf(reference) !== undefined;
    return { placed: resolveHierarchy({ images, readings: readingsByKey, isRoot }), readings: readingsByKey };
}

const without = <T>(record: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));

/**
 * Returns the tags of the images' registry caches by key, without the architecture at their end. The tag is an input of
 * the builds: if it changes, the image is built again, in CI without any cache. So the first entry of a repository keeps
 * "cache", which an image that is alone has, when others join it; and the images of a matrix, which come and go, have
 * tags that do not depend on each other.
 */
function cacheTags({ images, matrices = {} }: Definitions, registry?: string): Readonly<Record<string, string>> {
    const variants = new Set(
        Object.entries(matrices).flatMap(([entry, matrix]) => matrix.images.filter((key) => key !== entry)),
    );
    const seen = new Set<string>();
    return Object.fromEntries(
        namedImages(images).map(({ key, name }) => {
            const repository = pushedRepository(name, registry);
            if (variants.has(key) || seen.has(repository)) return [key, `cache-${key}`];
            seen.add(repository);
            return [key, "cache"];
        }),
    );
}

/** Returns the registry caches of an image: what a channel builds must not displace the cache of what is released, or get into it. */
const cachesIn = (cacheTag: string, channel: string | undefined): Pick<PreparedImage, "cacheTag" | "readCacheTag"> =>
    channel === undefined ? { cacheTag } : { cacheTag: cacheInChannel(cacheTag, channel), readCacheTag: cacheTag };

/**
 * Returns by key where the images are published, also those that the stack does not build: another one does.
 *
 * @throws InputError for tags that two images share, by their names alone or by the stack's registry, and for a channel that has such tags
 */
function publicationsOf(
    checkout: Checkout,
    images: Images,
    settings: HierarchySettings,
): Readonly<Record<string, Publication>> {
    const publishedIn = (registry?: string) => {
        const { buildArgs } = settings;
        const published = Object.entries(images).flatMap(([key, definition]) => {
            const place = { buildArgs, ...(registry !== undefined && { registry }) };
            const publication = publicationOf(key, definition, checkout.text(definition.dockerfile) ?? "", place);
            return publication ? [{ key, publication }] : [];
        });
        refuseSharedTags(published, registry);
        return Object.fromEntries(published.map(({ key, publication }) => [key, publication]));
    };
    const byNames = publishedIn();
    const published = settings.registry === undefined ? byNames : publishedIn(settings.registry);
    const { channel } = settings;
    if (channel === undefined) return published;
    checkChannel(channel, published);
    const entries = Object.entries(published);
    return Object.fromEntries(entries.map(([key, publication]) => [key, inChannel(publication, channel)]));
}

/** The pins of a stack's roots: for every platform, and those that replace them on a platform. */
interface Pins {
    readonly of: (reference: string) => string | undefined;
    readonly on: (platform: Platform, reference: string) => string | undefined;
}

function pinsOf({ roots, rootsByPlatform = {} }: HierarchySettings): Pins {
    const onPlatforms = new Map(
        Object.entries(rootsByPlatform).map(([platform, pins]) => [platform, byImage(Object.entries(pins))]),
    );
    return {
        of: byImage(Object.entries(roots)),
        on: (platform, reference) => onPlatforms.get(platform)?.(reference),
    };
}

function prepare(
    checkout: Checkout,
    image: Pick<PreparedImage, "platforms" | "elsewhere" | "parents" | "cacheTag" | "readCacheTag" | "publication"> &
        Pick<ResolvedImage, "key" | "definition" | "roots" | "pinned">,
    reading: DockerfileReading,
    settings: HierarchySettings,
    pins: Pins,
): PreparedImage {
    const { key, definition, platforms, elsewhere, parents, cacheTag, readCacheTag, publication } = image;
    const dockerfile = checkout.text(definition.dockerfile) ?? "";
    const isCached = settings.registryCache !== false && definition.registryCache !== false;
    const registryCache = definition.name !== undefined && isCached;
    const { stages, secrets: mountedSecrets, frontend } = reading;
    // If the builder's own frontend reads the Dockerfile, no argument may name another frontend.
    const given = without(buildArgsOf(key, definition, settings), frontend ? [] : [syntaxArgument]);
    refuseSecretArguments(key, given, definition.plainArguments);
    const { read: buildArgs, unread: unreadArguments } = splitArguments(given, reading.meaning);
    refuseUnlistedSecrets({ key, definition, mountedSecrets });
    const { inputs, broadCopies } = readContext(checkout, reading.sources, {
        dockerfile: definition.dockerfile,
        ...(definition.context !== undefined && { context: definition.context }),
    });
    const references = new Map(reading.references.map((reference) => [reference.expanded, reference]));
    const roots = image.roots.map((expanded) => {
        const { from = {}, platforms: uses = {} } = references.get(expanded) ?? {};
        const platformsFrom = platforms.flatMap((platform) => from[platform] ?? []);
        const onPlatforms = platforms.flatMap((target) => {
            const used = uses[target]?.native ?? [target];
            const [pin] = used.flatMap((one) => pins.on(one, expanded) ?? []);
            return pin === undefined ? [] : [[target, pin] as const];
        });
        return {
            expanded,
            pin: pins.of(expanded),
            ...(onPlatforms.length > 0 && { pins: Object.fromEntries(onPlatforms) }),
            from: [...new Set(platformsFrom)],
        };
    });
    const { compression = usualCompression } = settings;
    const rebuild = settings.rebuilds?.[key];
    const contexts = [...parents, ...roots.filter(({ pin }) => pin !== undefined)].map(({ expanded }) => expanded);
    refuseReplacedStages(definition.dockerfile, stages, contexts);
    return {
        key,
        definition,
        platforms,
        ...(elsewhere && { elsewhere }),
        ...(publication && { repository: publication.repository, publication }),
        parents,
        roots,
        pinned: image.pinned,
        ...(frontend && {
            frontend: { ...frontend, expanded: frontend.reference, pin: pins.of(frontend.reference), from: [] },
        }),
        buildArgs,
        unreadArguments,
        registryCache,
        compression,
        cacheTag,
        ...(readCacheTag !== undefined && { readCacheTag }),
        dockerfile,
        meaning: reading.meaning.text,
        sources: reading.sources,
        triggers: reading.triggers,
        stages,
        mountedSecrets,
        inputs,
        ...(broadCopies && { broadCopies }),
        ...(rebuild !== undefined && { rebuild }),
        inputHash: inputHash({
            dockerfile: reading.meaning.text,
            files: inputs,
            target: definition.target,
            buildArgs: { ...buildArgs, SOURCE_DATE_EPOCH: sourceDateEpoch },
            labels: definition.labels,
            secrets: definition.secrets,
            exporter: definition.name === undefined ? "cacheonly" : registryExport(compression),
            cache: registryCache,
            rebuild,
        }),
    };
}

/**
 * Reads the Dockerfiles and inputs of the images. It omits images that declare none of the stack's platforms, or whose
 * parent is missing for that reason.
 *
 * @throws InputError for every kind of bad input, before anything is built
 */
export function readHierarchy(checkout: Checkout, definitions: Definitions, wanted: HierarchySettings): Hierarchy {
    const { images } = definitions;
    const settings = withImageSettings(definitions, wanted);
    const { placed, readings } = readImages(checkout, definitions, settings);
    refuseUnknownPlatforms(images, settings);
    const { pins: releases = {} } = settings;
    checkPins(definitions, releases);
    const { platformStacks = {} } = settings;
    checkPlatformStacks(definitions, platformStacks);
    const publications = publicationsOf(checkout, images, settings);
    const tags = cacheTags(definitions, settings.registry);
    const pins = pinsOf(settings);
    // In build order.
    const byKey = new Map<string, PreparedImage>();
    for (const image of placed) {
        const reading = readings[image.key];
        const publication = publications[image.key];
        const wanted = platformsOf(image.definition, settings.platforms);
        const others = wanted.flatMap((platform) => {
            const stack = platformStacks[platform];
            return stack === undefined ? [] : [[platform, stack] as const];
        });
        const elsewhere = others.length > 0 ? (Object.fromEntries(others) as PlatformStacks) : undefined;
        // There is nothing to join of an image that is never pushed.
        const platforms = publication ? wanted : platformsHere({ platforms: wanted, ...(elsewhere && { elsewhere }) });
        const { parents, complete } = placeParents(image, platforms, byKey);
        const isIn = platforms.length > 0 && (complete || settings.platforms === "declared");
        if (!reading || !isIn) continue;
        const ready = prepare(
            checkout,
            {
                ...{ ...image, platforms, parents, ...cachesIn(tags[image.key] ?? "cache", settings.channel) },
                ...(publication && { publication, ...(elsewhere && { elsewhere }) }),
            },
            reading,
            settings,
            pins,
        );
        const tests = collectSmokeTests(checkout, ready, byKey);
        const pin = Object.hasOwn(releases, image.key) ? releases[image.key] : undefined;
        if (pin) checkPlatforms(image.key, pin, platforms);
        byKey.set(image.key, { ...ready, ...(tests && { tests }), ...(pin && { pin }) });
    }
    const prepared = [...byKey.values()];
    refuseEmpty(images, prepared, settings);
    // Tools that only describe the images push nothing.
    if (settings.platforms !== "declared") refuseLoopback(prepared, settings);
    requireSecrets(
        prepared.map(({ key, definition }) => ({ image: key, wanted: definition.secrets ?? [] })),
        settings.secretNames ?? [],
    );
    const roots = placed.flatMap((image) => [
        ...image.roots,
        ...(image.frontend === undefined ? [] : [image.frontend]),
    ]);
    return { definitions, images: prepared, roots: [...new Set(roots)] };
}
