import { existsSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { homedir, hostname } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { nameOf, processesNamed, startTime } from "../system/processTable";
import { projectName } from "./stacks";

/** A lock of a stack in a file backend. */
export type StackLock = HeldLock | UnreadableLock;

interface HeldLock {
    readonly pid: number;
    /** When it was taken, as Pulumi wrote it. */
    readonly since: string;
    readonly host: string;
    /** Whether its process ended without removing it: certain on this machine only. */
    readonly isDead: boolean;
}

/** A lock that a crash left empty or cut off: it stops every update of the stack, and does not name its owner. */
interface UnreadableLock {
    readonly file: string;
    readonly reason: string;
    /** Pids of the processes on this machine that may hold it. */
    readonly mayHold: readonly number[];
}

/** Pulumi's lock file of a file backend (pkg/backend/diy/lock.go); other fields do not matter here. */
const schema = z.object({ pid: z.int(), hostname: z.string(), timestamp: z.string() });
type Lock = z.infer<typeof schema>;

/** A lock file: who took the lock, or why that is unknown, and when the file was changed (milliseconds since 1970). */
type LockFile = { readonly file: string } & (
    { readonly lock: Lock } | { readonly reason: string; readonly changed: number }
);

/** Reads a lock file; undefined when it is gone by now. */
function readLock(file: string): LockFile | undefined {
    const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (changed === undefined) return undefined;
    let text: string;
    try {
        text = readFileSync(file, "utf8");
    } catch (error) {
        const { code = "" } = error as NodeJS.ErrnoException;
        return code === "ENOENT" ? undefined : { file, reason: code, changed };
    }
    if (text.trim() === "") return { file, reason: "it is empty", changed };
    try {
        const { data } = schema.safeParse(JSON.parse(text));
        return data ? { file, lock: data } : { file, reason: "it does not name the process that took it", changed };
    } catch {
        return { file, reason: "it is no JSON, or its end is missing", changed };
    }
}

/** Milliseconds by which a lock may look older than the process that wrote it: /proc counts from a whole second. */
const tolerance = 5000;

/** Whether the process that took a lock lives; undefined for a lock of another machine. */
function holderLives({ pid, hostname: host, timestamp }: Lock): boolean | undefined {
    if (host !== hostname()) return undefined;
    const started = startTime(pid);
    if (started === undefined) return false;
    // A process that started after the lock was taken only has the pid of the one that took it. A pulumi is an exception: after
    // somebody set the clock it would look the same, and the lock of a running update must never go.
    return !(started > Date.parse(timestamp) + tolerance) || nameOf(pid) === "pulumi";
}

const locksFolder = (backend: string) => path.join(backend, ".pulumi", "locks");

/**
 * The lock files in a file backend's folder. To Pulumi every file there is a lock, even the temporary file that a pulumi leaves when
 * it is killed while writing. Only files that describe another file (`.attrs`) are not.
 */
function lockFiles(backend: string): LockFile[] {
    const folder = locksFolder(backend);
    if (!existsSync(folder)) return [];
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries
        .filter((entry) => !entry.isDirectory() && !entry.name.endsWith(".attrs"))
        .flatMap((entry) => readLock(path.join(entry.parentPath, entry.name)) ?? []);
}

/**
 * Pids of the processes that hold a lock, or may hold it. Pulumi writes a temporary file, renames it, and only then begins an
 * update, so a crash left a lock that can't be read. It still stays while a pulumi runs that may have written it: one that started
 * before the file was changed and holds no other lock of the backend, because an update holds exactly one.
 *
 * @param all every lock of the backend
 */
function holders(one: LockFile, all: readonly LockFile[]): number[] {
    if ("lock" in one) return holderLives(one.lock) === true ? [one.lock.pid] : [];
    const busy = new Set(all.flatMap((other) => ("lock" in other ? holders(other, all) : [])));
    return processesNamed("pulumi").filter(
        (pid) => !busy.has(pid) && (startTime(pid) ?? Infinity) <= one.changed + tolerance,
    );
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
 * @param stack its name, with or without organization and project
 * @param project its project: in a backend every project may have a stack of this name
 * @returns undefined where the backend is no folder, so that its locks can't be seen
 */
export function stackLocks(
    backend: string | undefined,
    stack: string,
    project: string = projectName(),
): StackLock[] | undefined {
    const state = backendFolder(backend);
    if (state === undefined) return undefined;
    const name = stack.split("/").at(-1) ?? stack;
    // A backend of the old layout knows no projects.
    const folders = [path.join("organization", project, name), name].map((one) => path.join(locksFolder(state), one));
    const all = lockFiles(state);
    return all
        .filter(({ file }) => folders.includes(path.dirname(file)))
        .map((one) => {
            if (!("lock" in one)) return { file: one.file, reason: one.reason, mayHold: holders(one, all) };
            const { pid, hostname: host, timestamp: since } = one.lock;
            return { pid, since, host, isDead: holderLives(one.lock) === false };
        });
}

/**
 * Removes the locks of an `up` that was killed, and locks that a crash left unreadable: Pulumi's locks never expire, so it would
 * refuse every later update of the stack. The lock of a process that lives, or of another machine, stays.
 *
 * @param backend folder of a file backend
 * @returns what was removed, and what could not be although Pulumi stops at it, a line each
 */
export function removeDeadLocks(backend: string): string[] {
    const all = lockFiles(backend);
    const remove = (file: string) => {
        rmSync(file, { force: true });
        rmSync(`${file}.attrs`, { force: true });
    };
    return all.flatMap((one) => {
        const { file } = one;
        if ("lock" in one) {
            if (holderLives(one.lock) !== false) return [];
            remove(file);
            const { pid, timestamp } = one.lock;
            return [`removed the lock of a pulumi that was killed (pid ${pid.toString()}, started ${timestamp})`];
        }
        const mayHold = holders(one, all);
        if (mayHold.length === 0) {
            remove(file);
            return [`removed a lock that no pulumi on this machine can hold: ${file} (${one.reason})`];
        }
        return [
            `note: ${file} is a lock that can't be read (${one.reason}), and pulumi refuses to update its stack. It stays ` +
                `while a pulumi runs that may hold it (pid ${mayHold.join(", ")}).\n` +
                "  next: run this again when that has ended; if that is no update of this stack, remove the file",
        ];
    });
}

/**
 * Pids of the processes that update a stack at this moment: they live, and hold a lock or may hold one that can't be read.
 *
 * @param backend folder of a file backend
 */
export function runningUpdates(backend: string): number[] {
    const all = lockFiles(backend);
    return [...new Set(all.flatMap((one) => holders(one, all)))];
}
