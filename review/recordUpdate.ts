import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { tellFailedBuilds } from "../lab/failedBuilds";
import { LabError, isInterrupted, run } from "../lab/process";
import { type EngineLog, parseEngineLog } from "../lib/plan/engineLog";
import type { UpdateRecord } from "../lib/plan/history";
import { imageSteps, updateRecord } from "../lib/plan/imageSteps";
import { failedOutput, secretMask } from "./failedOutput";
import { appendHistory, readHistory } from "./history";
import { pushedBytes } from "./pushedBytes";
import { quotations } from "./quotations";
import { updateSummary } from "./updateSummary";

/** What was recorded of an update, beside the engine's log of it and the updates before it, newest first. */
export interface RecordedUpdate {
    readonly log: EngineLog;
    readonly record: UpdateRecord;
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

/**
 * Adds the update that the engine logged to the stack's history.
 *
 * @param eventLog file that `pulumi up --event-log` wrote
 * @param env of the update: Pulumi's, and the builder's tool's
 * @param root of the repository
 * @returns undefined where the update came to no resource
 */
export async function recordUpdate(
    eventLog: string,
    env: NodeJS.ProcessEnv,
    root: string = process.cwd(),
): Promise<RecordedUpdate | undefined> {
    const log = existsSync(eventLog) ? parseEngineLog(readFileSync(eventLog, "utf8")) : undefined;
    if (!log) return undefined;
    const steps = isInterrupted() ? [] : imageSteps(log);
    const { bytes, unasked } = await pushedBytes(steps, env);
    for (const { message } of unasked) console.error(`note: what was pushed is not known: ${message}`);
    const record = updateRecord(log, await headCommit(root, env), bytes);
    const history = await readHistory(log.stack, env, root);
    await appendHistory(log.stack, env, record, root);
    return { log, record, history };
}

/** Runs `work`; what is wrong with the history is a warning, and never fails an update. */
async function orWarn<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
        return await work();
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`warning: this update could not be recorded: ${reason}`);
        return undefined;
    }
}

/**
 * Runs `pulumi up` and records it, also when it fails or is interrupted; of one that failed it is told what builds printed. The engine's log is kept in a folder that nobody
 * else can read and is removed afterwards: the engine masks secrets in it, but it has all that builds printed.
 *
 * @param up runs it with these additional arguments and this environment, to its exit code
 * @returns that exit code
 */
export async function recordUp(
    env: NodeJS.ProcessEnv,
    up: (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>,
): Promise<number> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-up-"));
    try {
        const eventLog = path.join(folder, "events.jsonl");
        // The engine has this option only where its debugging commands are asked for.
        const code = await up(["--event-log", eventLog], { ...env, PULUMI_DEBUG_COMMANDS: "true" });
        const recorded = await orWarn(() => recordUpdate(eventLog, env));
        const mask = code !== 0 && recorded && !isInterrupted() ? await secretMask(env) : undefined;
        if (recorded && mask) await tellFailedBuilds({ env, root: process.cwd(), log: recorded.log, mask });
        return code;
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** What is written of an update that a script ran, secrets masked. */
async function summaryOf(recorded: RecordedUpdate | undefined, printed: string, env: NodeJS.ProcessEnv) {
    const lines = printed.split(/\r?\n/).filter((line) => line.trim() !== "");
    if (recorded?.log.result === "succeeded") {
        return updateSummary(recorded.log, recorded.record, recorded.history, { mask: undefined });
    }
    const mask = await secretMask(env);
    if (!recorded) {
        const quoted = quotations(undefined, [], { lines, mask });
        return ["### The update failed before it came to any resource", ...quoted].join("\n\n");
    }
    const { log, record, history } = recorded;
    const output = mask && (await failedOutput({ env, root: process.cwd(), log, mask }));
    return updateSummary(log, record, history, { ...(output && { output }), lines, mask });
}

/**
 * Records an update that a script ran.
 *
 * @param options.log file with what `pulumi up` printed: its end is in the summary of an update that failed
 * @param options.summary file that its summary is added to, as GitHub's Markdown
 */
export async function recordLogged(options: {
    readonly eventLog: string;
    readonly log?: string;
    readonly summary?: string;
}): Promise<void> {
    const { eventLog, log, summary } = options;
    await orWarn(async () => {
        const recorded = await recordUpdate(eventLog, process.env);
        if (summary === undefined) return;
        const printed = log !== undefined && existsSync(log) ? readFileSync(log, "utf8") : "";
        appendFileSync(summary, `${await summaryOf(recorded, printed, process.env)}\n`);
    });
}
