import { hostname } from "node:os";
import {
    type ReportedLock,
    type RunMark,
    holderOf,
    markName,
    readMarks,
    reportedLocks,
    runMark,
} from "../lib/engine/locks";
import type { Engine } from "../lib/engine/pulumi";
import { InputError } from "../lib/errors";
import { UnreachableError } from "../lib/github/api";
import { jobEnd } from "../lib/github/runs";
import { defaultBaseUrl, firstSet } from "../lib/github/target";
import { inActions } from "../lib/system/inActions";

/** Whether a lock may go, and what to say of it. */
interface Verdict {
    readonly isFree: boolean;
    readonly line: string;
}

/** Returns the GitHub that runs this job, and the token with which the job may read runs. */
function targetOf(env: NodeJS.ProcessEnv, { repository: name }: RunMark) {
    const [owner = "", repository = ""] = name.split("/");
    const token = firstSet(env.WORKFLOW_TOKEN, env.GITHUB_TOKEN);
    const baseUrl = firstSet(env.GITHUB_BASE_URL, env.GITHUB_API_URL) ?? defaultBaseUrl;
    return { owner, repository, branch: "", baseUrl, ...(token !== undefined && { token }) };
}

const named = ({ username, host, pid, at }: ReportedLock) =>
    `${username}@${host}, pid ${pid.toString()}, since ${new Date(at).toISOString()}`;

/** Decides about one lock: it may go only if GitHub says that the job that took it has ended since. */
async function judge(env: NodeJS.ProcessEnv, lock: ReportedLock, marks: readonly RunMark[]): Promise<Verdict> {
    const stays = (why: string): Verdict => ({ isFree: false, line: `note: the lock of ${named(lock)} stays: ${why}` });
    const mark = holderOf(lock, marks);
    if (!mark) return stays("no job of this repository took it, as far as its stack says");
    const run = `run ${mark.run} of ${mark.repository}, attempt ${mark.attempt},`;
    try {
        const end = await jobEnd(targetOf(env, mark), mark);
        if (end === undefined) return stays(`${run} has not ended, as far as GitHub says`);
        if (end < lock.at) return stays(`${run} had ended before it was taken`);
        return { isFree: true, line: `removing the lock of ${named(lock)}: ${run} ended without removing it` };
    } catch (error) {
        if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
        return stays(error.message);
    }
}

/** Says on the stack which job updates it, so that a later job can remove the lock if this one is killed. */
export interface LockMark {
    readonly add: () => Promise<void>;
    readonly remove: () => Promise<void>;
}

/** Returns the mark of this process for an update of the stack; it does nothing outside GitHub's own runners. */
export function lockMark({ env, pulumi, isLab }: Engine): LockMark {
    // The lab's state is on the job's machine, and goes with it.
    const mark = isLab ? undefined : runMark(env, hostname(), Date.now());
    if (!mark) return { add: () => Promise.resolve(), remove: () => Promise.resolve() };
    const tag = async (args: readonly string[], what: string) => {
        const { failure, stderr } = await pulumi(["stack", "tag", ...args, "--non-interactive"]);
        if (failure === undefined) return;
        console.error(`note: ${what}: ${stderr.trim()}`);
    };
    let isAdded: Promise<void> | undefined;
    return {
        add: () =>
            (isAdded ??= tag(
                ["set", markName(mark), JSON.stringify(mark)],
                "if this job is killed, its lock has to be removed by hand",
            )),
        remove: async () => {
            if (isAdded) await tag(["rm", markName(mark)], "this job's mark stays on the stack");
        },
    };
}

/**
 * Removes the locks that stopped an update in GitHub Actions, if GitHub says that the jobs that took them have ended. If one of them is
 * of another job or machine, all stay, because Pulumi removes all or none.
 *
 * As long as such a lock stands nobody else gets one, and the jobs that update the stack run one after the other: what is removed is what
 * was looked at.
 *
 * @param output what the engine printed
 * @returns whether the update can be tried again
 */
export async function removeEndedLocks({ env, pulumi }: Engine, output: string): Promise<boolean> {
    const locks = inActions(env) ? reportedLocks(output) : [];
    if (locks.length === 0) return false;
    const tags = await pulumi(["stack", "tag", "ls", "--json", "--non-interactive"]);
    // A job's token reads the runs of its own repository only.
    const marks = readMarks(tags.stdout).filter(({ repository }) => repository === env.GITHUB_REPOSITORY);
    const verdicts = await Promise.all(locks.map((lock) => judge(env, lock, marks)));
    for (const { line } of verdicts) console.error(line);
    if (!verdicts.every(({ isFree }) => isFree)) return false;
    const { failure, stderr } = await pulumi(["cancel", "--yes", "--non-interactive"]);
    if (failure !== undefined) console.error(`note: the lock could not be removed: ${stderr.trim()}`);
    for (const mark of new Set(locks.flatMap((lock) => holderOf(lock, marks) ?? [])))
        await pulumi(["stack", "tag", "rm", markName(mark), "--non-interactive"]);
    return failure === undefined;
}
