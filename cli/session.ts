import { labStack, stackFile } from "../lib/engine/stacks";
import { buildLines } from "../lib/engine/buildLines";
import { backendAddress } from "../lib/engine/fileBackend";
import { cancelAdvice, removeDeadLocks, reportedLocks, stackLocks, updatedBy } from "../lib/engine/locks";
import { type Engine, completeOperation, exportStack, forPulumi, readStackFile } from "../lib/engine/pulumi";
import { readSecrets } from "../lib/engine/secrets";
import type { Deployment } from "../lib/engine/state";
import { InputError } from "../lib/errors";
import { saysRefused } from "../lib/policy/rules";
import { guide } from "../lib/system/guide";
import { inActions } from "../lib/system/inActions";
import { backendFolder, labPaths, repositoryRoot } from "../lib/system/paths";
import { isInterrupted, runMasked } from "../lib/system/process";
import { elapsed, progress } from "../lib/system/progress";
import { maskInLog } from "./actions";
import { exit } from "./exitCodes";
import type { LabOptions } from "./lab";
import { lockMark, removeEndedLocks } from "./locks";
import { openStack } from "./openStack";

/** Options of the commands that run Pulumi. */
export interface PulumiOptions extends LabOptions {
    /** Stack to use instead of the lab's, with the `pulumi` on PATH and the environment of this process. */
    readonly stack?: string;
    /** Stack whose settings it has, and is made with if it does not exist. */
    readonly settingsOf?: string;
}

/** Number of output lines, counted from the end, that are kept for the summary. */
const keptLines = 200;

/** Runs Pulumi on a stack and masks secrets in its output. */
export interface Session {
    readonly engine: Engine;
    /** Texts that are masked. */
    readonly secrets: readonly string[];
    /** The last lines that were printed. */
    readonly printed: string[];
    /** Runs `pulumi <operation> <args>` on the stack and prints its masked output; resolves to the exit code. */
    readonly pulumi: (operation: string, args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<number>;
    /** To be called when the last operation has ended. */
    readonly close: () => Promise<void>;
}

/** Refuses to begin an update while another one runs. Pulumi would refuse too, and say how to remove the lock of what runs. */
function refuseSecond({ stack, env }: Engine): void {
    // In GitHub Actions, GitHub says whether the job of another machine has ended: `removeEndedLocks`, once Pulumi has refused.
    const options = { elsewhere: !inActions(env) };
    const running = updatedBy(stackLocks(backendAddress(env, repositoryRoot()), stack) ?? [], options);
    if (running.length === 0) return;
    throw new InputError({
        problem: `stack ${stack} is being updated: ${running.join("; ")}`,
        next: `wait until that has ended, then run the same command again (if it ended on another machine: ${guide("lock")})`,
    });
}

/**
 * Opens the stack and masks its secrets in all output. Throws the errors of `openStack` and `readSecrets`, and refuses an update beside
 * another one.
 *
 * @param builds whether the command will build images
 */
export async function openSession({ stack, ...lab }: PulumiOptions, builds: boolean): Promise<Session> {
    const engine = await openStack({ stack, start: true, use: builds ? "update" : "review", lab: { ...lab, builds } });
    if (engine.isLab) for (const line of removeDeadLocks(backendFolder(labPaths()))) console.error(line);
    if (builds) refuseSecond(engine);
    const reading = () => readSecrets(engine);
    const secrets = await progress(`reading the configuration of stack ${engine.stack}`, reading, { after: 2000 });
    // A terminal would display the secrets.
    if (inActions(process.env) && !process.stderr.isTTY) maskInLog(secrets.filter((text) => !text.includes("\n")));
    const printed: string[] = [];
    // On a terminal the engine would truncate lines to the terminal's width, and a truncated secret can't be masked. So the engine gets no
    // terminal, only the option for colours.
    const colour = process.stdout.isTTY && !process.env.NO_COLOR ? "always" : "never";
    const mark = lockMark(engine);
    return {
        engine,
        secrets,
        printed,
        pulumi: async (operation, userArgs, environment = engine.env) => {
            const given = { args: userArgs, env: forPulumi(engine, environment) };
            const { args, env } = completeOperation(operation, given);
            const command = [operation, "--stack", engine.stack, "--color", colour, ...args];
            let reported = "";
            const onLine = (line: string) => {
                printed.push(line);
                if (printed.length > keptLines) printed.shift();
                if (reportedLocks(line).length > 0) reported += `${line}\n`;
            };
            const run = () =>
                runMasked("pulumi", command, { env, secrets, unsaid: [cancelAdvice], onLine, shortener: buildLines });
            if (operation !== "preview") await mark.add();
            const code = await run();
            return code !== 0 && (await removeEndedLocks(engine, reported)) ? await run() : code;
        },
        close: () => mark.remove(),
    };
}

/** Reads the stack's deployment. Throws the errors of `exportStack`. */
export const deploymentOf = (engine: Engine): Deployment | Promise<Deployment> =>
    engine.isLab ? readStackFile(stackFile(backendFolder(labPaths()), labStack)) : exportStack(engine);

/**
 * Returns the exit code of a command that ran Pulumi: Pulumi's own, unless the stack's policy refused something, or Ctrl-C or SIGTERM kept it
 * from its end, which is then said.
 *
 * @param code Pulumi's exit code
 * @param printed the last lines that it printed
 */
export function endOf(operation: "up" | "preview", code: number, printed: readonly string[]): number {
    if (code !== exit.done && printed.some(saysRefused)) return exit.dangerous;
    if (!isInterrupted() || code === exit.done) return code;
    const next = "what was tested is promoted, nothing else is, and the next `up` does the rest";
    console.error(`error: interrupted${operation === "up" ? `: ${next}` : ""}`);
    return exit.interrupted;
}

/**
 * Prints to stderr how long a command took.
 *
 * @param start when the command began, in milliseconds since 1970
 * @param ready when the setup for Pulumi was complete, in milliseconds since 1970
 */
export function reportDuration(operation: string, start: number, ready: number): void {
    const [setUp, engine] = [elapsed(ready - start), elapsed(Date.now() - ready)];
    console.error(`${operation}: ready after ${setUp}, pulumi ${operation} took ${engine}`);
}
