import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { type DockerfileReading, readDockerfile } from "./dockerfile";
import { fieldProblems } from "./entryFields";
import { InputError } from "./errors";
import { type Layer, resolveHierarchy } from "./hierarchy";
import { type ImageDefinition, type ImageDefinitions, declaredPlatforms } from "./images";
import { sameImage } from "./references";
import { type LayerSettings, buildArgsOf } from "./settings";

type Arguments = Pick<LayerSettings, "buildArgs" | "builtinFrontend">;
type Settings = Arguments & Pick<LayerSettings, "roots" | "platforms">;

function read(root: string, key: string, image: ImageDefinition, settings: Arguments): DockerfileReading {
    const file = path.join(root, image.dockerfile);
    if (!existsSync(file) || !statSync(file).isFile()) {
        throw new InputError({
            problem: `the Dockerfile of image ${key} is ${existsSync(file) ? "not a file" : "missing"}`,
            where: image.dockerfile,
            next: "create it, or correct `dockerfile` in images.ts (paths are from the repository's root)",
        });
    }
    return readDockerfile(readFileSync(file, "utf8"), {
        path: image.dockerfile,
        platforms: declaredPlatforms(image),
        buildArgs: buildArgsOf(key, image, settings),
        ...(settings.builtinFrontend !== undefined && { builtinFrontend: settings.builtinFrontend }),
        ...(image.target !== undefined && { target: image.target }),
    });
}

/**
 * Reads the Dockerfiles of all images, whatever the stack builds of them.
 *
 * @param root the repository's root
 * @returns the images in build order, and by key what their Dockerfiles say
 * @throws InputError for fields of `images.ts` that are unknown or of another kind, Dockerfiles that can't be read, and a
 *     hierarchy that is wrong
 */
export function readImages(
    root: string,
    images: ImageDefinitions,
    settings: Settings,
): { readonly placed: readonly Layer[]; readonly readings: Readonly<Record<string, DockerfileReading>> } {
    const [problem, ...more] = fieldProblems(images);
    if (problem !== undefined) {
        throw new InputError({
            problem: [problem, ...more].join("\n  "),
            where: "images.ts",
            next: "correct images.ts",
        });
    }
    const readings = Object.fromEntries(
        Object.entries(images).map(([key, image]) => [key, read(root, key, image, settings)]),
    );
    // What only describes the images knows no pins: the stack, which has them, is the one to refuse.
    const isRoot = (reference: string) =>
        settings.platforms === "declared" || Object.keys(settings.roots).some((pin) => sameImage(pin, reference));
    return { placed: resolveHierarchy({ images, readings, isRoot }), readings };
}
