import { randomBytes } from "node:crypto";
import {
    chmodSync,
    constants,
    copyFileSync,
    existsSync,
    linkSync,
    mkdirSync,
    readdirSync,
    renameSync,
    rmSync,
    symlinkSync,
    utimesSync,
    writeFileSync,
    readFileSync,
} from "node:fs";
import path from "node:path";
import { InputError } from "../errors";
import { pathOf, textOf } from "./rawNames";
import { entriesOf, hashFile, statOf, targetOf, type InputFile } from "./walk";

/**
 * Returns the files, links and empty folders below a folder, by path with slashes; undefined if a folder's mode is not
 * 755.
 */
function entriesBelow(folder: string, inner = ""): Set<string> | undefined {
    const found = new Set<string>();
    if (((statOf(folder)?.mode ?? 0) & 0o777) !== 0o755) return undefined;
    for (const [name, kind] of entriesOf(folder)) {
        const file = path.posix.join(inner, name);
        const below = kind === "folder" ? entriesBelow(path.join(folder, name), file) : new Set<string>();
        if (!below) return undefined;
        for (const entry of below.size > 0 ? below : [file]) found.add(entry);
    }
    return found;
}

/** Returns the mode of a staged file. */
const modeOf = ({ executable }: Pick<InputFile, "executable">): number => (executable ? 0o755 : 0o644);

/** Returns the SHA-256 of a file's content, as hex. */
type HashOf = (file: string) => string;

function isSame(staged: string, { hash, executable, symlink, folder }: InputFile, hashOf: HashOf): boolean {
    const stat = statOf(staged);
    if (folder) return stat?.isDirectory() === true;
    if (symlink !== undefined) return stat?.isSymbolicLink() === true && targetOf(staged) === symlink;
    return stat?.isFile() === true && (stat.mode & 0o777) === modeOf({ executable }) && hashOf(staged) === hash;
}

/**
 * Checks whether a staged context is unchanged: the same files and folders with the same content and modes, and no
 * others. Otherwise a build could push content that its tag does not describe, after an editor's "replace in all files"
 * or a crash.
 *
 * @param folder the staged context's folder, which contains `context` and `Dockerfile`
 */
function isIntact(folder: string, { files, dockerfile, hashOf = hashFile }: StageRequest): boolean {
    const context = path.join(folder, "context");
    const file = path.join(folder, "Dockerfile");
    if (!statOf(file)?.isFile() || textOf(readFileSync(file)) !== dockerfile || !statOf(context)?.isDirectory())
        return false;
    const found = entriesBelow(context);
    return (
        found?.size === files.length &&
        files.every((input) => found.has(input.path) && isSame(path.join(context, input.path), input, hashOf))
    );
}

/** The time in milliseconds until an unused context is removed: longer than any build that may still read it. */
const day = 24 * 3600 * 1000;

/**
 * Dockerfile.dockerignore for contexts with a staged `.dockerignore`. BuildKit would apply the latter, although another
 * ignore file may have decided which files are staged. BuildKit does not use an empty file.
 */
const ignoreNothing = "# Everything that is staged here is an input.\n";

