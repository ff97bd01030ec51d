import { readFileSync } from "node:fs";
import path from "node:path";
import { textOf } from "./rawNames";
import { type InputFile, entriesOf, hashFile, statOf, targetOf } from "./walk";

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
