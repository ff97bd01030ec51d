import { mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "./mocha";
import { writeTree } from "./writeTree";

export { writeTree };

/** Creates a temporary folder that is removed when the test ends. */
export function temporaryFolder(): string {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-test-"));
    onTestFinished(() => {
        rmSync(folder, { recursive: true, force: true });
    });
    return folder;
}

/** Cuts a file in the middle, as a machine does that loses its power while it writes. */
export function cutInHalf(file: string): void {
    truncateSync(file, Math.floor(statSync(file).size / 2));
}

/** Creates a temporary folder with these files, by path; it is removed when the test ends. */
export function tree(files: Readonly<Record<string, string>>): string {
    const root = temporaryFolder();
    writeTree(root, files);
    return root;
}
