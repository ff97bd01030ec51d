import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { InputError } from "../lib/errors";
import type { Definitions } from "../lib/hierarchy/definition";
import { replaceFile } from "../lib/system/files";
import { openCheckout } from "../lib/context/checkout";
import { ciBranch } from "./ciStack";
import { header, workflowFiles } from "./files";
import { workflowImages } from "./images";

const folder = ".github/workflows";

const isOurs = (file: string): boolean => readFileSync(file, "utf8").startsWith(header);

/** Files in .github/workflows with our header that no workflow renders to any more. */
function leftOver(root: string, files: Readonly<Record<string, string>>): string[] {
    if (!existsSync(path.join(root, folder))) return [];
    const paths = readdirSync(path.join(root, folder)).map((name) => `${folder}/${name}`);
    return paths.filter((file) => !(file in files) && isOurs(path.join(root, file)));
}

/** What differs between the checkout's generated files and what they should be. */
export interface Staleness {
    /** Text by path, from the repository's root, of files that are missing or different. */
    readonly changed: Readonly<Record<string, string>>;
    /** Files that should be gone. */
    readonly removed: readonly string[];
}

/**
 * Compares the generated files below `.github/` with images.ts and workflows/.
 *
 * @param root the repository's root
 * @throws InputError for bad input in images.ts and the Dockerfiles
 */
export function staleWorkflows(root: string, definitions: Definitions): Staleness {
    const files = workflowFiles(workflowImages(openCheckout(root), definitions), ciBranch(root));
    const current = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
    const changed = Object.entries(files).filter(([file, text]) => current(path.join(root, file)) !== text);
    return { changed: Object.fromEntries(changed), removed: leftOver(root, files) };
}

/**
 * Refuses generated files that are not what they should be. Needs no git, and writes nothing.
 *
 * @param root the repository's root
 * @throws InputError that names them and says what to do
 */
export function refuseStale(root: string, definitions: Definitions): void {
    const { changed, removed } = staleWorkflows(root, definitions);
    const stale = [...Object.keys(changed), ...removed];
    if (stale.length === 0) return;
    throw new InputError({
        problem: `generated files are not what images.ts, the Dockerfiles and workflows/ say: ${stale.join(", ")}`,
        next:
            "npm run workflows (where Dependabot moved versions of actions: npm run workflows -- --take-pins, which keeps " +
            "them); commit what it writes",
    });
}

/**
 * Brings the generated files below `.github/` up to date and returns the paths that it wrote or removed.
 *
 * @param root the repository's root
 * @throws InputError for a file that is in the way and is not ours, before anything is written
 */
export function writeWorkflows(root: string, definitions: Definitions): string[] {
    const { changed, removed } = staleWorkflows(root, definitions);
    const paths = Object.keys(changed);
    const foreign = paths.find((file) => existsSync(path.join(root, file)) && !isOurs(path.join(root, file)));
    if (foreign !== undefined) {
        throw new InputError({
            problem: "this file does not begin with our header, so it is somebody else's",
            where: foreign,
            next: "rename or remove it, then run `npm run workflows` again",
        });
    }
    for (const [file, text] of Object.entries(changed)) replaceFile(path.join(root, file), text);
    for (const file of removed) rmSync(path.join(root, file));
    return [...paths, ...removed];
}
