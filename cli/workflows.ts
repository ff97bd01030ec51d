import { loadDefinitions } from "../definitions";
import { pinsFile, readPins, writePins } from "../workflows/pins";
import { takePins } from "../workflows/takePins";
import { generatedWorkflows, refuseStale, writeWorkflows } from "../workflows/write";

/**
 * Runs `npm run workflows`, which writes the generated files below .github.
 *
 * @param root the repository's root
 * @param options `takePins`: takes newer versions of actions from the workflow files into pins.json instead of writing the workflow files;
 *     `check`: writes nothing
 * @returns lines to print
 * @throws InputError for bad input, for an existing file that this program did not generate, and with `check` for stale files
 */
export function runWorkflows(
    root: string,
    options: { readonly takePins?: boolean; readonly check?: boolean },
): string[] {
    if (options.takePins) {
        const { pins, taken, kept } = takePins(readPins(root), generatedWorkflows(root));
        if (taken.length > 0) writePins(root, pins);
        return [...(taken.length > 0 ? taken : [`${pinsFile} stays as it is`]), ...kept];
    }
    const definitions = loadDefinitions(root);
    const written = options.check ? [] : writeWorkflows(root, definitions);
    if (options.check) refuseStale(root, definitions);
    return written.length > 0 ? written : ["the workflow files are up to date"];
}
