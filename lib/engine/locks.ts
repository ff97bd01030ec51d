import { existsSync, readdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { z } from "zod";
import { readKept } from "../system/files";
import { inActions } from "../system/inActions";
import { processTable, variableOf } from "../system/processTable";
import { fileBackend } from "./fileBackend";
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

/**
 * A lock file that a crash left empty or truncated: it blocks every update of the stack and does not name its owner.
 */
interface UnreadableLock {
    readonly file: string;
    readonly reason: string;
    /** Pids of the processes on this machine that may hold it. */
    readonly mayHold: readonly number[];
}

/** The lock file that Pulumi writes in a file backend (pkg/backend/diy/lock.go), reduced to the fields used here. */
const schema = z.object({ pid: z.int(), hostname: z.string(), timestamp: z.string() });
type Lock = z.infer<typeof schema>;

/**
 * A lock file: its content, or the reason why it can't be read and the file's modification time (milliseconds since
 * 1970).
 */
type LockFile = { readonly file: string } & (
    { readonly lock: Lock } | { readonly reason: string; readonly changed: number }
);

/** Reads a lock file; undefined if it no longer exists. */
function readLock(file: string): LockFile | undefined {
    const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (changed === undefined) return undefined;
    const kept = readKept(file, (text) => {
        const { data } = schema.safeParse(JSON.parse(text));
        if (data) return data;
        throw new Error("it does not name the process that took it");
    });
    if (kept === undefined) return undefined;
    return "value" in kept ? { file, lock: kept.value } : { file, reason: kept.damage, changed };
}

/** Milliseconds by which a lock may look older than the process that wrote it: the process table counts in seconds. */
const tolerance = 5000;

/** Whether the process that took a lock lives; undefined for a lock of another machine. */
function holderLives({ pid, hostname: host, timestamp }: Lock): boolean | undefined {
    if (host !== hostname()) return undefined;
    const holder = processTable().find((one) => one.pid === pid);
    if (!holder) return false;
    // A process that started after the lock was taken has merely reused the pid of the process that took it. A process
    // named pulumi is an exception: after a change of the clock it would look the same, and the lock of a running
    // update must never be removed.
    return !(holder.started > Date.parse(timestamp) + tolerance) || holder.name === "pulumi";
}

const locksFolder = (backend: string) => path.join(backend, ".pulumi", "locks");

/**
 * Reads the lock files in a file backend's folder. To Pulumi every file there is a lock, even the temporary file that a
 * pulumi process leaves when it is killed while writing. The only exceptions are files that describe another file
 * (`.attrs`).
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
 * Whether a process was started for another backend than this folder, as its environment says. A relative path, and one in a home folder,
 * say nothing: they are that process' own.
 */
function isForAnother(pid: number, backend: string): boolean {
    const url = variableOf(pid, "PULUMI_BACKEND_URL");
    if (!url || /^file:\/\/(?!\/)/.test(url)) return false;
    const folder = fileBackend(url);
    return folder === undefined || !existsSync(folder) || realpathSync(folder) !== realpathSync(backend);
}

/**
 * Returns the pids of the processes that hold a lock or may hold it. Pulumi writes a temporary file, renames it, and
 * only then begins an update, so an unreadable lock is the remainder of a crash. It is kept all the same while a pulumi
 * process runs that may have written it: a process that uses this backend, started before the file was changed and holds no
 * other lock of the backend, because an update holds exactly one lock.
 *
 * @param backend its folder
 * @param backendLocks every lock of the backend
 */
function holders(backend: string, lockFile: LockFile, backendLocks: readonly LockFile[]): number[] {
    if ("lock" in lockFile) return holderLives(lockFile.lock) === true ? [lockFile.lock.pid] : [];
    const busy = new Set(
        backendLocks.flatMap((other) => ("lock" in other ? holders(backend, other, backendLocks) : [])),
    );
    return processTable()
        .filter(({ name, started }) => name === "pulumi" && started <= lockFile.changed + tolerance)
        .map(({ pid }) => pid)
        .filter((pid) => !busy.has(pid) && !isForAnother(pid, backend));
}

/**
 * Returns the locks of a stack.
 *
 * @param backend URL of the backend, as `pulumi login` takes it
 * @param stack name of the stack, with or without organization and project
 * @param project project of the stack: every project of a backend may have a stack of this name
 * @returns undefined if the backend is not a folder, because its locks are then not visible
 */
export function stackLocks(
    backend: string | undefined,
    stack: string,
    project: string = projectName(),
): StackLock[] | undefined {
    const state = fileBackend(backend);
    if (state === undefined) return undefined;
    const name = stack.split("/").at(-1) ?? stack;
    // A backend of the old layout has no folders for projects.
    const folders = [path.join("organization", project, name), name].map((folder) =>
        path.join(locksFolder(state), folder),
    );
    const backendLocks = lockFiles(state);
    return backendLocks
        .filter(({ file }) => folders.includes(path.dirname(file)))
        .map((lockFile) => {
            if (!("lock" in lockFile)) {
                return {
                    file: lockFile.file,
                    reason: lockFile.reason,
                    mayHold: holders(state, lockFile, backendLocks),
                };
            }
            const { pid, hostname: host, timestamp: since } = lockFile.lock;
            return { pid, since, host, isDead: holderLives(lockFile.lock) === false };
        });
}

/**
 * Returns who updates a stack, as far as its locks say: "pid 12 of this machine, since …". Nobody, if the processes of all locks have ended.
 *
 * @param locks the stack's locks, from `stackLocks`
 * @param elsewhere whether a lock of another machine counts, on which nobody here can see whether its process has ended
 */
export const updatedBy = (locks: readonly StackLock[], { elsewhere }: { readonly elsewhere: boolean }): string[] =>
    locks.flatMap((lock) => {
        if ("file" in lock) return lock.mayHold.map((pid) => `pid ${pid.toString()}, which may hold ${lock.file}`);
        const isHere = lock.host === hostname();
        if (!isHere && !elsewhere) return [];
        const where = isHere ? "of this machine" : `of ${lock.host}`;
        return lock.isDead ? [] : [`pid ${lock.pid.toString()} ${where}, since ${lock.since}`];
    });

/**
 * Removes the locks of killed `up` runs and locks that a crash left unreadable: Pulumi's locks never expire, so it
 * would refuse every later update of the stack. The lock of a living process, or of another machine, is kept.
 *
 * @param backend folder of a file backend
 * @returns one message per lock that was removed, or that blocks Pulumi but could not be removed
 */
export function removeDeadLocks(backend: string): string[] {
    const backendLocks = lockFiles(backend);
    const remove = (file: string) => {
        rmSync(file, { force: true });
        rmSync(`${file}.attrs`, { force: true });
    };
    return backendLocks.flatMap((lockFile) => {
        const { file } = lockFile;
        if ("lock" in lockFile) {
            if (holderLives(lockFile.lock) !== false) return [];
            remove(file);
            const { pid, timestamp } = lockFile.lock;
            return [`removed the lock of a pulumi that was killed (pid ${pid.toString()}, started ${timestamp})`];
        }
        const mayHold = holders(backend, lockFile, backendLocks);
        if (mayHold.length === 0) {
            remove(file);
            return [`removed a lock that no pulumi on this machine can hold: ${file} (${lockFile.reason})`];
        }
        return [
            `note: ${file} is a lock that can't be read (${lockFile.reason}), and pulumi refuses to update its stack. It stays ` +
                `while a pulumi runs that may hold it (pid ${mayHold.join(", ")}).\n` +
                "  next: run this again when that has ended; if that is no update of this stack, remove the file",
        ];
    });
}

/**
 * Returns the pids of the processes that are updating a stack: living processes that hold a lock or may hold an
 * unreadable lock.
 *
 * @param backend folder of a file backend
 */
export function runningUpdates(backend: string): number[] {
    const backendLocks = lockFiles(backend);
    return [...new Set(backendLocks.flatMap((lockFile) => holders(backend, lockFile, backendLocks)))];
}

/* Locks of updates in GitHub Actions. Each job has a machine of its own, so host and pid of its lock say nothing afterwards. */

/**
 * What Pulumi says next to a lock, whoever holds it: a command that takes the lock from an update that runs. It is never repeated; the
 * next step is that of `engineAdvice`.
 */
export const cancelAdvice =
    " Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.";

/** A lock in the engine's message that the stack is locked: such a message is all that says which locks a bucket holds. */
export interface ReportedLock {
    readonly username: string;
    readonly host: string;
    readonly pid: number;
    /** Milliseconds since 1970, to the second. */
    readonly at: number;
}

/** Returns the locks that the engine named when it refused to begin an update; none if that was not the reason. */
export const reportedLocks = (output: string): ReportedLock[] =>
    [...output.matchAll(/: created by (.*)@(\S+) \(pid (\d+)\) at (\S+)/g)].map(
        ([, username = "", host = "", pid, at = ""]) => ({ username, host, pid: Number(pid), at: Date.parse(at) }),
    );

/** Says which job of a workflow updates the stack: a tag of the stack, which the job adds before it takes the lock. */
const markSchema = z.strictObject({
    /** "owner/repository" whose workflow it is. */
    repository: z.string(),
    run: z.string().regex(/^\d+$/),
    attempt: z.string().regex(/^\d+$/),
    /** Name of the job's runner, by which GitHub tells the jobs of a run apart. */
    runner: z.string(),
    host: z.string(),
    /** When it was added, in milliseconds since 1970. */
    since: z.int(),
});
export type RunMark = z.infer<typeof markSchema>;

const markPrefix = "layered-images:run-";

/** Returns the name of a mark's tag: at most 40 characters, all of which Pulumi accepts. */
export const markName = ({ run, attempt }: Pick<RunMark, "run" | "attempt">): string =>
    `${markPrefix}${run}-${attempt}`;

/**
 * Returns the mark for an update that this process is about to run; undefined if its lock needs none. Only a machine that GitHub makes
 * for one job has nobody else's locks, so that a lock of it is that job's. Pulumi Cloud releases locks by itself.
 *
 * @param host name of this machine
 * @param now milliseconds since 1970
 */
export function runMark(env: NodeJS.ProcessEnv, host: string, now: number): RunMark | undefined {
    const { RUNNER_ENVIRONMENT, PULUMI_BACKEND_URL: backend = "" } = env;
    if (!inActions(env) || RUNNER_ENVIRONMENT !== "github-hosted") return undefined;
    if (backend === "" || /^https?:/.test(backend)) return undefined;
    const { GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run, GITHUB_RUN_ATTEMPT: attempt, RUNNER_NAME: runner } = env;
    return markSchema.safeParse({ repository, run, attempt, runner, host, since: now }).data;
}

/** Returns the marks among the tags of a stack, as `pulumi stack tag ls --json` prints them; none in any other text. */
export function readMarks(tags: string): RunMark[] {
    try {
        const known = z.record(z.string(), z.string()).parse(JSON.parse(tags));
        const marks = Object.entries(known).filter(([name]) => name.startsWith(markPrefix));
        return marks.flatMap(([, value]) => markSchema.safeParse(JSON.parse(value)).data ?? []);
    } catch {
        return [];
    }
}

/**
 * Returns the mark of the job that took a lock: the last job that began on a machine of this name before the lock was taken. GitHub's
 * machines may have equal names, so the caller must also know that this job had not ended by then.
 */
export function holderOf({ host, at }: ReportedLock, marks: readonly RunMark[]): RunMark | undefined {
    const before = marks.filter((mark) => mark.host === host && Math.floor(mark.since / 1000) * 1000 <= at);
    return before.sort((a, b) => b.since - a.since)[0];
}
