import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Checkout } from "../context/checkout";
import { inputHash } from "../context/hash";
import { InputError } from "../errors";
import { collectInputs } from "../context/inputs";
import type { InputFile } from "../context/walk";
import { packageRoot } from "../system/paths";
import type { ImageDefinition } from "./definition";
import type { PlacedParent } from "./place";

/** Path of the Dockerfile that runs every smoke test. It is part of this package. */
export const smokeDockerfile = path.join(packageRoot, "lib", "hierarchy", "smoke.Dockerfile");

/** The name in its FROM that the image under test replaces. */
export const imageUnderTest = "image-under-test";

/** Its text. It is read when the program starts, because a process that changes its user afterwards may have no access to the package. */
const smokeDockerfileText = readFileSync(smokeDockerfile, "utf8");

/** The smoke tests of an image: the inputs of `stageContext`, and the scripts in the order of execution. */
export interface SmokeTests {
    readonly scripts: readonly string[];
    readonly files: readonly InputFile[];
    /** Text of smoke.Dockerfile. */
    readonly dockerfile: string;
    readonly inputHash: string;
}

/** The parts of an image on which its smoke tests depend. */
interface Tested {
    readonly key: string;
    readonly definition: Pick<ImageDefinition, "smokeTest">;
    /** The repository it is pushed to; absent for an image that is never pushed. */
    readonly repository?: string;
    readonly parents: readonly Pick<PlacedParent, "key" | "base">[];
}

/**
 * Returns the scripts that test `image`: first those of the images that it is built FROM, because it must still pass
 * their tests, then its own. Images from which it only copies are tested separately.
 */
function smokeScripts(image: Tested, images: ReadonlyMap<string, Tested>): string[] {
    const scripts = new Set<string>();
    const visited = new Set<Tested>();
    const visit = (current: Tested): void => {
        if (visited.has(current)) return;
        visited.add(current);
        for (const { key } of current.parents.filter(({ base }) => base)) {
            const parent = images.get(key);
            if (parent) visit(parent);
        }
        const script = current.definition.smokeTest;
        if (script !== undefined) scripts.add(script);
    };
    visit(image);
    return [...scripts];
}

/**
 * Reads the smoke tests of a published image; undefined if neither it nor any image that it is built FROM has a smoke
 * test.
 *
 * @param images the images before it in build order, by key
 * @throws InputError if a script is missing, and for a script that can't be run
 */
export function collectSmokeTests(
    checkout: Checkout,
    image: Tested,
    images: ReadonlyMap<string, Tested>,
): SmokeTests | undefined {
    const scripts = smokeScripts(image, images);
    if (image.repository === undefined || scripts.length === 0) return undefined;
    const missing = scripts.find((file) => !existsSync(path.join(checkout.root, file)));
    if (missing !== undefined) {
        throw new InputError({
            problem: `a smoke test of image ${image.key} is missing`,
            where: missing,
            next: "create it, or correct `smokeTest` in images.ts (paths are from the repository's root)",
        });
    }
    // smoke.Dockerfile receives the paths as a list separated by spaces.
    const spaced = scripts.find((script) => !/^[\w./-]+$/.test(script));
    if (spaced !== undefined) {
        const problem = `smokeTest "${spaced}" of image ${image.key} or of an image below it is not a plain path`;
        throw new InputError({ problem, next: "rename it: letters, digits, dots, dashes, underscores and slashes" });
    }
    const sources = scripts.map((pattern, index) => ({ pattern, line: index + 1, instruction: "smokeTest" }));
    // .dockerignore applies only to the builds of the images.
    const files = collectInputs(checkout, sources, { dockerfile: path.basename(smokeDockerfile), ignored: false });
    const plain = files.find((file) => scripts.includes(file.path) && !file.executable && file.symlink === undefined);
    if (plain !== undefined) {
        const problem = `smoke test of image ${image.key} is not executable`;
        throw new InputError({ problem, where: plain.path, next: `chmod +x ${plain.path}` });
    }
    const dockerfile = smokeDockerfileText;
    const hash = inputHash({
        dockerfile,
        files,
        target: undefined,
        buildArgs: undefined,
        labels: undefined,
        secrets: undefined,
        exporter: "cacheonly",
        cache: false,
    });
    return { scripts, files, dockerfile, inputHash: hash };
}
