import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Writes `file` beside and renames it, so that a reader sees the old or the new text, never half of it. */
export function replaceFile(file: string, text: string, mode = 0o644): void {
    mkdirSync(path.dirname(file), { recursive: true });
    const beside = `${file}.${process.pid.toString()}`;
    writeFileSync(beside, text, { mode });
    renameSync(beside, file);
}

/** The last `count` lines of a log, indented. */
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
 * A folder that is complete or absent: made beside under another name, then renamed. Only one run may make it at a time
 * (`withLock`), so what stands beside it is left over from one that was killed.
 */
export async function makeFolder(folder: string, make: (beside: string) => Promise<void>): Promise<void> {
    mkdirSync(path.dirname(folder), { recursive: true });
    const beside = `${folder}.part`;
    const remove = () => {
        rmSync(beside, { recursive: true, force: true });
    };
    remove();
    mkdirSync(beside);
    try {
        await make(beside);
        renameSync(beside, folder);
    } finally {
        remove();
    }
}
