import { existsSync } from "node:fs";
import path from "node:path";
import type { Checkout } from "../context/checkout";
import { foreignStatements } from "../dockerfile/foreign";
import { frontendOf } from "../dockerfile/frontends";
import { type Statement, type Trigger, readStatements } from "../dockerfile/parse";
import { readDockerfile } from "../dockerfile/read";
import type { DockerfileReading } from "../dockerfile/reading";
import { targetTriggers, type ReadOptions, type ImagesBelow } from "../dockerfile/stages";
import { InputError } from "../errors";
import { referenceProblem, sameImage } from "../registry/references";
import { type Definitions, type ImageDefinition, declaredPlatforms } from "./definition";
import { type ResolvedImage, resolveHierarchy } from "./resolve";
import { type HierarchySettings, buildArgsOf } from "./settings";
import { fieldProblems, namedImages } from "./validate";

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
    const isForeign = frontendOf(text, options)?.own === false;
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
