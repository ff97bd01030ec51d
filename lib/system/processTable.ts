import { readFileSync, readdirSync } from "node:fs";
import { CommandError } from "../errors";

/** A process as /proc/<pid>/stat describes it. */
interface Stat {
    /** Its program's name, of which the kernel keeps 15 bytes. */
    readonly name: string;
    readonly parent: number;
    /** Its start in clock ticks since boot. */
    readonly started: string;
}

/** What /proc/<pid>/stat says of a process (proc(5)); undefined when it is gone. */
function readStat(pid: number): Stat | undefined {
    try {
        const stat = readFileSync(`/proc/${pid.toString()}/stat`, "utf8");
        // The second field, the program's name, may hold spaces and brackets.
        const end = stat.lastIndexOf(")");
        const [state, parent, ...rest] = stat.slice(end + 2).split(" ");
        const name = stat.slice(stat.indexOf("(") + 1, end);
        return state === "Z" ? undefined : { name, parent: Number(parent), started: rest[17] ?? "" };
    } catch {
        return undefined;
    }
}

/** Start of a process in clock ticks since boot: a reused pid has another. Undefined when it is gone. */
export const startOf = (pid: number): string | undefined => readStat(pid)?.started;

/** Name of the program that a process runs; undefined when it is gone. */
export const nameOf = (pid: number): string | undefined => readStat(pid)?.name;

/** Clock ticks of /proc in a second: USER_HZ, which Linux keeps at 100 for programs on both of our architectures. */
const ticksPerSecond = 100;

/**
 * When a process started, in milliseconds since 1970 by the clock of today (a clock that was set since moves it);
 * undefined when the process is gone.
 */
export function startTime(pid: number): number | undefined {
    const started = startOf(pid);
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1];
    return started === undefined ? undefined : (Number(boot) + Number(started) / ticksPerSecond) * 1000;
}

/** Pids of all processes that this one can see. */
const processes = (): number[] =>
    readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map(Number);

/** Pids of the processes that run a program of this name. */
export const processesNamed = (name: string): number[] => processes().filter((pid) => nameOf(pid) === name);

/** The processes that `pid` started, and those that they started. */
export function descendants(pid: number): number[] {
    const children = new Map<number, number[]>();
    for (const one of processes()) {
        const parent = readStat(one)?.parent;
        if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), one]);
    }
    const found = [pid];
    for (const one of found) found.push(...(children.get(one) ?? []));
    return found.slice(1);
}

/**
 * Sends a signal; a process that is gone by now is no error.
 *
 * @throws CommandError for a process of another user
 */
export function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
    try {
        process.kill(pid, name);
    } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ESRCH") return;
        if (code !== "EPERM") throw error;
        throw new CommandError(
            `process ${pid.toString()} belongs to another user, who started the lab. Run this again as that user.`,
        );
    }
}
