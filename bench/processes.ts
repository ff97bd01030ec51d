import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setInterval } from "node:timers";

/** What /proc/<pid>/stat says of a process (proc(5)). */
export interface Process {
    readonly pid: number;
    readonly parent: number;
    /** CPU time in clock ticks: its own, and that of its children that have ended and that it waited for. */
    readonly ticks: { readonly own: number; readonly children: number };
    /** Resident memory in pages. */
    readonly pages: number;
}

/** Parses the text of /proc/<pid>/stat. */
export function parseStat(text: string): Process {
    // The second field, the program's name, may hold spaces and brackets.
    const end = text.lastIndexOf(")");
    const fields = text.slice(end + 2).split(" ");
    // The third field of proc(5) is the first of these.
    const field = (number: number) => Number(fields[number - 3]);
    return {
        pid: Number.parseInt(text, 10),
        parent: field(4),
        ticks: { own: field(14) + field(15), children: field(16) + field(17) },
        pages: field(24),
    };
}

/** Returns a process, or undefined if it has ended. */
function readProcess(pid: number | string): Process | undefined {
    try {
        return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
        return undefined;
    }
}

const readProcesses = (): Process[] =>
    readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .flatMap((name) => readProcess(name) ?? []);

/**
 * Returns the processes below one of them, without those at and below `except`.
 *
 * @param pid the process whose descendants are returned; it is not among them
 */
export function below(processes: readonly Process[], pid: number, except: readonly number[]): Process[] {
    const children = processes.filter((one) => one.parent === pid && !except.includes(one.pid));
    return children.flatMap((child) => [child, ...below(processes, child.pid, except)]);
}

/** A unit of the kernel, as getconf(1) knows it. */
const unit = (name: "CLK_TCK" | "PAGESIZE") => Number(execFileSync("getconf", [name], { encoding: "utf8" }));
const ticksPerSecond = unit("CLK_TCK");
const pageSize = unit("PAGESIZE");

/** Returns the CPU seconds of a running server and of the children that it has waited for; 0 if it does not run. */
export function serverSeconds(pid: number): number {
    const { ticks = { own: 0, children: 0 } } = readProcess(pid) ?? {};
    return (ticks.own + ticks.children) / ticksPerSecond;
}

/** Returns the CPU seconds of all ended children of this process, and of all that those waited for. */
export const endedChildrenSeconds = (): number => (readProcess(process.pid)?.ticks.children ?? 0) / ticksPerSecond;

/**
 * Watches the memory of everything that this process started.
 *
 * @param except processes that are left out, with their descendants
 * @returns a function that ends it and returns the most memory that they held together, in bytes
 */
export function watchMemory(except: readonly number[]): () => number {
    let most = 0;
    const sample = () => {
        const pages = below(readProcesses(), process.pid, except).reduce((sum, one) => sum + one.pages, 0);
        most = Math.max(most, pages * pageSize);
    };
    const timer = setInterval(sample, 100);
    return () => {
        clearInterval(timer);
        return most;
    };
}
