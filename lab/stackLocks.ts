import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir, hostname } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { StackLock } from "../lib/status/stack";
import type { LabPaths } from "./paths";
import { nameOf, startTime } from "./processTable";

/** Pulumi's lock file of a file backend (pkg/backend/diy/lock.go); other fields do not matter here. */
const schema = z.object({ pid: z.int(), hostname: z.string(), timestamp: z.string() });
type Lock = z.infer<typeof schema>;

/** The lock in `file`; undefined where there is none that can be read (Pulumi writes other files beside it). */
function readLock(file: string): Lock | undefined {
    try {
        return schema.safeParse(JSON.parse(readFileSync(file, "utf8"))).data;
    } catch {
        return undefined;
    }
}

/** Milliseconds by which a lock may look older than the process that wrote it: /proc counts from a whole second. */
const tolerance = 5000;

/** Whether the process that took a lock lives; undefined for one of another machine, of which nothing is known. */
function holderLives({ pid, hostname: host, timestamp }: Lock): boolean | undefined {
    if (host !== hostname()) return undefined;
    const started = startTime(pid);
    if (started === undefined) return false;
    // Whoever started after the lock was taken only got the pid of who took it. Not so a pulumi: a clock that was set
    // looks the same, and the lock of an update that runs must never go.
    return !(started > Date.parse(timestamp) + tolerance) || nameOf(pid) === "pulumi";
}

/** The lock files in a file backend's folder. */
function lockFiles(backend: string): string[] {
    const folder = path.join(backend, ".pulumi", "locks");
    if (!existsSync(folder)) return [];
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return files.filter((name) => name.endsWith(".json")).map((name) => path.join(folder, name));
}

const backendOf = (paths: LabPaths) => path.join(paths.state, "pulumi");

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
    const name = stack.split("/").at(-1) ?? stack;
    return lockFiles(state)
        .filter((file) => path.basename(path.dirname(file)) === name)
        .flatMap((file) => readLock(file) ?? [])
        .map((held) => {
            const { pid, hostname: host, timestamp: since } = held;
            return { pid, since, host, isDead: holderLives(held) === false };
        });
}

/**
 * Removes the locks that an `up` left which was killed: Pulumi gives them no expiry, so every later one would be refused. The
 * lock of a process that lives, or of another machine, stays.
 *
 * @returns what was removed, a line each
 */
export function removeDeadLocks(paths: LabPaths): string[] {
    return lockFiles(backendOf(paths)).flatMap((file) => {
        const held = readLock(file);
        if (held === undefined || holderLives(held) !== false) return [];
        rmSync(file, { force: true });
        rmSync(`${file}.attrs`, { force: true });
        return [`removed the lock of a pulumi that was killed (pid ${held.pid.toString()}, started ${held.timestamp})`];
    });
}

/** Pids of what updates a stack of the lab at this moment: whatever holds a lock and lives. */
export const runningUpdates = (paths: LabPaths): number[] =>
    lockFiles(backendOf(paths))
        .flatMap((file) => readLock(file) ?? [])
        .filter((held) => holderLives(held) === true)
        .map(({ pid }) => pid);
