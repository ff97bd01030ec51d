import { execFileSync } from "node:child_process";
import { setInterval } from "node:timers";
import { type ProcessStat, readStat, readStats } from "../lib/system/processTable";

/**
 * Returns the processes below one of them, without those at and below `except`.
 *
 * @param pid the process whose descendants are returned; it is not among them
 */
export function below(processes: readonly ProcessStat[], pid: number, except: readonly number[]): ProcessStat[] {
    const children = processes.filter((one) => one.parent === pid && !except.includes(one.pid));
    return children.flatMap((child) => [child, ...below(processes, child.pid, except)]);
}

/** A unit of the kernel, as getconf(1) knows it. */
const unit = (name: "CLK_TCK" | "PAGESIZE") => Number(execFileSync("getconf", [name], { encoding: "utf8" }));
const ticksPerSecond = unit("CLK_TCK");
const pageSize = unit("PAGESIZE");

/** Returns the CPU seconds of a running server and of the children that it has waited for; 0 if it does not run. */
export function serverSeconds(pid: number): number {
    const { ticks = { own: 0, children: 0 } } = readStat(pid) ?? {};
    return (ticks.own + ticks.children) / ticksPerSecond;
}

/** Returns the CPU seconds of all ended children of this process, and of all that those waited for. */
export const endedChildrenSeconds = (): number => (readStat(process.pid)?.ticks.children ?? 0) / ticksPerSecond;

/**
 * Watches the memory of everything that this process started.
 *
 * @param except processes that are left out, with their descendants
 * @returns a function that ends it and returns the most memory that they held together, in bytes
 */
export function watchMemory(except: readonly number[]): () => number {
    let most = 0;
    const sample = () => {
        const pages = below(readStats(), process.pid, except).reduce((sum, one) => sum + one.pages, 0);
        most = Math.max(most, pages * pageSize);
    };
    const timer = setInterval(sample, 100);
    return () => {
        clearInterval(timer);
        return most;
    };
}
