import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Replaces a file: writes a temporary file and renames it, so that readers see the old or the new text, never a part of it. */
export function replaceFile(file: string, text: string, mode = 0o644): void {
    mkdirSync(path.dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid.toString()}`;
    writeFileSync(temporary, text, { mode });
    renameSync(temporary, file);
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
        renameSync(temporary, folder);
    } finally {
        remove();
    }
}
