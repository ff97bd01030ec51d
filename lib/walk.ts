import { createHash } from "node:crypto";
import { type Stats, closeSync, lstatSync, openSync, readSync, readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import { InputError } from "./errors";
import type { Ignore, Matcher } from "./ignore";

/** A file of the build context that a Dockerfile reads. */
export interface InputFile {
    /** Path from the context's root, with slashes. */
    readonly path: string;
    /** SHA-256 of the content, or of a link's target, as hex. */
    readonly hash: string;
    /** The only permission that counts: git keeps no other. */
    readonly executable: boolean;
    /** Target of a symbolic link. */
    readonly symlink?: string;
}

/** A search for inputs. Paths are from the context's root, with slashes; "" is the root itself. */
export interface Walk {
    /** The context's root. */
    readonly base: string;
    readonly ignore: Ignore;
    /** Folders that are never inputs. */
    readonly own: readonly string[];
    readonly found: Map<string, InputFile>;
    /** Inputs that were read before, for another source. */
    readonly known: Map<string, InputFile>;
}

/** What is at a path, links not followed; undefined when nothing is. */
export function statOf(file: string): Stats | undefined {
    try {
        return lstatSync(file);
    } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ENOTDIR") return undefined;
        throw error;
    }
}

/** SHA-256 of a file's content as hex, read a piece at a time: a model's weights can be larger than a buffer. */
export function hashFile(file: string): string {
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(1 << 20);
    const descriptor = openSync(file, "r");
    try {
        for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece)) {
            hash.update(piece.subarray(0, read));
        }
    } finally {
        closeSync(descriptor);
    }
    return hash.digest("hex");
}

const isOwn = ({ own }: Walk, file: string): boolean =>
    own.some((folder) => file === folder || file.startsWith(`${folder}/`));

/** Whether nothing below a folder can be an input. */
const isSkipped = (walk: Walk, folder: string): boolean =>
    isOwn(walk, folder) || (walk.ignore.ignores(folder) && !walk.ignore.mayReenter(folder));

/** Where a link on the way to a source points to. Any other is copied as it is, wherever it leads. */
function linkTarget(file: string, symlink: string): string {
    const target = path.posix.join(path.posix.dirname(file), symlink).replace(/\/$/, "");
    if (!path.isAbsolute(symlink) && target !== ".." && !target.startsWith("../")) return target;
    throw new InputError({
        problem: `${file} is a symbolic link to ${symlink}, which is outside the build context`,
        next: "copy what it leads to into the repository, and name that",
    });
}

function readInput(walk: Walk, file: string): InputFile | undefined {
    const absolute = path.join(walk.base, file);
    const stat = lstatSync(absolute);
    if (stat.isSymbolicLink()) {
        const symlink = readlinkSync(absolute);
        return { path: file, hash: createHash("sha256").update(symlink).digest("hex"), executable: false, symlink };
    }
    // The owner's bit is the one that git keeps.
    return stat.isFile() ? { path: file, hash: hashFile(absolute), executable: (stat.mode & 0o100) !== 0 } : undefined;
}

/**
 * Adds a file or link, unless .dockerignore leaves it out.
 *
 * @throws InputError for a file that .dockerignore lets in without its content
 */
export function addFile(walk: Walk, file: string): void {
    if (isOwn(walk, file) || walk.found.has(file) || walk.ignore.ignores(file)) return;
    const input = walk.known.get(file) ?? readInput(walk, file);
    if (!input) return;
    if (input.symlink === undefined) walk.ignore.checkContent(file);
    walk.found.set(file, input);
    walk.known.set(file, input);
}

/** What is taken below a folder: everything without `include`. */
export interface Choice {
    readonly include: Matcher | undefined;
    readonly exclude: Matcher;
}

/** Adds what lies below a folder; `choice` sees paths from `source`, as those of COPY --exclude and --parents are. */
export function addFolder(walk: Walk, source: string, choice: Choice, folder: string): void {
    const { include, exclude } = choice;
    for (const entry of readdirSync(path.join(walk.base, folder), { withFileTypes: true })) {
        const file = path.posix.join(folder, entry.name);
        const inner = path.posix.relative(source, file);
        const isIn = include?.matches(inner) ?? true;
        const isOut = exclude.matches(inner);
        if (!entry.isDirectory()) {
            if (isIn && !isOut) addFile(walk, file);
            continue;
        }
        const mayHold = (isIn || include?.mayMatch(inner) === true) && (!isOut || exclude.mayExcept(inner));
        if (mayHold && !isSkipped(walk, file)) addFolder(walk, source, choice, file);
    }
}

/**
 * Follows the links in a source's path, and adds them: whoever copies it reads them as well.
 *
 * @returns where the path leads; undefined for nowhere
 * @throws InputError for links out of the context or in a circle
 */
export function follow(walk: Walk, source: string, links = 0): string | undefined {
    if (links > 40) throw new InputError({ problem: `${source}: too many symbolic links lead to each other` });
    const parts = source.split("/");
    for (const count of parts.keys()) {
        const file = parts.slice(0, count + 1).join("/");
        const stat = statOf(path.join(walk.base, file));
        if (!stat) return undefined;
        if (!stat.isSymbolicLink()) continue;
        addFile(walk, file);
        if (!walk.found.has(file)) return undefined;
        const target = linkTarget(file, readlinkSync(path.join(walk.base, file)));
        return follow(walk, path.posix.join(target, ...parts.slice(count + 1)), links + 1);
    }
    return source;
}
