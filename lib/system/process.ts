import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { setMaxListeners } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";
import { CommandError } from "../errors";
import { tail } from "./files";
import { maskStream } from "./mask";

const interruption = new AbortController();
// Every command that runs listens to it, and Node warns of more than ten listeners.
setMaxListeners(0, interruption.signal);

/** Aborted by `interrupt`. */
export const onInterrupt: AbortSignal = interruption.signal;

/** Ends what `run` has started: its callers then clean up after themselves, as after any failure. */
export function interrupt(): void {
    interruption.abort();
}

/**
 * What `work` comes to, unless `interrupt` is called before: what it waits for may take long to answer.
 *
 * @throws CommandError when it is interrupted
 */
export function untilInterrupted<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
        const stop = () => {
            reject(new CommandError("interrupted"));
        };
        if (isInterrupted()) stop();
        onInterrupt.addEventListener("abort", stop, { once: true });
        work.then(resolve, reject).finally(() => {
            onInterrupt.removeEventListener("abort", stop);
        });
    });
}

/** Whether `interrupt` was called. */
export const isInterrupted = (): boolean => interruption.signal.aborted;

/**
 * Runs code of the user, during which Ctrl-C and SIGTERM end this process at once: while code runs without a pause, no handler would be
 * called, so a loop without an end could not be stopped.
 */
export function withDefaultSignals<T>(work: () => T): T {
    const signals = ["SIGINT", "SIGTERM"] as const;
    const handlers = signals.map((name) => [name, process.listeners(name)] as const);
    for (const name of signals) process.removeAllListeners(name);
    try {
        return work();
    } finally {
        for (const [name, listeners] of handlers) for (const listener of listeners) process.on(name, listener);
    }
}

export interface RunOptions {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    /** File that receives stdout and stderr; a failure quotes its end. Without it stdout is returned. */
    readonly log?: string;
}

/** What a command that ended has left. */
export interface Captured {
    /** Why it did not succeed: "exit code 1", "ended by SIGTERM", or that it could not be started. */
    readonly failure: string | undefined;
    readonly stdout: string;
    readonly stderr: string;
}

/**
 * Runs a command to its end, whatever that is; with `log` its output is there.
 *
 * @throws CommandError when it is interrupted
 */
export async function capture(command: string, args: readonly string[], options: RunOptions = {}): Promise<Captured> {
    if (options.log) mkdirSync(path.dirname(options.log), { recursive: true });
    const log = options.log === undefined ? undefined : openSync(options.log, "a");
    try {
        const spawnOptions: SpawnOptions = {
            stdio: ["ignore", log ?? "pipe", log ?? "pipe"],
            signal: onInterrupt,
        };
        if (options.cwd) spawnOptions.cwd = options.cwd;
        if (options.env) spawnOptions.env = options.env;
        const child = spawn(command, args, spawnOptions);
        let stdout = "";
        let stderr = "";
        let unstarted: string | undefined;
        child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
        child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
        child.on("error", (error) => (unstarted = error.message));
        const failure = await new Promise<string | undefined>((resolve) => {
            child.on("close", (code, signal) => {
                const ending = code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${String(code)}`;
                resolve(unstarted ?? ending);
            });
        });
        if (failure !== undefined && isInterrupted()) throw new CommandError("interrupted");
        return { failure, stdout, stderr };
    } finally {
        if (log !== undefined) closeSync(log);
    }
}

/**
 * Runs a command to its end and returns its stdout (empty with `log`).
 *
 * @throws CommandError with the command and the end of its output when it can't be started, fails or is interrupted.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { failure, stdout, stderr } = await capture(command, args, options);
    if (failure === undefined) return stdout;
    const output = options.log
        ? `${tail(options.log)}\n  whole log: ${options.log}`
        : stderr.trimEnd() || stdout.trimEnd();
    throw new CommandError(`${[command, ...args].join(" ")}: ${failure}\n${output}`);
}

/**
 * Waits for the end of a child that shares the user's terminal.
 *
 * @returns its exit code; 128 + n after signal n, 127 where it could not be started
 */
async function attachedEnd(child: ChildProcess, command: string): Promise<number> {
    // The terminal sends Ctrl-C to the child too: it decides how to end, and we report its code.
    const ignore = () => undefined;
    process.on("SIGINT", ignore);
    const forward = () => child.kill("SIGTERM");
    process.on("SIGTERM", forward);
    try {
        return await new Promise<number>((resolve) => {
            child.on("error", (error) => {
                console.error(`error: ${command}: ${error.message}`);
                resolve(127);
            });
            child.on("close", (code, signal) => {
                if (signal === "SIGKILL")
                    console.error(`error: ${command} was killed (SIGKILL), by somebody or for lack of memory`);
                resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
            });
        });
    } finally {
        process.off("SIGINT", ignore);
        process.off("SIGTERM", forward);
    }
}

/** Runs a command on the user's own terminal; resolves to its exit code (128 + n after signal n, 127 if not startable). */
export const runAttached = (command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> =>
    attachedEnd(spawn(command, args, { stdio: "inherit", env }), command);

/** How a command runs whose output is masked. */
export interface MaskedOptions {
    readonly env: NodeJS.ProcessEnv;
    /** What is masked, as `maskStream` takes it. */
    readonly secrets: readonly string[];
    /** Sentences of the command that are left out. */
    readonly unsaid?: readonly string[];
    /** Gets each line of both streams as it was told, without its end. */
    readonly onLine?: (line: string) => void;
    /** Makes what shortens a stream before it is printed. */
    readonly shortener?: () => { readonly write: (piece: string) => string; readonly end: () => string };
}

/** `runAttached`, with secrets masked in all that the command prints. The command itself has no terminal to print on. */
export async function runMasked(command: string, args: readonly string[], options: MaskedOptions): Promise<number> {
    const { env, secrets, unsaid = [], onLine, shortener } = options;
    const child = spawn(command, args, { stdio: ["inherit", "pipe", "pipe"], env });
    const ends = (
        [
            [child.stdout, process.stdout],
            [child.stderr, process.stderr],
        ] as const
    ).map(([from, to]) => {
        const mask = maskStream(secrets);
        const leaveOut = maskStream(unsaid, "");
        const short = shortener?.();
        let line = "";
        const print = (text: string) => {
            if (text !== "") to.write(text);
        };
        const tell = (text: string) => {
            print(short ? short.write(text) : text);
            const lines = (line + text).split("\n");
            line = lines.pop() ?? "";
            for (const one of lines) onLine?.(one);
        };
        from.setEncoding("utf8").on("data", (piece: string) => {
            tell(leaveOut.write(mask.write(piece)));
        });
        return () => {
            tell(leaveOut.write(mask.end()) + leaveOut.end());
            print(short?.end() ?? "");
            if (line !== "") onLine?.(line);
        };
    });
    // Who reads it may have read enough (`| head`): then nothing is left to be told, and the command ends as it would have.
    const stop = () => child.kill("SIGTERM");
    process.stdout.on("error", stop);
    const code = await attachedEnd(child, command);
    process.stdout.off("error", stop);
    for (const end of ends) end();
    return code;
}
