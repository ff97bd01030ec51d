import { existsSync } from "node:fs";
import path from "node:path";
import { loadDefinitions } from "../definitions";
import { labEnvironment } from "../lab/environment";
import { type StartOptions, startLab } from "../lab/lab";
import { describeLab } from "../lab/labState";
import { partsOf } from "../lab/parts";
import { type LabParts, allParts } from "../lab/toolchain/packages";
import { type Engine, engineOn } from "../lib/engine/pulumi";
import { configFileOf, findConfigFile, openConfigFile, settingIn } from "../lib/engine/configFile";
import { backendAddress, checkStackFiles } from "../lib/engine/fileBackend";
import { identityVariables } from "../lib/engine/identity";
import { ciStack, labStack, projectName } from "../lib/engine/stacks";
import { asInputError } from "../lib/errors";
import { openCheckout } from "../lib/context/checkout";
import { readImages } from "../lib/hierarchy/prepare";
import { withImageSettings } from "../lib/hierarchy/settings";
import { hide, passwordsIn } from "../lib/system/hidden";
import { repositoryRoot } from "../lib/system/paths";
import { progress } from "../lib/system/progress";
import { readableBuildArgs } from "../workflows/ciStack";
import { type Use, preflight } from "./preflight";

/**
 * Returns the parts of the lab that the images of a repository need, with the build arguments of the lab's stack. If the images can't be
 * read, that is every part: the program then reports what is wrong.
 */
export function neededParts(root: string = repositoryRoot()): LabParts {
    try {
        const definitions = loadDefinitions(root);
        // A build argument of the stack can decide which root an image is built FROM.
        const file = configFileOf(labStack);
        const config = existsSync(path.join(root, file))
            ? openConfigFile(root, labStack, projectName(root))
            : undefined;
        const buildArgs = readableBuildArgs(config && settingIn(config, "buildArgs"), file);
        const settings = withImageSettings(definitions, { platforms: "declared", roots: {}, buildArgs });
        return partsOf(readImages(openCheckout(root), definitions, settings));
    } catch (error) {
        if (asInputError(error)) return allParts;
        throw error;
    }
}

/** Returns the environment of a stack other than the lab's. */
export const stackEnvironment = async (): Promise<NodeJS.ProcessEnv> => ({
    ...process.env,
    ...(await identityVariables(process.env)),
});

/** Returns the setting `builder` of a stack as its file has it, which names the engines that build its images; undefined without one. */
export function builderSetting(stack: string, root: string = repositoryRoot()): unknown {
    const config = findConfigFile(root, stack, projectName(root));
    return config && settingIn(config, "builder");
}

/** Options of `openStack`. */
export interface OpenOptions {
    /** Name of the stack; the lab's stack by default. */
    readonly stack?: string | undefined;
    /** Whether to set up and start the lab. If false, the lab is used as it is. */
    readonly start: boolean;
    /** How the command uses another stack than the lab's: decides what is checked before. Default: "read". */
    readonly use?: Use;
    /** Options for starting the lab. */
    readonly lab?: StartOptions;
}

/**
 * Opens the lab's stack in the lab's environment, or another stack in the environment of this process.
 *
 * @throws InputError that names all that the run lacks: the stack, its passphrase, a `pulumi` on PATH; or a state that can't be read
 * @throws CommandError if the lab can't be started, or if it was never started and `start` is false
 */
export async function openStack({ stack = labStack, start, use = "read", lab }: OpenOptions): Promise<Engine> {
    const isLab = stack === labStack;
    const labEnv = async () =>
        start ? (await startLab({ ...lab, parts: neededParts() })).env : labEnvironment(await describeLab());
    const env = isLab ? await labEnv() : await stackEnvironment();
    // The address of a database may hold its password, also where `pulumi login` left it.
    hide(passwordsIn(backendAddress(env, repositoryRoot()) ?? ""));
    checkStackFiles(env, repositoryRoot());
    if (!isLab) {
        const check = () => preflight(repositoryRoot(), stack, env, use);
        await progress(`looking for stack ${stack}`, check, { after: 2000 });
    }
    const isCi = stack.split("/").at(-1) === ciStack;
    return engineOn({ stack, isLab, isCi, env, namesBuilder: isLab || builderSetting(stack) !== undefined });
}
