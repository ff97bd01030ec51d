import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readdirSync, rmdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { typed } from "../../lib/system/commandLine";
import { CommandError } from "../../lib/errors";
import { replaceFile, tail } from "../../lib/system/files";
import { isAlive, removePidFile, runningProcess, writePidFile } from "../../lib/system/pidFiles";
import { descendants, findProcess, signal, startOf } from "../../lib/system/processTable";

/** A server of the lab: how to start it, and how to check whether it is ready. */
export interface Server {
    readonly name: string;
    readonly command: string;
    readonly args: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
    /** Configuration file and its text. A changed text restarts a running server. */
    readonly config: { readonly file: string; readonly text: string };
    /** Folder for its temporary files (TMPDIR). */
    readonly temporary?: string;
    /** Text that identifies other settings whose change must restart the server (certificates, platforms). */
    readonly dependsOn?: string;
    /** Resolves if the server is ready, and rejects with the reason if it is not. */
    readonly check: () => Promise<void>;
    /** Returns the next step for a start that failed, from what the server logged; undefined if that needs no explanation. */
    readonly advice?: (log: string) => string | undefined;
}

/** How a server's process is recognised: by its program, and by its configuration file as the last argument. */
export interface ServerProcess extends Pick<Server, "name" | "command"> {
    readonly config: Pick<Server["config"], "file">;
}

/**
 * Looks for the process of a server whose pid file is missing or damaged, and writes that file again. With which configuration the process
 * was started is not known, so the next start starts the server anew.
 */
export function recoverPidFile(folder: string, { name, command, config }: ServerProcess): void {
    if (runningProcess(folder, name)) return;
    const found = findProcess(command, config.file);
    if (found) writePidFile(folder, name, { pid: found.pid, started: found.started, key: "" });
}

export type ServerStatus =
    | { readonly state: "running"; readonly pid: number }
    | { readonly state: "stopped" }
    | { readonly state: "unhealthy"; readonly pid: number; readonly reason: string };

const logFile = (folder: string, name: string) => path.join(folder, `${name}.log`);

function keyOf(server: Server): string {
    const parts = [server.command, server.args, server.config.text, server.dependsOn ?? ""];
    return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Returns whether the server runs, and whether it is ready. */
export async function serverStatus(folder: string, server: Server): Promise<ServerStatus> {
    const running = runningProcess(folder, server.name);
    if (!running) return { state: "stopped" };
    try {
        await server.check();
        return { state: "running", pid: running.pid };
    } catch (error) {
        return { state: "unhealthy", pid: running.pid, reason: reasonOf(error) };
    }
}

/** Returns whether a server is ready. Waits up to 15 seconds, because a server that is busy with builds responds slowly. */
async function isReady(folder: string, server: Server): Promise<boolean> {
    const deadline = Date.now() + 15_000;
    for (;;) {
        const { state } = await serverStatus(folder, server);
        if (state !== "unhealthy") return state === "running";
        if (Date.now() > deadline) return false;
        await sleep(500);
    }
}

const answers = (server: Server): Promise<boolean> =>
    server.check().then(
        () => true,
        () => false,
    );

/** Creates the folder, and removes empty mount points of a killed server. Mounted and non-empty folders stay. */
function tidyTemporary(folder: string): void {
    mkdirSync(folder, { recursive: true });
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (!entry.isDirectory()) continue;
        try {
            rmdirSync(path.join(folder, entry.name));
        } catch (error) {
            if (!["ENOTEMPTY", "EBUSY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
        }
    }
}

/**
 * Starts the server unless it is ready and has this configuration. A server that is dead, hangs or has a different configuration is
 * restarted.
 *
 * @param keep keeps a ready server with a different configuration, because a running update uses it
 * @returns "started" if the server was started, "same" if it was ready, "kept" if it continues with a different configuration
 * @throws CommandError with the end of its log if the server is not ready within 30 seconds, and for one that runs where this process can't
 *     see it
 */
export async function startServer(folder: string, server: Server, keep = false): Promise<"started" | "same" | "kept"> {
    recoverPidFile(folder, server);
    const running = runningProcess(folder, server.name);
    const isSame = running?.key === keyOf(server);
    if ((isSame || keep) && (await isReady(folder, server))) return isSame ? "same" : "kept";
    await stopServer(folder, server.name);
    if (await answers(server)) {
        throw new CommandError(
            `${server.name} answers already, and its process can't be seen from here: it may run in a container, or outside of this one.\n` +
                "  next: stop the lab there, or set LAYERED_IMAGES_HOME to a folder for a lab of its own here",
        );
    }
    replaceFile(server.config.file, server.config.text);
    mkdirSync(folder, { recursive: true });
    if (server.temporary !== undefined) tidyTemporary(server.temporary);
    const output = openSync(logFile(folder, server.name), "a");
    const logged = fstatSync(output).size;
    // Detached into a new session: Ctrl-C in the terminal must not end the server; `npm run down` stops it.
    const child = spawn(server.command, server.args, {
        detached: true,
        stdio: ["ignore", output, output],
        env: { ...(server.env ?? process.env), ...(server.temporary !== undefined && { TMPDIR: server.temporary }) },
    });
    closeSync(output);
    let ended: string | undefined;
    child.on("error", (error) => (ended = error.message));
    child.on("exit", (code, signal) => (ended = `it ended with ${signal ?? `exit code ${String(code)}`}`));
    child.unref();
    if (child.pid !== undefined) {
        const { pid } = child;
        writePidFile(folder, server.name, { pid, started: startOf(pid) ?? "", key: keyOf(server) });
    }
    let reason = "no answer";
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline && ended === undefined) {
        try {
            await server.check();
            return "started";
        } catch (error) {
            reason = reasonOf(error);
        }
        await sleep(100);
    }
    await stopServer(folder, server.name);
    const log = logFile(folder, server.name);
    const next = server.advice?.(readFileSync(log).subarray(logged).toString());
    throw new CommandError(
        `${server.name} did not start: ${ended ?? reason}
${tail(log)}
  whole log: ${log}`,
        next ?? `mend what the log says, then: ${typed("lab", "start")}`,
    );
}

/**
 * Stops a server and waits until it has ended. Its data and log stay. Its child processes are killed: BuildKit would wait for its build
 * steps, and leaves them running if it is killed itself.
 *
 * @returns whether the server was running
 * @throws CommandError for a server of another user
 */
export async function stopServer(folder: string, name: string): Promise<boolean> {
    const running = runningProcess(folder, name);
    if (running) {
        signal(running.pid, "SIGTERM");
        const deadline = Date.now() + 20_000;
        while (isAlive(running)) {
            for (const pid of descendants(running.pid)) signal(pid, "SIGKILL");
            if (Date.now() > deadline) signal(running.pid, "SIGKILL");
            await sleep(50);
        }
    }
    removePidFile(folder, name);
    return running !== undefined;
}
