import { randomBytes } from "node:crypto";
import {
    chmodSync,
    copyFileSync,
    existsSync,
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

/** Files, links and empty folders below a folder, by path with slashes; undefined when a folder's mode is not 755. */
function entriesBelow(folder: string, inner = ""): Set<string> | undefined {
    const found = new Set<string>();
    if (((statOf(folder)?.mode ?? 0) & 0o777) !== 0o755) return undefined;
    for (const [name, kind] of entriesOf(folder)) {
        const file = path.posix.join(inner, name);
        const below = kind === "folder" ? entriesBelow(path.join(folder, name), file) : new Set<string>();
        if (!below) return undefined;
        for (const one of below.size > 0 ? below : [file]) found.add(one);
    }
    return found;
}

function isSame(staged: string, { hash, executable, symlink, folder }: InputFile): boolean {
    const stat = statOf(staged);
    if (folder) return stat?.isDirectory() === true;
    if (symlink !== undefined) return stat?.isSymbolicLink() === true && targetOf(staged) === symlink;
    return stat?.isFile() === true && (stat.mode & 0o777) === (executable ? 0o755 : 0o644) && hashFile(staged) === hash;
}

/**
 * Whether a staged context is still what was staged: the same files and folders with the same content and modes, and no other. An editor's
 * "replace in all files" or a crash would otherwise be built, and pushed as what it is not.
 *
 * @param folder the staged context's own folder, with `context` and `Dockerfile` in it
 */
export function isIntact(folder: string, files: readonly InputFile[], dockerfile: string): boolean {
    const context = path.join(folder, "context");
    const file = path.join(folder, "Dockerfile");
    if (!statOf(file)?.isFile() || textOf(readFileSync(file)) !== dockerfile || !statOf(context)?.isDirectory())
        return false;
    const found = entriesBelow(context);
    return (
        found?.size === files.length &&
        files.every((one) => found.has(one.path) && isSame(path.join(context, one.path), one))
    );
}

/** Unused contexts are kept for a day, in milliseconds: longer than any build that still reads one. */
const day = 24 * 3600 * 1000;

/**
 * Beside a staged `.dockerignore`, which BuildKit would apply although another one may have decided what is staged. An
 * empty file would not count.
 */
const ignoreNothing = "# Everything that is staged here is an input.\n";

/** What is staged, and where. */
export interface StageRequest {
    /** The repository's root. */
    readonly root: string;
    /** Root of the build context, which the inputs' paths start from; the repository's without. */
    readonly base?: string;
    /** Folder that holds staged contexts, relative to `root`. */
    readonly stageRoot: string;
    /** Name of the image's own folder. */
    readonly image: string;
    readonly inputHash: string;
    readonly files: readonly InputFile[];
    /** Text of the Dockerfile. */
    readonly dockerfile: string;
}

const isCode = (error: unknown, ...codes: string[]): boolean =>
    codes.includes((error as NodeJS.ErrnoException).code ?? "");

const unique = (): string => `${process.pid}-${randomBytes(6).toString("hex")}`;

/** Renamed first: half a context must never stand under a name that somebody may use. */
function remove(context: string): void {
    try {
        const away = path.join(path.dirname(context), `old-${unique()}`);
        renameSync(context, away);
        rmSync(away, { recursive: true, force: true });
    } catch (error) {
        if (!isCode(error, "ENOENT", "ENOTEMPTY")) throw error;
    }
}

/** Removes what no build of the last day used. Another process that does the same, or builds, is not disturbed. */
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

/** Copies an input, and makes sure that it is what was hashed. */
function copy(from: string, to: string, file: InputFile): void {
    mkdirSync(file.folder ? to : path.dirname(to), { recursive: true });
    const kind = statOf(from);
    let same = file.folder === true && kind?.isDirectory() === true;
    if (file.symlink !== undefined && kind?.isSymbolicLink()) {
        same = targetOf(from) === file.symlink;
        symlinkSync(file.symlink, to);
    } else if (file.symlink === undefined && !file.folder && kind?.isFile()) {
        copyFileSync(from, to);
        chmodSync(to, file.executable ? 0o755 : 0o644);
        same = hashFile(to) === file.hash;
    }
    if (!same) {
        const problem = `${file.path} changed while it was read`;
        throw new InputError({ problem, next: "run the command again" });
    }
}

function normaliseFolders(folder: string): void {
    chmodSync(folder, 0o755);
    for (const [name, kind] of entriesOf(folder)) {
        if (kind === "folder") normaliseFolders(path.join(folder, name));
    }
}

/** Writes the context beside its place and renames it: whoever is first wins, the other's is the same. */
function writeBeside(final: string, { base, root, files, dockerfile }: StageRequest): void {
    const beside = path.join(path.dirname(final), `part-${unique()}`);
    try {
        mkdirSync(path.join(beside, "context"), { recursive: true });
        for (const file of files)
            copy(path.join(base ?? root, file.path), path.join(beside, "context", file.path), file);
        write(path.join(beside, "Dockerfile"), dockerfile);
        if (files.some((file) => file.path === ".dockerignore")) {
            write(path.join(beside, "Dockerfile.dockerignore"), ignoreNothing);
        }
        normaliseFolders(beside);
        renameSync(beside, final);
    } catch (error) {
        if (!isCode(error, "ENOTEMPTY", "EEXIST") || !existsSync(final)) throw error;
    } finally {
        rmSync(beside, { recursive: true, force: true });
    }
}

/** Marks a context as used now; false when there is none. */
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
 * Copies the inputs to `<stageRoot>/<image>/<inputHash>`, modes normalised to 644/755: a build sees nothing but its
 * inputs, and neither umask nor times nor another run. An existing one is used if it is intact; those that no run of the
 * last day used are removed.
 *
 * @returns paths of context and Dockerfile as `stageRoot` gives them, not absolute: they enter the state
 * @throws InputError for an input that is no longer what was collected
 */
export function stageContext(request: StageRequest): { readonly context: string; readonly dockerfile: string } {
    const { root, stageRoot, image } = request;
    const folder = path.join(root, stageRoot, image);
    const final = path.join(folder, request.inputHash);
    mkdirSync(folder, { recursive: true });
    if (!isIntact(final, request.files, request.dockerfile)) remove(final);
    while (!touch(final)) writeBeside(final, request);
    prune(folder, request.inputHash);
    const staged = path.posix.join(stageRoot, image, request.inputHash);
    return { context: path.posix.join(staged, "context"), dockerfile: path.posix.join(staged, "Dockerfile") };
}
