import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir, hostname } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { StackLock } from "../lib/status/stack";
import type { LabPaths } from "./paths";
import { startOf } from "./processTable";

/** Pulumi's lock file of a file backend (pkg/backend/diy/lock.go); other fields do not matter here. */
const lock = z.object({ pid: z.int(), hostname: z.string(), timestamp: z.string() });

/** The lock in `file`; undefined where there is none that can be read (Pulumi writes other files beside it). */
function readLock(file: string): z.infer<typeof lock> | undefined {
    try {
        return lock.safeParse(JSON.parse(readFileSync(file, "utf8"))).data;
    } catch {
        return undefined;
    }
}

/** The folder of a file backend as Pulumi finds it: `file://~` is the home folder, `file://./state` lies where it runs. */
function backendFolder(backend: string | undefined): string | undefined {
    if (!backend?.startsWith("file://")) return undefined;
    const where = backend.slice("file://".length).replace(/^~(?=\/|$)/, homedir());
    return fileURLToPath(`file://${path.resolve(where)}`);
}

/**
 * The locks of a stack.
 *
 * @param backend its URL, as `pulumi login` takes it
 * @returns undefined where the backend is no folder and its locks can't be seen
 */
export function stackLocks(backend: string | undefined, stack: string): StackLock[] | undefined {
    const state = backendFolder(backend);
    if (state === undefined) return undefined;
    const folder = path.join(state, ".pulumi", "locks");
    if (!existsSync(folder)) return [];
    const name = stack.split("/").at(-1) ?? stack;
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".json") && path.basename(path.dirname(file)) === name)
        .flatMap((file) => readLock(path.join(folder, file)) ?? [])
        .map(({ pid, hostname: host, timestamp: since }) => ({
            pid,
            since,
            host,
            isDead: host === hostname() && startOf(pid) === undefined,
        }));
}

/**
 * Removes the locks that an `up` left which was killed: Pulumi gives them no expiry, so every later one would be refused. The
 * lock of a process that lives, or of another machine, stays.
 *
 * @returns what was removed, a line each
 */
export function removeDeadLocks(paths: LabPaths): string[] {
    const folder = path.join(paths.state, "pulumi", ".pulumi", "locks");
    if (!existsSync(folder)) return [];
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
    return files.flatMap((name) => {
        const file = path.join(folder, name);
        const held = readLock(file);
        if (held?.hostname !== hostname() || startOf(held.pid) !== undefined) return [];
        rmSync(file, { force: true });
        rmSync(`${file}.attrs`, { force: true });
        return [`removed the lock of a pulumi that was killed (pid ${held.pid.toString()}, started ${held.timestamp})`];
    });
}
