import type { Platform } from "../../lib/platform";

/** The shapes of hierarchies that the measurements of scale build. */
export const shapes = ["wide", "deep", "mixed"] as const;
export type Shape = (typeof shapes)[number];

/** The length of the chains of FROMs in a deep hierarchy: an image can't have many more layers than a hundred. */
const depth = 40;

/** Returns the number of an image's parent; undefined for image 0, which all others stand on. */
export function parentOf(shape: Shape, image: number): number | undefined {
    if (image === 0) return undefined;
    if (shape === "wide") return 0;
    if (shape === "deep") return (image - 1) % (depth - 1) === 0 ? 0 : image - 1;
    return Math.floor((image - 1) / 4);
}

/** Returns the key of an image by its number. */
export const keyOf = (image: number): string => `image-${image.toString()}`;

/** Returns the path of the file that an image copies. */
export const fileOf = (image: number): string => `files/${keyOf(image)}.txt`;

const nameOf = (image: number): string => `ghcr.io/scale/${keyOf(image)}:latest`;

/**
 * Returns the files of a repository with so many images, by path. Each image copies a file of its own; there is nothing
 * else to build, so that the time is that of the program, the engine and the builder's own work.
 *
 * @param platforms what each image is built for
 */
export function hierarchyFiles(
    shape: Shape,
    count: number,
    platforms: readonly Platform[] = ["linux/amd64"],
): Readonly<Record<string, string>> {
    const numbers = Array.from({ length: count }, (_one, image) => image);
    const dockerfileOf = (image: number) => `docker/${keyOf(image)}.Dockerfile`;
    const images = numbers.map((image) => [
        keyOf(image),
        {
            description: `image ${image.toString()} of ${count.toString()}`,
            name: nameOf(image),
            dockerfile: dockerfileOf(image),
            platforms,
            registryCache: false,
        },
    ]);
    const contents = numbers.flatMap((image): [string, string][] => {
        const parent = parentOf(shape, image);
        const from = parent === undefined ? "scratch" : nameOf(parent);
        return [
            [
                dockerfileOf(image),
                `FROM ${from}\nARG VERSION=1\nENV IMAGE_${image.toString()}=\${VERSION}\nCOPY ${fileOf(image)} /\n`,
            ],
            [fileOf(image), `image ${image.toString()}\n`],
        ];
    });
    return {
        "images.ts": `export const images = ${JSON.stringify(Object.fromEntries(images), undefined, 4)};\n`,
        ...Object.fromEntries(contents),
    };
}
