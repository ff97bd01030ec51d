import path from "node:path";
import type { Checkout } from "../context/checkout";
import { type StageRequest, stageContext } from "../context/stage";
import type { Hierarchy } from "./prepare";

/** A staged build context: paths relative to the repository's root, as stored in the state. */
export interface Staged {
    /** The folder with the inputs. */
    readonly context: string;
    /** The Dockerfile that is built, beside `context`. */
    readonly dockerfile: string;
}

/** The staged contexts of an image. */
export interface StagedImage extends Staged {
    /** The context of its smoke tests; absent if it has no test. */
    readonly tests?: StagedTests;
}

/** The staged smoke tests of an image. */
export interface StagedTests extends Staged {
    /** Paths of the scripts, in the order of execution. */
    readonly scripts: readonly string[];
}

/**
 * Stages the build contexts of all images and their smoke tests.
 *
 * @param stageRoot folder of staged contexts, relative to the repository's root
 * @returns the staged contexts by key of the image
 * @throws InputError for a file that changed since it was read
 */
export function stageHierarchy(
    { root, hashes }: Checkout,
    { images }: Hierarchy,
    stageRoot: string,
): Readonly<Record<string, StagedImage>> {
    const stage = (request: Omit<StageRequest, "root" | "stageRoot" | "hashOf">) =>
        stageContext({ root, stageRoot, hashOf: hashes.of, ...request });
    const staged = Object.fromEntries(
        images.map(({ key, definition, inputHash, meaning: dockerfile, inputs: files, tests }) => {
            const base = path.join(root, definition.context ?? ".");
            const staged = stage({ base, image: key, inputHash, files, dockerfile });
            if (!tests) return [key, staged] as const;
            return [
                key,
                { ...staged, tests: { ...stage({ image: `${key}-test`, ...tests }), scripts: tests.scripts } },
            ] as const;
        }),
    );
    hashes.save();
    return staged;
}