/** The files to stage, and their destination. */
export interface StageRequest {
    /** The repository's root. */
    readonly root: string;
    /** Root of the build context, to which the inputs' paths are relative; by default the repository's root. */
    readonly base?: string;
    /** Folder that holds staged contexts, relative to `root`. */
    readonly stageRoot: string;
    /** Name of the image's folder. */
    readonly image: string;
    readonly inputHash: string;
    readonly files: readonly InputFile[];
    /** Text of the Dockerfile. */
    readonly dockerfile: string;
    /** How to hash a staged file; by default by reading it. */
    readonly hashOf?: HashOf;
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
    codes.includes((error as NodeJS.ErrnoException).code ?? "");

const unique = (): string => `${process.pid}-${randomBytes(6).toString("hex")}`;

/** Removes a context. It is renamed first, so that half a context never exists under a name in use. */
function remove(context: string): void {
    try {
        const away = path.join(path.dirname(context), `old-${unique()}`);
        renameSync(context, away);
        rmSync(away, { recursive: true, force: true });
    } catch (error) {
        if (!isCode(error, "ENOENT", "ENOTEMPTY")) throw error;
    }
}

/** Removes contexts that no build of the last day used, without disturbing other processes that prune or build. */
function prune(folder: string, keep: string): void {
    for (const name of readdirSync(folder)) {
        const stat = statOf(path.join(folder, name));
        if (name !== keep && stat && Date.now() - stat.mtimeMs > day) remove(path.join(folder, name));
    }
}

function write(file: string, text: string): void {
    writeFileSync(file, pathOf(text));
    chmodSync(file, 0o644);
}

function refuseChanged({ path: file }: InputFile): never {
    throw new InputError({ problem: `${file} changed while it was being read`, next: "run the command again" });
}

/** From this size in bytes, a file is linked to the copy in an earlier context; links don't make the copies of small files cheaper. */
const worthLinking = 1 << 20;

/**
 * Links a file to its copy in an earlier context of the image, so that a model of gigabytes is not stored once for every
 * change of another file. Returns false if there is no such copy, or if it can't be linked.
 */
function link(earlier: string | undefined, to: string, file: InputFile, hashOf: HashOf): boolean {
    const copied = earlier === undefined ? undefined : path.join(earlier, "context", file.path);
    try {
        if (copied === undefined || !isSame(copied, file, hashOf)) return false;
        linkSync(pathOf(copied), pathOf(to));
        return true;
    } catch (error) {
        if (isCode(error, "ENOENT", "ENOTDIR", "EMLINK", "EXDEV", "EPERM", "EACCES", "ENOTSUP")) return false;
        throw error;
    }
}

/** Copies an input to a path of a new context. Whether a file has the right content is still to be verified. */
function copy(from: string, to: string, file: InputFile, linked: () => boolean): void {
    const stat = statOf(from);
    if (file.folder) {
        if (!stat?.isDirectory()) refuseChanged(file);
        mkdirSync(to, { recursive: true });
    } else if (file.symlink !== undefined) {
        if (!stat?.isSymbolicLink() || targetOf(from) !== file.symlink) refuseChanged(file);
        symlinkSync(file.symlink, to);
    } else {
        if (!stat?.isFile()) refuseChanged(file);
        if (stat.size >= worthLinking && linked()) return;
        // On file systems that can do so, the copy shares its blocks with the original.
        copyFileSync(from, to, constants.COPYFILE_FICLONE);
        chmodSync(to, modeOf(file));
    }
}

/** Returns the context of the image that a run used last; undefined if there is none. */
function latestContext(folder: string): string | undefined {
    const contexts = readdirSync(folder)
        .filter((name) => !/^(?:part|old)-/.test(name))
        .map((name) => path.join(folder, name));
    const used = new Map(contexts.map((context) => [context, statOf(context)?.mtimeMs ?? 0]));
    return contexts.sort((a, b) => (used.get(b) ?? 0) - (used.get(a) ?? 0))[0];
}

/**
 * Copies the inputs to a new folder, and then verifies the copies: an index of hashes can remember only files that are not
 * quite new.
 *
 * @throws InputError for an input that changed after it was collected
 */
function copyAll(
    context: string,
    { base, root, files, hashOf = hashFile }: StageRequest,
    earlier: string | undefined,
): void {
    const folders = new Set<string>();
    for (const file of files) {
        const to = path.join(context, file.path);
        const folder = path.dirname(to);
        if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
        folders.add(folder);
        copy(path.join(base ?? root, file.path), to, file, () => link(earlier, to, file, hashOf));
    }
    for (const file of files) {
        const isContent = file.folder !== true && file.symlink === undefined;
        if (isContent && hashOf(path.join(context, file.path)) !== file.hash) refuseChanged(file);
    }
}

function normaliseFolders(folder: string): void {
    chmodSync(folder, 0o755);
    for (const [name, kind] of entriesOf(folder)) {
        if (kind === "folder") normaliseFolders(path.join(folder, name));
    }
}

/** Writes the context to a temporary folder and renames it. If another process is first, its result is the same. */
function writeAtomically(final: string, request: StageRequest): void {
    const { files, dockerfile } = request;
    const temporary = path.join(path.dirname(final), `part-${unique()}`);
    const earlier = latestContext(path.dirname(final));
    try {
        mkdirSync(path.join(temporary, "context"), { recursive: true });
        copyAll(path.join(temporary, "context"), request, earlier);
        write(path.join(temporary, "Dockerfile"), dockerfile);
        if (files.some((file) => file.path === ".dockerignore")) {
            write(path.join(temporary, "Dockerfile.dockerignore"), ignoreNothing);
        }
        normaliseFolders(temporary);
        renameSync(temporary, final);
    } catch (error) {
        if (!isCode(error, "ENOTEMPTY", "EEXIST") || !existsSync(final)) throw error;
    } finally {
        rmSync(temporary, { recursive: true, force: true });
    }
}

/** Marks a context as used now; returns false if it does not exist. */
function touch(final: string): boolean {
    try {
        utimesSync(final, new Date(), new Date());
        return true;
    } catch (error) {
        if (isCode(error, "ENOENT")) return false;
        throw error;
    }
}

/**
 * Copies the inputs to `<stageRoot>/<image>/<inputHash>`, with modes normalised to 644/755, so that a build sees only
 * its inputs, independent of umask, times and other runs. An existing context is used if it is intact; contexts that no
 * run of the last day used are removed.
 *
 * @returns the paths of context and Dockerfile, relative like `stageRoot`, because they enter the state
 * @throws InputError for an input that changed after it was collected
 */
export function stageContext(request: StageRequest): { readonly context: string; readonly dockerfile: string } {
    const { root, stageRoot, image } = request;
    const folder = path.join(root, stageRoot, image);
    const final = path.join(folder, request.inputHash);
    mkdirSync(folder, { recursive: true });
    if (!isIntact(final, request)) remove(final);
    while (!touch(final)) writeAtomically(final, request);
    prune(folder, request.inputHash);
    const staged = path.posix.join(stageRoot, image, request.inputHash);
    return { context: path.posix.join(staged, "context"), dockerfile: path.posix.join(staged, "Dockerfile") };
}
