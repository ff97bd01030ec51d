import { createHash } from "node:crypto";
import { readFileSync, realpathSync, statSync, lstatSync } from "node:fs";
import path from "node:path";
import { InputError } from "../errors";
import { type FileHashes, openFileHashes } from "./fileHashes";
import { type Ignore, ignoring } from "./ignore";
import { pathOf, textOf } from "./rawNames";
import { type Tree, diskTree, memoized } from "./walk";

/**
 * Checks whether an ignore file exists and is not empty.
 *
 * @throws InputError for a link to a target outside its folder, or to a missing target. BuildKit receives only that
 *     folder, would not find the target, and would ignore nothing, not even secrets
 */
function isFilled(root: string, file: string): boolean {
    if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink()) {
        const folder = realpathSync(path.dirname(file));
        let target: string | undefined;
        try {
            target = path.relative(folder, realpathSync(file));
        } catch {
            // The target is missing, or the link points to itself.
        }
        if (target === undefined || target === ".." || target.startsWith("../")) {
            throw new InputError({
                problem:
                    "the ignore file is a symbolic link to a file outside its folder, or to a missing file: BuildKit would ignore nothing",
                where: path.relative(root, file),
                next: "replace the link by the file",
            });
        }
    }
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size > 0;
}

/**
 * Reads the .dockerignore of a context: `<Dockerfile>.dockerignore`, or the context's own if the former is missing or
 * empty.
 *
 * @param base the context's root
 * @param dockerfile path from the repository's root
 * @throws InputError for a file that BuildKit would not find
 */
export function readIgnore({ root, text }: Checkout, base: string, dockerfile: string): Ignore {
    const candidates = [path.join(root, `${dockerfile}.dockerignore`), path.join(base, ".dockerignore")];
    const file = candidates.find((candidate) => isFilled(root, candidate));
    return file === undefined ? ignoring("") : ignoring(text(file) ?? "", path.relative(root, file));
}

/**
 * The files of a repository as one run sees them. Each file is opened once and each folder listed once, however many
 * images read them, so the bytes that are parsed are the bytes that are hashed.
 */
export interface Checkout {
    /** The repository's root, as a path without symbolic links. */
    readonly root: string;
    /**
     * Returns the text of a file; `textOf` describes bytes that are not UTF-8. Symbolic links are followed.
     *
     * @param file path from the root, or absolute
     * @returns undefined if the file does not exist
     */
    readonly text: (file: string) => string | undefined;
    /** Returns the SHA-256 of a file's content, as hex. The path must be absolute and not a link. */
    readonly hash: (file: string) => string;
    /** The hashes of files as they are now; `hash` is for the files of the repository, which are read once. */
    readonly hashes: FileHashes;
    /** Returns a folder with everything below it, by its absolute path without symbolic links. */
    readonly tree: (folder: string) => Tree;
}

/**
 * Names of files that may be parsed after they were hashed. Their content is small, and kept like that of parsed files.
 */
const parsed = /dockerfile|\.dockerignore$/i;

/**
 * Opens a repository for one run, which does not see later changes on disk.
 *
 * @param folder the repository's root
 */
export function openCheckout(folder: string): Checkout {
    const root = realpathSync(folder);
    const hashes = openFileHashes(root);
    const kept = new Map<string, Buffer>();
    const bytes = (file: string): Buffer => {
        const content = kept.get(file) ?? readFileSync(pathOf(file));
        kept.set(file, content);
        return content;
    };
    const text = memoized((file): string | undefined => {
        const absolute = path.resolve(root, file);
        if (statSync(pathOf(absolute), { throwIfNoEntry: false })?.isFile() !== true) return undefined;
        return textOf(bytes(textOf(realpathSync(pathOf(absolute), { encoding: "buffer" }))));
    });
    const hash = memoized((file) =>
        kept.has(file) || parsed.test(path.basename(file))
            ? createHash("sha256").update(bytes(file)).digest("hex")
            : hashes.of(file),
    );
    return { root, text, hash, hashes, tree: memoized(diskTree) };
}
