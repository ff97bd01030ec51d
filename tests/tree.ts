import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** A temporary folder that is removed when the test ends. */
export function temporaryFolder(): string {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-test-"));
    onTestFinished(() => {
        rmSync(folder, { recursive: true, force: true });
    });
    return folder;
}

/** Writes files, given by path, below a folder; a script (`.sh`) is executable. */
export function writeTree(root: string, files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
        const file = path.join(root, name);
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, text);
        if (name.endsWith(".sh")) chmodSync(file, 0o755);
    }
}

/** A temporary folder with these files. */
export function tree(files: Readonly<Record<string, string>>): string {
    const root = temporaryFolder();
    writeTree(root, files);
    return root;
}
