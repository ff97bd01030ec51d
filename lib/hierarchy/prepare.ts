import { existsSync } from "node:fs";
import path from "node:path";
import type { Checkout } from "../context/checkout";
import { inputHash } from "../context/hash";
import { type BroadCopies, readContext } from "../context/inputs";
import type { InputFile } from "../context/walk";
import { foreignStatements } from "../dockerfile/foreign";
import { type Frontend, syntaxArgument, frontendOf } from "../dockerfile/frontends";
import { splitArguments } from "../dockerfile/meaning";
import { type Statement, type Trigger, readStatements } from "../dockerfile/parse";
import { readDockerfile } from "../dockerfile/read";
import type { DockerfileReading } from "../dockerfile/reading";
import { targetTriggers, type ReadOptions, type ImagesBelow } from "../dockerfile/stages";
import { InputError } from "../errors";
import type { Platform } from "../platform";
import { pushedRepository, sameImage, referenceProblem } from "../registry/references";
import { type Definitions, type ImageDefinition, platformsOf, declaredPlatforms } from "./definition";
import { type PlacedParent, placeOn } from "./place";
import { type ResolvedImage, refuseReplacedStages, resolveHierarchy } from "./resolve";
import { refuseSecretArguments, refuseUnlistedSecrets, requireSecrets } from "./secrets";
import { type HierarchySettings, buildArgsOf, refuseEmpty, refuseShared, refuseUnknown } from "./settings";
import { type SmokeTests, collectSmokeTests } from "./smokeTests";
import { fieldProblems, namedImages } from "./validate";

/**
 * Timestamp, in seconds since 1970, of everything that a build writes (reproducible-builds.org, SOURCE_DATE_EPOCH): a
 * constant, so that the same inputs give the same digest on any day. 1980-01-01 is the earliest that a zip file can hold.
 */
export const sourceDateEpoch = "315532800";

/** Registry export of a published image: timestamps rewritten to SOURCE_DATE_EPOCH. */
export const registryExport = "type=registry,rewrite-timestamp=true,compression=zstd,oci-mediatypes=true";

/** An external image that a Dockerfile names. */
export interface Root {
    /** The reference as BuildKit sees it: the key of the named build context. */
    readonly expanded: string;
    /** `<repository>@<digest>` to build on instead; undefined where the stack pins none, and the builder resolves the reference. */
    readonly by: string | undefined;
    /** Its platforms that stages of the stack's builds are built FROM; none where they only copy from it. */
    readonly from: readonly Platform[];
}

/** An image, ready to become resources: everything that is known before anything is built. */
export interface PreparedImage {
    readonly key: string;
    readonly definition: ImageDefinition;
    readonly platforms: readonly Platform[];
    /** Where it is pushed; absent for an image that is never pushed. */
    readonly repository?: string;
    /** Images of ours that its Dockerfile names, by key; the one it is built FROM first. */
    readonly parents: readonly PlacedParent[];
    readonly roots: readonly Root[];
    /** Roots that are releases of images of ours. */
    readonly pinned: ResolvedImage["pinned"];
    /** The root that reads its Dockerfile; absent where the builder does. */
    readonly frontend?: Frontend & Root;
    /** Why its Dockerfile can't be read on this machine, with what to do about it. */
    readonly unreadable?: string;
    /** The build arguments that its Dockerfile reads; `unreadArguments` names the others, which change nothing. */
    readonly buildArgs: Readonly<Record<string, string>>;
    readonly unreadArguments: readonly string[];
    /** Whether the build's steps are kept in the registry for builders that start empty. */
    readonly registryCache: boolean;
    /** Text of the Dockerfile. */
    readonly dockerfile: string;
    /** What it means to BuildKit, as a Dockerfile: this is what is built. */
    readonly meaning: string;
    /** What its Dockerfile reads, as written; `inputs` are the files that this means today. */
    readonly sources: DockerfileReading["sources"];
    /** What ONBUILD of the images that its stages are built FROM leaves to them, by reference as its Dockerfile has it. */
    readonly triggers: DockerfileReading["triggers"];
    /** The stages that it needs, and the build secrets that they mount. */
    readonly stages: DockerfileReading["stages"];
    readonly mountedSecrets: DockerfileReading["secrets"];
    readonly inputs: readonly InputFile[];
    /** What is to be said where its Dockerfile takes in more than it names. */
    readonly broadCopies?: BroadCopies;
    readonly inputHash: string;
    /** Smoke tests of the images that it is built FROM and its own; absent where there are none, or nothing is pushed. */
    readonly tests?: SmokeTests;
}

