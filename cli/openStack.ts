import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { loadDefinitions } from "../definitions";
import { labEnvironment } from "../lab/environment";
import { type StartOptions, startLab } from "../lab/lab";
import { describeLab } from "../lab/labState";
import { partsOf } from "../lab/parts";
import { type LabParts, allParts } from "../lab/toolchain/packages";
import { type Engine, engineError, engineOn, runPulumi } from "../lib/engine/pulumi";
import { configFileOf, openConfigFile, settingIn } from "../lib/engine/configFile";
import { ciStack, labStack, projectName } from "../lib/engine/stacks";
import { InputError, asInputError } from "../lib/errors";
import { openCheckout } from "../lib/context/checkout";
import { readImages } from "../lib/hierarchy/prepare";
import { withImageSettings } from "../lib/hierarchy/settings";
import { repositoryRoot } from "../lib/system/paths";
import { progress } from "../lib/system/progress";
import { isAtLeast, versionIn } from "../lib/system/versions";
import { readableBuildArgs } from "../workflows/ciStack";

const stacks = z.array(z.object({ name: z.string() }));

/**
 * Parses the output of `pulumi stack ls --json`.
 *
 * @returns the names of the stacks
 * @throws SyntaxError or z.ZodError if the text is not such a list
 */
export const knownStacks = (text: string): string[] => stacks.parse(JSON.parse(text)).map(({ name }) => name);

/** Oldest CLI that supports the error hooks that the program registers through its SDK. */
const oldestCli = "3.248.0";

async function checkCli(env: NodeJS.ProcessEnv): Promise<void> {
    const { failure, stdout } = await runPulumi(["version"], env);
    const version = versionIn(stdout);
    if (failure !== undefined || version === undefined) {
        throw new InputError({
            problem: `pulumi can't be run (${failure ?? `it printed ${stdout.trim()}`})`,
            next: "install it (https://www.pulumi.com/docs/install), or leave --stack out to use the lab's",
        });
    }
    if (!isAtLeast(version, oldestCli)) {
        throw new InputError({
            problem: `pulumi ${version} is too old for this program`,
            allowed: [`${oldestCli} and later`],
            next: "update it: https://www.pulumi.com/docs/install",
        });
    }
}

async function checkStack(env: NodeJS.ProcessEnv, stack: string): Promise<void> {
    const listed = await runPulumi(["stack", "ls", "--json", "--non-interactive"], env);
    if (listed.failure !== undefined) throw engineError("the stacks can't be listed", listed);
    const known = knownStacks(listed.stdout);
    if (known.some((name) => name === stack || name.endsWith(`/${stack}`) || stack.endsWith(`/${name}`))) return;
    throw new InputError({
        problem: `there is no stack "${stack}" of this project where pulumi is logged in`,
        allowed: known,
        next: `pulumi stack init ${stack}, or pulumi login <backend>`,
    });
}

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

/** Options of `openStack`. */
export interface OpenOptions {
    /** Name of the stack; the lab's stack by default. */
    readonly stack?: string | undefined;
    /** Whether to set up and start the lab. If false, the lab is used as it is. */
    readonly start: boolean;
    /** Options for starting the lab. */
    readonly lab?: StartOptions;
}

/**
 * Opens the lab's stack in the lab's environment, or another stack in the environment of this process.
 *
 * @throws InputError if the stack does not exist, or the `pulumi` on PATH is missing or too old
 * @throws CommandError if the lab can't be started, or if it was never started and `start` is false
 */
export async function openStack({ stack = labStack, start, lab }: OpenOptions): Promise<Engine> {
    const isLab = stack === labStack;
    const labEnv = async () =>
        start ? (await startLab({ ...lab, parts: neededParts() })).env : labEnvironment(await describeLab());
    const env = isLab ? await labEnv() : process.env;
    if (!isLab) {
        const check = async () => {
            await checkCli(env);
            await checkStack(env, stack);
        };
        await progress(`looking for stack ${stack}`, check, { after: 2000 });
    }
    return engineOn({ stack, isLab, isCi: stack.split("/").at(-1) === ciStack, env });
}
