import { readFileSync, readdirSync } from "node:fs";
import { LabError } from "./process";

/** What /proc/<pid>/stat says of a process (proc(5)); undefined when it is gone. */
function readStat(pid: number): { readonly parent: number; readonly started: string } | undefined {
    try {
        const stat = readFileSync(`/proc/${pid.toString()}/stat`, "utf8");
        // The second field, the program's name, may hold spaces and brackets.
        const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return state === "Z" ? undefined : { parent: Number(parent), started: rest[17] ?? "" };
    } catch {
        return undefined;
    }
}

/** Start of a process in clock ticks since boot: a reused pid has another. Undefined when it is gone. */
export const startOf = (pid: number): string | undefined => readStat(pid)?.started;

/** The processes that `pid` started, and those that they started. */
export function descendants(pid: number): number[] {
    const children = new Map<number, number[]>();
    for (const name of readdirSync("/proc")) {
        const parent = /^\d+$/.test(name) ? readStat(Number(name))?.parent : undefined;
        if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    }
    const found = [pid];
    for (const one of found) found.push(...(children.get(one) ?? []));
    return found.slice(1);
}

/**
 * Sends a signal; a process that is gone by now is no error.
 *
 * @throws LabError for a process of another user
 */
export function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
    try {
        process.kill(pid, name);
    } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ESRCH") return;
        if (code !== "EPERM") throw error;
        throw new LabError(
            `process ${pid.toString()} belongs to another user, who started the lab. Run this again as that user.`,
        );
    }
}
