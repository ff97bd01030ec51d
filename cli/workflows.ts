import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { replaceFile } from "../lib/system/files";
import { takePins } from "../workflows/takePins";
import { refuseStale, writeWorkflows } from "../workflows/write";
import { loadDefinitions } from "./definitions";

/**
 * Runs `npm run workflows`, which writes the generated files below .github.
 *
 * @param root the repository's root
 * @param options `takePins`: copies the versions of actions from the workflow files into workflows/pins.ts instead of writing the
 *     workflow files; `check`: writes nothing
 * @returns lines to print
 * @throws InputError for bad input, for an existing file that this program did not generate, and with `check` for stale files
 */
export function runWorkflows(
    root: string,
    options: { readonly takePins?: boolean; readonly check?: boolean },
): string[] {
    if (options.check) {
        refuseStale(root, loadDefinitions(root));
        return ["the workflow files are up to date"];
    }
    if (!options.takePins) {
        const written = writeWorkflows(root, loadDefinitions(root));
        return written.length > 0 ? written : ["the workflow files are up to date"];
    }
    const file = path.join(root, "workflows", "pins.ts");
    const folder = path.join(root, ".github", "workflows");
    const workflows = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), "utf8"));
    const { text, taken } = takePins(readFileSync(file, "utf8"), workflows);
    replaceFile(file, text);
    return taken.length > 0 ? taken : ["workflows/pins.ts has these versions already"];
}
