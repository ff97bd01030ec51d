import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Writes files, by path, below a folder; scripts (`.sh`) are executable. */
export function writeTree(root: string, files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
        const file = path.join(root, name);
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, text);
        if (name.endsWith(".sh")) chmodSync(file, 0o755);
    }
}
