import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { replaceFile } from "./files";
import { startOf } from "./processTable";

const schema = z.object({
    pid: z.int(),
    /** Start of the process in clock ticks since boot: a reused pid has another. */
    started: z.string(),
    /** Hash of the configuration that it was started with. */
    key: z.string(),
});

/** What is written down of a server that was started. */
export type PidFile = z.infer<typeof schema>;

const pidFile = (folder: string, name: string) => path.join(folder, `${name}.pid`);

/** What the server's pid file says; undefined where there is none, or none that can be read (a crash can leave it empty). */
function readPidFile(folder: string, name: string): PidFile | undefined {
    const file = pidFile(folder, name);
    if (!existsSync(file)) return undefined;
    const text = readFileSync(file, "utf8");
    try {
        return schema.safeParse(JSON.parse(text)).data;
    } catch {
        return undefined;
    }
}

/** Writes down which process a server is. */
export const writePidFile = (folder: string, name: string, record: PidFile): void => {
    replaceFile(pidFile(folder, name), JSON.stringify(record));
};

/** Whether the process of a pid file is still the one that was started. */
export const isAlive = ({ pid, started }: PidFile): boolean => startOf(pid) === started;

/** The process that the server's pid file names, if it still runs. */
export function runningProcess(folder: string, name: string): PidFile | undefined {
    const recorded = readPidFile(folder, name);
    return recorded && isAlive(recorded) ? recorded : undefined;
}

/** Removes the server's pid file unless it names a process that lives: one that another run has started meanwhile. */
export function removePidFile(folder: string, name: string): void {
    if (!runningProcess(folder, name)) rmSync(pidFile(folder, name), { force: true });
}

/** Names of the servers that were started in `folder` and not stopped since. */
export function startedServers(folder: string): string[] {
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).filter((name) => name.endsWith(".pid"));
    return names.map((name) => path.basename(name, ".pid")).sort();
}

/** Those of them whose process is gone. */
export const deadServers = (folder: string): string[] =>
    startedServers(folder).filter((name) => runningProcess(folder, name) === undefined);
