import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../errors";

/** A process as /proc/<pid>/stat describes it (proc(5)). */
export interface ProcessStat {
    readonly pid: number;
    /** Its program's name, of which the kernel keeps 15 bytes. */
    readonly name: string;
    /** One letter: "Z" for one that has ended and that its parent has not waited for. */
    readonly state: string;
    readonly parent: number;
    /** CPU time in clock ticks: its own, and that of its children that have ended and that it waited for. */
    readonly ticks: { readonly own: number; readonly children: number };
    /** Its start in clock ticks since boot. */
    readonly started: string;
    /** Resident memory in pages. */
    readonly pages: number;
}

/** Parses the text of /proc/<pid>/stat. */
export function parseStat(text: string): ProcessStat {
    // The second field, the program's name, may hold spaces and brackets.
    const end = text.lastIndexOf(")");
    const fields = text.slice(end + 2).split(" ");
    // The third field of proc(5) is the first of these.
    const field = (number: number) => fields[number - 3] ?? "";
    const sum = (...numbers: number[]) => numbers.reduce((total, number) => total + Number(field(number)), 0);
    return {
        ...{ pid: Number.parseInt(text, 10), name: text.slice(text.indexOf("(") + 1, end) },
        ...{ state: field(3), parent: Number(field(4)), started: field(22), pages: Number(field(24)) },
        ticks: { own: sum(14, 15), children: sum(16, 17) },
    };
}

/** What /proc says of a process; undefined when it is gone. Linux only. */
export function readStat(pid: number): ProcessStat | undefined {
    try {
        const stat = parseStat(readFileSync(`/proc/${pid.toString()}/stat`, "utf8"));
        return stat.state === "Z" ? undefined : stat;
    } catch {
        return undefined;
    }
}

/** What /proc says of all processes that this one can see. Linux only. */
export const readStats = (): ProcessStat[] =>
    readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .flatMap((name) => readStat(Number(name)) ?? []);

/** The command line of a process: its program and arguments. Empty for one that is gone, or has none. Linux only. */
function commandLine(pid: number): string[] {
    try {
        return readFileSync(`/proc/${pid.toString()}/cmdline`, "utf8").split("\0").slice(0, -1);
    } catch {
        return [];
    }
}

/** A variable of the environment that a process was started with; undefined if it has none, or nobody may see it. Linux only. */
export function variableOf(pid: number, name: string): string | undefined {
    try {
        const variables = readFileSync(`/proc/${pid.toString()}/environ`, "utf8").split("\0");
        return variables.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
    } catch {
        return undefined;
    }
}

/**
 * Returns the process that runs a program with this last argument; undefined if there is none. Linux only.
 *
 * @param program its name, with or without folders
 */
export const findProcess = (program: string, lastArgument: string): ProcessStat | undefined =>
    readStats().find(({ pid }) => {
        const [command = "", ...args] = commandLine(pid);
        return args.at(-1) === lastArgument && path.basename(command) === path.basename(program);
    });

/** Start of a process in clock ticks since boot: a reused pid has another. Undefined when it is gone. Linux only. */
export const startOf = (pid: number): string | undefined => readStat(pid)?.started;

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
    return readStats().map(({ pid, name, started }) => {
        return { pid, name, started: (boot + Number(started) / ticksPerSecond) * 1000 };
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
    if (error)
        throw new CommandError(
            `the running processes can't be listed: ps: ${error.message}`,
            "install ps (Debian package procps)",
        );
    return parseProcesses(stdout, Date.now());
}

/** The processes that `pid` started, and those that they started. Linux only. */
export function descendants(pid: number): number[] {
    const children = new Map<number, number[]>();
    for (const one of readStats()) children.set(one.parent, [...(children.get(one.parent) ?? []), one.pid]);
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
