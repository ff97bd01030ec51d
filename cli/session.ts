import { labStack, stackFile } from "../lib/engine/stacks";
import { removeDeadLocks } from "../lib/engine/locks";
import { type Engine, completeOperation, exportStack, readStackFile } from "../lib/engine/pulumi";
import { readSecrets } from "../lib/engine/secrets";
import type { Deployment } from "../lib/engine/state";
import { backendFolder, labPaths } from "../lib/system/paths";
import { runMasked } from "../lib/system/process";
import { elapsed } from "../lib/system/progress";
import { addMask, inActions } from "./actions";
import type { LabOptions } from "./lab";
import { openStack } from "./openStack";

/** Options of the commands that run Pulumi. */
export interface PulumiOptions extends LabOptions {
    /** A stack that is used instead of the lab's, with the `pulumi` and the environment at hand. */
    readonly stack?: string;
}

/** How many of the last lines of output a summary may quote. */
const keptLines = 200;

/** Pulumi on a stack, with everything that it prints masked. */
export interface Session {
    readonly engine: Engine;
    /** What is masked. */
    readonly secrets: readonly string[];
    /** The end of what was printed so far, a line each. */
    readonly printed: string[];
    /** Runs `pulumi <operation> <args>` on the stack, printing what it prints; resolves to its exit code. */
    readonly pulumi: (operation: string, args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<number>;
}

/**
 * Opens the stack, and sees to it that no output of what runs on it holds a secret. Errors as `openStack` and `readSecrets`.
 *
 * @param builds whether images are going to be built
 */
export async function openSession({ stack, ...lab }: PulumiOptions, builds: boolean): Promise<Session> {
    const engine = await openStack({ stack, start: true, lab: { ...lab, builds } });
    if (engine.isLab) for (const line of removeDeadLocks(backendFolder(labPaths()))) console.error(line);
    const secrets = await readSecrets(engine);
    // The runner reads both streams; standard output may be a file, and a terminal would show them.
    if (inActions(process.env) && !process.stderr.isTTY) {
        for (const text of secrets.filter((one) => !one.includes("\n"))) console.error(addMask(text));
    }
    const printed: string[] = [];
    // On a terminal the engine would cut lines to its width, and with them a secret, before they could be masked: it gets no terminal,
    // and is asked for its colours only.
    const colour = process.stdout.isTTY && !process.env.NO_COLOR ? "always" : "never";
    const onLine = (line: string) => {
        printed.push(line);
        if (printed.length > keptLines) printed.shift();
    };
    return {
        engine,
        secrets,
        printed,
        pulumi: (operation, given, environment = engine.env) => {
            const { args, env } = completeOperation(operation, { args: given, env: environment });
            const command = [operation, "--stack", engine.stack, "--color", colour, ...args];
            return runMasked("pulumi", command, { env, secrets, onLine });
        },
    };
}

/** What the stack has deployed. Errors as `exportStack`. */
export const deploymentOf = (engine: Engine): Deployment | Promise<Deployment> =>
    engine.isLab ? readStackFile(stackFile(backendFolder(labPaths()), labStack)) : exportStack(engine);

/**
 * Tells on stderr how long a command took.
 *
 * @param start when it began, in milliseconds since 1970
 * @param ready when everything was set up for Pulumi
 */
export function tellDuration(operation: string, start: number, ready: number): void {
    const [setUp, engine] = [elapsed(ready - start), elapsed(Date.now() - ready)];
    console.error(`${operation}: ready after ${setUp}, pulumi ${operation} took ${engine}`);
}
