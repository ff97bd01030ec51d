import { existsSync } from "node:fs";
import path from "node:path";
import type { Checkout } from "../context/checkout";
import { inputHash } from "../context/hash";
import { InputError } from "../errors";
import { collectInputs } from "../context/inputs";
import type { InputFile } from "../context/walk";
import type { ImageDefinition } from "./definition";
import type { PlacedParent } from "./place";

/** The Dockerfile of every smoke test. */
export const smokeDockerfile = "docker/smoke.Dockerfile";

/** The smoke tests of an image: what `stageContext` needs of them, and the scripts in the order in which they run. */
export interface SmokeTests {
    readonly scripts: readonly string[];
    readonly files: readonly InputFile[];
    /** Text of smoke.Dockerfile. */
    readonly dockerfile: string;
    readonly inputHash: string;
}

/** An image as far as its smoke tests depend on it. */
interface Tested {
    readonly key: string;
    readonly definition: Pick<ImageDefinition, "smokeTest">;
    /** Where it is pushed; absent for an image that is never pushed. */
    readonly repository?: string;
    readonly parents: readonly Pick<PlacedParent, "by" | "base">[];
}

/**
 * The scripts that test `image`: those of the images that it is built FROM first, since it must still be all that they are,
 * then its own. What it only copies from tests itself.
 */
function smokeScripts(image: Tested, all: readonly Tested[]): string[] {
    const scripts: string[] = [];
    const visit = (one: Tested): void => {
        for (const { by } of one.parents.filter(({ base }) => base)) {
            const parent = all.find(({ key }) => key === by);
            if (parent) visit(parent);
        }
        const script = one.definition.smokeTest;
        if (script !== undefined && !scripts.includes(script)) scripts.push(script);
    };
    visit(image);
    return scripts;
}

/**
 * Reads the smoke tests of a published image; undefined when neither it nor an image that it is built FROM has one.
 *
 * @throws InputError when a script or smoke.Dockerfile is missing, and for a script that could not be run
 */
export function collectSmokeTests(checkout: Checkout, image: Tested, all: readonly Tested[]): SmokeTests | undefined {
    const scripts = smokeScripts(image, all);
    if (image.repository === undefined || scripts.length === 0) return undefined;
    const missing = [...scripts, smokeDockerfile].find((file) => !existsSync(path.join(checkout.root, file)));
    if (missing !== undefined) {
        throw new InputError({
            problem: `a smoke test of image ${image.key} is missing`,
            where: missing,
            next: "create it, or correct `smokeTest` in images.ts (paths are from the repository's root)",
        });
    }
    // smoke.Dockerfile gets the paths as one list of words.
    const spaced = scripts.find((script) => !/^[\w./-]+$/.test(script));
    if (spaced !== undefined) {
        const problem = `smokeTest "${spaced}" of image ${image.key} or one that it stands on is not a plain path`;
        throw new InputError({ problem, next: "rename it: letters, digits, dots, dashes, underscores and slashes" });
    }
    const sources = scripts.map((pattern, index) => ({ pattern, line: index + 1, instruction: "smokeTest" }));
    // What .dockerignore says is about the images' own builds.
    const files = collectInputs(checkout, sources, { dockerfile: smokeDockerfile, ignored: false });
    const plain = files.find((file) => scripts.includes(file.path) && !file.executable && file.symlink === undefined);
    if (plain !== undefined) {
        const problem = `smoke test of image ${image.key} is not executable`;
        throw new InputError({ problem, where: plain.path, next: `chmod +x ${plain.path}` });
    }
    const dockerfile = checkout.text(smokeDockerfile) ?? "";
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
