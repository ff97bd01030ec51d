import { openConfigFile } from "../lib/engine/configFile";
import { copySettings, removeCopy } from "../lib/engine/copiedSettings";
import { engineError, runPulumi } from "../lib/engine/pulumi";
import { labStack, projectName } from "../lib/engine/stacks";
import { InputError } from "../lib/errors";
import { repositoryRoot } from "../lib/system/paths";
import { say } from "../lib/system/progress";
import { stackEnvironment } from "./openStack";
import { isListed, knownStacks } from "./preflight";

/* Stacks with the settings of another stack, one for each pull request: `--stack pr-12 --settings-of preview`. */

/** Options of commands that work on such stacks. */
export interface SettingsOptions {
    /** Name of the stack. */
    readonly stack?: string;
    /** The stack whose settings it gets. */
    readonly settingsOf?: string;
}

/**
 * Whether the backend has a stack.
 *
 * @throws InputError if it can't be asked
 */
export async function doesStackExist(stack: string): Promise<boolean> {
    const env = await stackEnvironment();
    const listed = await runPulumi(["stack", "ls", "--json", "--non-interactive"], env);
    if (listed.failure !== undefined) throw engineError("the stacks can't be listed", listed, undefined, env);
    return isListed(stack, knownStacks(listed.stdout));
}

/** Makes a stack, by the provider of secrets that its settings name. */
async function makeStack(stack: string, settingsOf: string): Promise<void> {
    const root = repositoryRoot();
    const { document } = openConfigFile(root, stack, projectName(root));
    const provider = document.get("secretsprovider");
    const options = typeof provider === "string" ? ["--secrets-provider", provider] : [];
    const env = await stackEnvironment();
    const made = await runPulumi(["stack", "init", stack, "--no-select", "--non-interactive", ...options], env);
    if (made.failure !== undefined) {
        removeCopy(root, stack);
        throw engineError(`stack ${stack} can't be made`, made, undefined, env);
    }
    // Pulumi may have written keys of its own, with which secrets of the copied file can't be read.
    copySettings(root, stack, settingsOf);
}

/**
 * Does `work` on a stack that has the settings of another one, and makes it if the backend has none of this name.
 *
 * @param keeps whether a stack that was made stays: a preview leaves none behind
 * @throws InputError for settings that can't be copied, and if the stack can't be made
 */
export async function onStackOfSettings<T>(
    { stack = labStack, settingsOf }: SettingsOptions,
    keeps: boolean,
    work: () => Promise<T>,
): Promise<T> {
    if (settingsOf === undefined) return await work();
    if (stack === labStack) {
        throw new InputError({
            problem: `--settings-of ${settingsOf} is for a stack of its own, not for that of the lab`,
            next: "name the stack: --stack <name>",
        });
    }
    const root = repositoryRoot();
    copySettings(root, stack, settingsOf);
    if (await doesStackExist(stack)) return await work();
    await makeStack(stack, settingsOf);
    say(`made stack ${stack} with the settings of ${settingsOf}`);
    if (keeps) return await work();
    try {
        return await work();
    } finally {
        // Without --force: a stack that an update has filled meanwhile stays.
        const env = await stackEnvironment();
        const removed = await runPulumi(["stack", "rm", stack, "--yes", "--preserve-config", "--non-interactive"], env);
        if (removed.failure === undefined) removeCopy(root, stack);
        else console.error(`note: stack ${stack}, which was made for this, stays: ${removed.stderr.trim()}`);
    }
}