/** The roots of an image, each once: what its Dockerfile names, then what reads it. */
export const rootsOf = ({ roots, frontend }: Pick<PreparedImage, "roots" | "frontend">): readonly Root[] =>
    !frontend || roots.some(({ expanded }) => expanded === frontend.expanded) ? roots : [...roots, frontend];

/** The images of a repository and all that is known of them before anything is built: one value, read once, that everybody shares. */
export interface Hierarchy {
    readonly definitions: Definitions;
    /** The images that the stack builds, in build order: parents first. */
    readonly images: readonly PreparedImage[];
    /** The external images that Dockerfiles name, or that read them, whatever the stack builds; as BuildKit sees them, each once. */
    readonly roots: readonly string[];
}

/** The text of an image's Dockerfile. */
function textOf(checkout: Checkout, key: string, { dockerfile }: ImageDefinition): string {
    const text = checkout.text(dockerfile);
    if (text !== undefined) return text;
    const isThere = existsSync(path.join(checkout.root, dockerfile));
    throw new InputError({
        problem: `the Dockerfile of image ${key} is ${isThere ? "not a file" : "missing"}`,
        where: dockerfile,
        next: "create it, or correct `dockerfile` in images.ts (paths are from the repository's root)",
    });
}

/** The instructions of a Dockerfile, as far as they can be known. */
function statementsOf(text: string, options: Pick<ReadOptions, "path" | "buildArgs">): readonly Statement[] {
    const isForeign = frontendOf(text, options)?.official === false;
    return (isForeign ? foreignStatements(text, options.path) : readStatements(text, options.path)).statements;
}

/**
 * What ONBUILD of images of ours and of declared roots leaves to what is built FROM them.
 *
 * @param texts of the Dockerfiles, by key
 */
function triggersBelow(
    texts: Readonly<Record<string, string>>,
    { images, roots = {} }: Definitions,
    settings: Pick<HierarchySettings, "buildArgs">,
    keyOf: (reference: string) => string | undefined,
): NonNullable<ImagesBelow["triggersOf"]> {
    const known = new Map<string, readonly Trigger[]>();
    const ofImage = (key: string): readonly Trigger[] => {
        const image = images[key];
        if (!image) return [];
        const options = { path: image.dockerfile, buildArgs: buildArgsOf(key, image, settings) };
        const triggers = known.get(key) ?? targetTriggers(statementsOf(texts[key] ?? "", options), image.target);
        known.set(key, triggers);
        return triggers;
    };
    return (reference) => {
        const key = keyOf(reference);
        if (key !== undefined) return ofImage(key);
        const [root, { onBuild }] = Object.entries(roots).find(([one]) => sameImage(one, reference)) ?? ["", {}];
        return (onBuild ?? []).map((text) => ({ text, where: `images.ts: root ${root}` }));
    };
}

