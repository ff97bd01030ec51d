import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";

/**
 * Replaces a file: writes a temporary file and renames it, so that readers see the old or the new text, never a part of it, even after
 * the machine lost its power. An empty folder in its place is removed: Docker makes one for a file that it is told to mount.
 *
 * @throws the error of the operating system, with the path, and leaves the old text
 */
export function replaceFile(file: string, text: string, mode = 0o644): void {
    mkdirSync(path.dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid.toString()}`;
    try {
        writeFileSync(temporary, text, { mode, flush: true });
        if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) rmdirSync(file);
        renameSync(temporary, file);
    } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
    }
}

/** What was read from a file that an earlier run wrote: its value, or what is wrong with it ("it is empty"). */
export type Kept<T> = { readonly value: T } | Damage;

/** What is wrong with a file, and the operating system's code if it could not be read. */
export interface Damage {
    readonly damage: string;
    readonly code?: string;
}

/** What is wrong with a file that can't be read, by the operating system's code. */
const unreadable: Readonly<Record<string, string>> = {
    EISDIR: "it is a folder",
    EACCES: "this user may not read it",
    EPERM: "this user may not read it",
    EIO: "the disk can't read it",
};

/**
 * Reads a file that an earlier run wrote. A crash of the machine can leave a file empty, cut, or full of zeros, and others can put a folder
 * in its place or take away the right to read it. Callers make caches again, and tell users of everything else.
 *
 * @param parse turns the text into the value; its error says what is wrong with the text
 * @param decode turns the file's bytes into the text; its error says what is wrong with them
 * @returns undefined if there is no such file
 */
export function readKept<T>(
    file: string,
    parse: (text: string) => T,
    decode: (bytes: Buffer) => string = (bytes) => bytes.toString("utf8"),
): Kept<T> | undefined {
    let bytes: Buffer;
    try {
        bytes = readFileSync(file);
    } catch (error) {
        const { code = "" } = error as NodeJS.ErrnoException;
        return code === "ENOENT" ? undefined : { damage: unreadable[code] ?? `it can't be read (${code})`, code };
    }
    if (bytes.length === 0) return { damage: "it is empty" };
    if (bytes.every((byte) => byte === 0)) return { damage: "it holds nothing but zeros" };
    try {
        return { value: parse(decode(bytes)) };
    } catch (error) {
        if (error instanceof SyntaxError) return { damage: "it is no JSON, or its end is missing" };
        return { damage: error instanceof Error ? error.message : String(error) };
    }
}

/** Returns the last `count` lines of a log, indented. */
export function tail(file: string, count = 20): string {
    let text: string;
    try {
        text = readFileSync(file, "utf8");
    } catch {
        return "    (no log)";
    }
    const lines = text.trimEnd().split("\n").slice(-count);
    return lines.map((line) => `    ${line}`).join("\n");
}

/** Has the file system store all files below a folder: after a crash of the machine, a rename may otherwise have outlived what was renamed. */
async function flush(folder: string): Promise<void> {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const file = await open(path.join(entry.parentPath, entry.name));
        await file.sync().finally(() => file.close());
    }
}

/**
 * Creates a folder so that it is either complete or absent: under a temporary name first, then renamed. Only one run may do so at a time
 * (`withLock`), so an existing temporary folder was left behind by a run that was killed.
 *
 * @param make fills the folder whose path it gets
 */
export async function makeFolder(folder: string, make: (temporary: string) => Promise<void>): Promise<void> {
    mkdirSync(path.dirname(folder), { recursive: true });
    const temporary = `${folder}.part`;
    const remove = () => {
        rmSync(temporary, { recursive: true, force: true });
    };
    remove();
    mkdirSync(temporary);
    try {
        await make(temporary);
        await flush(temporary);
        renameSync(temporary, folder);
    } finally {
        remove();
    }
}
