import { labEnvironment, stackName } from "../lab/environment";
import { describeLab } from "../lab/labState";
import { LabError, run } from "../lab/process";
import { InputError } from "../lib/errors";
import { type Deployment, parseDeployment } from "../lib/status/state";

/** A stack, and the environment in which plain `pulumi` works on it. */
export interface EngineStack {
    readonly stack: string;
    readonly isLab: boolean;
    readonly env: NodeJS.ProcessEnv;
}

/**
 * The stack to look at: the lab's without a name, in the lab's environment; any other in that of the user. Starts nothing.
 *
 * @throws LabError when the lab was never started
 */
export async function engineStack(stack: string = stackName): Promise<EngineStack> {
    if (stack !== stackName) return { stack, isLab: false, env: process.env };
    return { stack, isLab: true, env: labEnvironment(await describeLab()) };
}

/** Names of the stacks of this project in its backend. */
async function knownStacks({ env }: EngineStack): Promise<string[]> {
    const listed = JSON.parse(await run("pulumi", ["stack", "ls", "--json"], { env })) as { name: string }[];
    return listed.map(({ name }) => name);
}

/**
 * The state of a stack. Its secrets stay encrypted, so that no passphrase is needed.
 *
 * @throws InputError for an unknown stack, with the known ones
 * @throws LabError with Pulumi's own words when it fails otherwise
 */
export async function exportStack(engine: EngineStack): Promise<Deployment> {
    const args = ["stack", "export", "--stack", engine.stack, "--non-interactive"];
    try {
        return parseDeployment(await run("pulumi", args, { env: engine.env }));
    } catch (error) {
        if (!(error instanceof LabError) || !error.message.includes("no stack named")) throw error;
        throw new InputError({
            where: "--stack",
            problem: `there is no stack "${engine.stack}"`,
            allowed: await knownStacks(engine),
        });
    }
}
