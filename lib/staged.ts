import { type Dirent, readFileSync, readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import { type InputFile, hashFile, statOf } from "./walk";

/** Files and links below a folder, by path with slashes; undefined when a folder's mode is not 755. */
function entriesBelow(folder: string, inner = ""): Map<string, Dirent> | undefined {
    const found = new Map<string, Dirent>();
    if (((statOf(folder)?.mode ?? 0) & 0o777) !== 0o755) return undefined;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const name = path.posix.join(inner, entry.name);
        if (!entry.isDirectory()) found.set(name, entry);
        else {
            const below = entriesBelow(path.join(folder, entry.name), name);
            if (!below) return undefined;
            for (const [file, one] of below) found.set(file, one);
        }
    }
    return found;
}

function isSame(staged: string, { hash, executable, symlink }: InputFile): boolean {
    const stat = statOf(staged);
    if (symlink !== undefined) return stat?.isSymbolicLink() === true && readlinkSync(staged) === symlink;
    return stat?.isFile() === true && (stat.mode & 0o777) === (executable ? 0o755 : 0o644) && hashFile(staged) === hash;
}

/**
 * Whether a staged context is still what was staged: the same files with the same content and modes, and no other. An editor's
 * "replace in all files" or a crash would otherwise be built, and pushed as what it is not.
 *
 * @param folder the staged context's own folder, with `context` and `Dockerfile` in it
 */
export function isIntact(folder: string, files: readonly InputFile[], dockerfile: string): boolean {
    const context = path.join(folder, "context");
    const file = path.join(folder, "Dockerfile");
    if (!statOf(file)?.isFile() || readFileSync(file, "utf8") !== dockerfile || !statOf(context)?.isDirectory())
        return false;
    const found = entriesBelow(context);
    return (
        found?.size === files.length &&
        files.every((one) => found.has(one.path) && isSame(path.join(context, one.path), one))
    );
}
