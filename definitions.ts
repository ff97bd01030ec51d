import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { InputError } from "./lib/errors";
import { type Definitions, type ImageDefinitions, type RootDefinitions, keysOf } from "./lib/hierarchy/definition";
import { expandImages } from "./lib/hierarchy/matrix";
import { fieldProblems } from "./lib/hierarchy/validate";
import { withDefaultSignals } from "./lib/system/process";
import { registerTypeScript } from "./lib/system/typescript.cjs";
import type { RepositoryDefinitions, WorkflowDefinitions } from "./workflows/definition";
import { workflowProblems } from "./workflows/validate";

/** The file that defines a repository's images, and the one that defines its workflows. */
const imagesFile = "images.ts";
const workflowsFile = "workflows.ts";

/** Runs code during which `process.exit` is an error: it would end the command without a word, with an exit code of this program. */
function withoutExit<T>(work: () => T): T {
    const exit: unknown = Reflect.get(process, "exit");
    process.exit = (code) => {
        throw new Error(`it calls process.exit(${String(code ?? "")})`);
    };
    try {
        return work();
    } finally {
        Reflect.set(process, "exit", exit);
    }
}

/** Loads a module of the repository. Throws InputError with the message of the compiler or of the module, without a stack trace of ours. */
function load(root: string, file: string): Readonly<Record<string, unknown>> {
    try {
        // The files are data, so a repository's tsconfig.json and the "type" of its package.json, which may be for its app, do not matter.
        registerTypeScript();
        const require = createRequire(path.join(root, file));
        return withoutExit(() => withDefaultSignals(() => require(`./${file}`) as Readonly<Record<string, unknown>>));
    } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        // Node.js adds the modules that required a missing one, and swc its own stack: both are ours.
        const [reason = ""] = stripVTControlCharacters(message).split(/\nRequire stack:|\n\s*Caused by:/);
        throw new InputError({ problem: `it can't be loaded: ${reason.trim()}`, where: file, next: `correct ${file}` });
    }
}

/** Returns an export that must be an object. */
function objectIn(module: Readonly<Record<string, unknown>>, file: string, name: string, type: string): unknown {
    const { [name]: value } = module;
    if (typeof value === "object" && value !== null) return value;
    throw new InputError({
        problem: `it exports no ${name}`,
        where: file,
        next: `export const ${name}: ${type} = { … }; README.md shows how`,
    });
}

/** Returns workflows that name the images of a matrix instead of its entry. */
const withKeys = (definitions: Definitions, workflows: WorkflowDefinitions): WorkflowDefinitions => ({
    ...workflows,
    ...(workflows.up && {
        up: workflows.up.map((one) => ({
            ...one,
            ...(one.images && { images: one.images.flatMap((name) => keysOf(definitions, name)) }),
        })),
    }),
});

/**
 * Loads what a repository defines: `images` and `roots` of its images.ts and, if it has one, `workflows` of its workflows.ts. Commands and
 * program get their definitions here and nowhere else, so they can't disagree. An entry with a matrix is replaced by its images, also where
 * workflows name it.
 *
 * @param root the repository's root
 * @throws InputError if images.ts does not exist, if a file can't be loaded or lacks its export, for entries that are no objects, and for every
 *     problem of a matrix or in workflows.ts; `readHierarchy` checks the images
 */
export function loadDefinitions(root: string): RepositoryDefinitions {
    if (!existsSync(path.join(root, imagesFile))) {
        throw new InputError({
            problem: "there is no such file, and it defines the images of the hierarchy",
            where: path.join(root, imagesFile),
            next: "write it: README.md shows how",
        });
    }
    const { roots, ...module } = load(root, imagesFile);
    const written = objectIn(module, imagesFile, "images", "ImageDefinitions") as ImageDefinitions;
    const definitions = { ...expandImages(written), ...(roots !== undefined && { roots: roots as RootDefinitions }) };
    // Everybody reads fields of the entries, also before `readHierarchy` checks them.
    const isNoEntry = ([, entry]: readonly [string, unknown]) => typeof entry !== "object" || entry === null;
    const wrong = fieldProblems({ images: Object.fromEntries(Object.entries(definitions.images).filter(isNoEntry)) });
    if (wrong.length > 0)
        throw new InputError({ problem: wrong.join("\n  "), where: imagesFile, next: `correct ${imagesFile}` });
    if (!existsSync(path.join(root, workflowsFile))) return definitions;
    const found = objectIn(load(root, workflowsFile), workflowsFile, "workflows", "WorkflowDefinitions");
    const workflows = found as WorkflowDefinitions;
    const problems = workflowProblems({ ...definitions, workflows });
    if (problems.length === 0) return { ...definitions, workflows: withKeys(definitions, workflows) };
    throw new InputError({ problem: problems.join("\n  "), where: workflowsFile, next: `correct ${workflowsFile}` });
}
