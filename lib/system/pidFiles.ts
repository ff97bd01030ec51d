import { existsSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { replaceFile } from "./files";
import { readKeptJson, valueOf } from "./kept";
import { startOf } from "./processTable";

const schema = z.object({
    pid: z.int(),
    /** Start of the process in clock ticks since boot; it differs if the pid was reused. */
    started: z.string(),
    /** Hash of the configuration with which the server was started. */
    key: z.string(),
});

/** The content of a server's pid file. */
export type PidFile = z.infer<typeof schema>;

const pidFile = (folder: string, name: string) => path.join(folder, `${name}.pid`);

/** Reads a server's pid file; undefined if it is missing or damaged: `startServer` then looks for a server that answers. */
const readPidFile = (folder: string, name: string): PidFile | undefined =>
    valueOf(readKeptJson(pidFile(folder, name), schema));

/** Writes a server's pid file. */
export const writePidFile = (folder: string, name: string, record: PidFile): void => {
    replaceFile(pidFile(folder, name), JSON.stringify(record));
};

/** Whether the process of a pid file is still running. */
export const isAlive = ({ pid, started }: PidFile): boolean => startOf(pid) === started;

/** Returns the process of a server's pid file if it is still running. */
export function runningProcess(folder: string, name: string): PidFile | undefined {
    const recorded = readPidFile(folder, name);
    return recorded && isAlive(recorded) ? recorded : undefined;
}

/** Removes a server's pid file, unless another run has just started the server again. */
export function removePidFile(folder: string, name: string): void {
    if (!runningProcess(folder, name)) rmSync(pidFile(folder, name), { force: true });
}

/** Returns the names of the servers that were started and not stopped, from the pid files in `folder`. */
export function startedServers(folder: string): string[] {
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).filter((name) => name.endsWith(".pid"));
    return names.map((name) => path.basename(name, ".pid")).sort();
}

/** Returns the names of started servers whose process has ended. */
export const deadServers = (folder: string): string[] =>
    startedServers(folder).filter((name) => runningProcess(folder, name) === undefined);
