import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
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

/** Start of a process in clock ticks since boot: a reused pid has another. Undefined when it is gone. Linux only. */
export const startOf = (pid: number): string | undefined => readStat(pid)?.started;

/** Pids of all processes that this one can see. Linux only. */
const processes = (): number[] =>
    readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map(Number);

/** Clock ticks of /proc in a second: USER_HZ, which Linux keeps at 100 for programs on both of our architectures. */
const ticksPerSecond = 100;

/** A process of this machine. */
export interface Process {
    readonly pid: number;
    /** Name of its program, without folders. */
    readonly name: string;
    /** Its start in milliseconds since 1970, by the clock of today: a clock that was set since moves it. */
    readonly started: number;
}

function fromProc(): Process[] {
    const boot = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
    return processes().flatMap((pid) => {
        const stat = readStat(pid);
        return stat ? [{ pid, name: stat.name, started: (boot + Number(stat.started) / ticksPerSecond) * 1000 }] : [];
    });
}

/**
 * Reads the output of `ps -A -o pid= -o etime= -o comm=` (POSIX): the time since a process began is [[days-]hours:]minutes:seconds.
 *
 * @param now milliseconds since 1970
 */
export function parseProcesses(output: string, now: number): Process[] {
    const line = /^ *(\d+) +(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+) +(.*)$/gm;
    return [...output.matchAll(line)].map(([, pid, days = 0, hours = 0, minutes, seconds, command = ""]) => {
        const age = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
        return { pid: Number(pid), name: path.basename(command.trim()), started: now - age * 1000 };
    });
}

/**
 * Returns the processes of this machine: from /proc, or from `ps` where the system has none, as on macOS.
 *
 * @throws CommandError if there is neither
 */
export function processTable(): Process[] {
    if (existsSync("/proc/stat")) return fromProc();
    const { stdout, error } = spawnSync("ps", ["-A", "-o", "pid=", "-o", "etime=", "-o", "comm="], {
        encoding: "utf8",
    });
    if (error) throw new CommandError(`the running processes can't be listed: ps: ${error.message}`);
    return parseProcesses(stdout, Date.now());
}

/** The processes that `pid` started, and those that they started. Linux only. */
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