/**
 * Reads the Dockerfiles of all images, whatever the stack builds of them, each with what ONBUILD of the images that it stands
 * on leaves to it.
 *
 * @returns the images in build order, and by key what their Dockerfiles say
 * @throws InputError for fields of `images.ts` that are unknown or of another kind, Dockerfiles that can't be read, and a
 *     hierarchy that is wrong
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
    const all = Object.entries(images);
    const texts = Object.fromEntries(all.map(([key, image]) => [key, textOf(checkout, key, image)]));
    // A name that is none is told with everything else that is wrong with the hierarchy.
    const named = namedImages(images).filter(({ name }) => referenceProblem(name) === undefined);
    const keyOf = (reference: string) => named.find(({ name }) => sameImage(reference, name))?.key;
    const triggersOf = triggersBelow(texts, definitions, settings, keyOf);
    const read = new Map<string, DockerfileReading | undefined>();
    const readingOf = (key: string, image: ImageDefinition): DockerfileReading | undefined => {
        if (read.has(key)) return read.get(key);
        // Nothing is known of an image that stands on itself: the hierarchy tells that.
        read.set(key, undefined);
        const reading = readDockerfile(texts[key] ?? "", {
            path: image.dockerfile,
            platforms: declaredPlatforms(image),
            buildArgs: buildArgsOf(key, image, settings),
            ...(settings.builtinFrontend !== undefined && { builtinFrontend: settings.builtinFrontend }),
            ...(image.target !== undefined && { target: image.target }),
            triggersOf,
            environmentOf: (reference, platform) => {
                const [below, definition] = all.find(([one]) => one === keyOf(reference)) ?? [];
                return below === undefined || !definition
                    ? undefined
                    : readingOf(below, definition)?.environment[platform];
            },
        });
        read.set(key, reading);
        return reading;
    };
    const readings = Object.fromEntries(
        all.flatMap(([key, image]) => {
            const reading = readingOf(key, image);
            return reading ? [[key, reading] as const] : [];
        }),
    );
    // What only describes the images knows no pins: the stack, which has them, is the one to refuse.
    const isRoot = (reference: string) =>
        settings.platforms === "declared" || Object.keys(settings.roots).some((pin) => sameImage(pin, reference));
    return { placed: resolveHierarchy({ images, readings, isRoot }), readings };
}

const without = <T>(record: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));

function prepare(
    checkout: Checkout,
    image: Pick<PreparedImage, "platforms" | "parents"> &
        Pick<ResolvedImage, "key" | "definition" | "roots" | "pinned">,
    reading: DockerfileReading,
    settings: HierarchySettings,
): PreparedImage {
    const { key, definition, platforms, parents } = image;
    const dockerfile = checkout.text(definition.dockerfile) ?? "";
    const registryCache = definition.name !== undefined && (definition.registryCache ?? true);
    const { stages, secrets: mountedSecrets, frontend } = reading;
    // Where the builder's own frontend reads it, nothing may name another.
    const given = without(buildArgsOf(key, definition, settings), frontend ? [] : [syntaxArgument]);
    refuseSecretArguments(key, given, definition.plainArguments);
    const { read: buildArgs, unread: unreadArguments } = splitArguments(given, reading.meaning);
    refuseUnlistedSecrets({ key, definition, mountedSecrets });
    const { inputs, broadCopies } = readContext(checkout, reading.sources, {
        dockerfile: definition.dockerfile,
        ...(definition.context !== undefined && { context: definition.context }),
    });
    const pinOf = (expanded: string) => Object.entries(settings.roots).find(([root]) => sameImage(root, expanded))?.[1];
    const roots = image.roots.map((expanded) => {
        const from = reading.references.find((one) => one.expanded === expanded)?.from ?? {};
        const platformsFrom = platforms.flatMap((platform) => from[platform] ?? []);
        return { expanded, by: pinOf(expanded), from: [...new Set(platformsFrom)] };
    });
    const contexts = [...parents, ...roots.filter(({ by }) => by !== undefined)].map(({ expanded }) => expanded);
    refuseReplacedStages(definition.dockerfile, stages, contexts);
    return {
        key,
        definition,
        platforms,
        ...(definition.name !== undefined && { repository: pushedRepository(definition.name, settings.registry) }),
        parents,
        roots,
        pinned: image.pinned,
        ...(frontend && {
            frontend: { ...frontend, expanded: frontend.reference, by: pinOf(frontend.reference), from: [] },
        }),
        buildArgs,
        unreadArguments,
        registryCache,
        dockerfile,
        meaning: reading.meaning.text,
        sources: reading.sources,
        triggers: reading.triggers,
        stages,
        mountedSecrets,
        inputs,
        ...(broadCopies && { broadCopies }),
        inputHash: inputHash({
            dockerfile: reading.meaning.text,
            files: inputs,
            target: definition.target,
            buildArgs: { ...buildArgs, SOURCE_DATE_EPOCH: sourceDateEpoch },
            labels: definition.labels,
            secrets: definition.secrets,
            exporter: definition.name === undefined ? "cacheonly" : registryExport,
            cache: registryCache,
        }),
    };
}

/**
 * Reads the Dockerfiles and inputs of the images. Left out are images that declare none of the stack's platforms, or whose parent is
 * missing because of them.
 *
 * @throws InputError for every kind of bad input, before anything is built
 */
export function readHierarchy(checkout: Checkout, definitions: Definitions, settings: HierarchySettings): Hierarchy {
    const { images } = definitions;
    const { placed, readings } = readImages(checkout, definitions, settings);
    refuseUnknown(images, settings);
    refuseShared(images, settings);
    const prepared: PreparedImage[] = [];
    for (const image of placed) {
        const reading = readings[image.key];
        const platforms = platformsOf(image.definition, settings.platforms);
        const { parents, complete } = placeOn(image, platforms, prepared);
        const isIn = platforms.length > 0 && (complete || settings.platforms === "declared");
        if (!reading || !isIn) continue;
        const ready = prepare(checkout, { ...image, platforms, parents }, reading, settings);
        const tests = collectSmokeTests(checkout, ready, prepared);
        prepared.push(tests ? { ...ready, tests } : ready);
    }
    refuseEmpty(images, prepared, settings);
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
