import { createHash } from "node:crypto";
import { readFileSync, realpathSync, statSync, lstatSync } from "node:fs";
import path from "node:path";
import { InputError } from "../errors";
import { type Ignore, ignoring } from "./ignore";
import { pathOf, textOf } from "./rawNames";
import { type Tree, diskTree, hashFile, remembering } from "./walk";

/**
 * Whether an ignore file says anything.
 *
 * @throws InputError for a link that leads out of its folder, or nowhere: BuildKit gets that folder alone, finds nothing there, and ignores
 *     nothing, a secret neither
 */
function isFilled(root: string, file: string): boolean {
    if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink()) {
        const folder = realpathSync(path.dirname(file));
        let target: string | undefined;
        try {
            target = path.relative(folder, realpathSync(file));
        } catch {
            // It leads nowhere, or to itself.
        }
        if (target === undefined || target === ".." || target.startsWith("../")) {
            throw new InputError({
                problem:
                    "the ignore file is a symbolic link that leads out of its folder, or nowhere: BuildKit would ignore nothing",
                where: path.relative(root, file),
                next: "put the file itself there",
            });
        }
    }
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size > 0;
}

/**
 * What .dockerignore leaves out of a context: `<Dockerfile>.dockerignore` wins over the context's own, unless it is empty.
 *
 * @param base the context's root
 * @param dockerfile path from the repository's root
 * @throws InputError for one that BuildKit would not find
 */
export function readIgnore({ root, text }: Checkout, base: string, dockerfile: string): Ignore {
    const candidates = [path.join(root, `${dockerfile}.dockerignore`), path.join(base, ".dockerignore")];
    const file = candidates.find((one) => isFilled(root, one));
    return file === undefined ? ignoring("") : ignoring(text(file) ?? "", path.relative(root, file));
}

/**
 * A repository's files as one run sees them. Each file is opened once and each folder listed once, however many images read it, and
 * whoever parses a file gets the bytes that were hashed.
 */
export interface Checkout {
    /** The repository's root, with no symbolic link on its way. */
    readonly root: string;
    /**
     * The text of a file; bytes that are not UTF-8 as `textOf` has them. Symbolic links are followed.
     *
     * @param file path from the root, or absolute
     * @returns undefined where there is no file
     */
    readonly text: (file: string) => string | undefined;
    /** SHA-256 of the content of a file, as hex. The path is absolute, and no link. */
    readonly hash: (file: string) => string;
    /** A folder, by its absolute path with no link on its way, with all below it. */
    readonly tree: (folder: string) => Tree;
}

/** Files that are parsed. They are small, and kept, so that they need not be opened again after they were hashed as an input. */
const parsed = /dockerfile|\.dockerignore$/i;

/**
 * Opens a repository for one run: what changes on disk afterwards is not seen.
 *
 * @param folder the repository's root
 */
export function openCheckout(folder: string): Checkout {
    const root = realpathSync(folder);
    const bytes = remembering((file) => readFileSync(pathOf(file)));
    const text = remembering((file): string | undefined => {
        const absolute = path.resolve(root, file);
        if (statSync(pathOf(absolute), { throwIfNoEntry: false })?.isFile() !== true) return undefined;
        return textOf(bytes(textOf(realpathSync(pathOf(absolute), { encoding: "buffer" }))));
    });
    const hash = remembering((file) =>
        parsed.test(path.basename(file)) ? createHash("sha256").update(bytes(file)).digest("hex") : hashFile(file),
    );
    return { root, text, hash, tree: remembering(diskTree) };
}
