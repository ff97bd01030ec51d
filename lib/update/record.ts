import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { LabError, isInterrupted, run } from "../system/process";
import { type EngineLog, parseEngineLog } from "../engine/log";
import type { UpdateRecord } from "./history";
import { imageSteps, updateRecord } from "./steps";
import { appendHistory, readHistory } from "./historyFile";
import { pushedBytes } from "./pushedBytes";

/** An update, as the engine logged it and as it was recorded. */
export interface RecordedUpdate {
    readonly log: EngineLog;
    readonly record: UpdateRecord;
    /** The updates before it, newest first. */
    readonly history: readonly UpdateRecord[];
}

/** The checkout's commit; undefined where it has none. */
async function headCommit(root: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
    try {
        return (await run("git", ["rev-parse", "--verify", "HEAD"], { cwd: root, env })).trim();
    } catch (error) {
        if (error instanceof LabError) return undefined;
        throw error;
    }
}

/** Adds an update to the stack's history. */
async function record(log: EngineLog, env: NodeJS.ProcessEnv, root: string): Promise<RecordedUpdate> {
    const steps = isInterrupted() ? [] : imageSteps(log);
    const { bytes, unasked } = await pushedBytes(steps, env);
    for (const { message } of unasked) console.error(`note: what was pushed is not known: ${message}`);
    const made = updateRecord(log, await headCommit(root, env), bytes);
    const history = await readHistory(log.stack, env, root);
    await appendHistory(log.stack, env, made, root);
    return { log, record: made, history };
}

/** `record`; what is wrong with the history is a warning, and never fails an update. */
async function recordOrWarn(log: EngineLog, env: NodeJS.ProcessEnv, root: string): Promise<RecordedUpdate> {
    try {
        return await record(log, env, root);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`warning: this update could not be recorded: ${reason}`);
        return { log, record: updateRecord(log, undefined, new Map()), history: [] };
    }
}

/**
 * Runs `pulumi up` and records it, also when it fails or is interrupted. The engine's log is kept in a folder that nobody
 * else can read and is removed afterwards: the engine masks secrets in it, but it has all that builds printed.
 *
 * @param env of the update: Pulumi's, and the builder's tool's
 * @param up runs it with these additional arguments and this environment, to its exit code
 * @param root of the repository
 * @returns that exit code, and what was recorded; nothing of an update that came to no resource
 */
export async function recordUp(
    env: NodeJS.ProcessEnv,
    up: (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>,
    root: string = process.cwd(),
): Promise<{ readonly code: number; readonly recorded: RecordedUpdate | undefined }> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-up-"));
    try {
        const eventLog = path.join(folder, "events.jsonl");
        // The engine has this option only where its debugging commands are asked for.
        const code = await up(["--event-log", eventLog], { ...env, PULUMI_DEBUG_COMMANDS: "true" });
        const log = existsSync(eventLog) ? parseEngineLog(readFileSync(eventLog, "utf8")) : undefined;
        return { code, recorded: log && (await recordOrWarn(log, env, root)) };
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}
