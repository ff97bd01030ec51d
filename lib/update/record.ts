import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type EngineLog, parseEngineLog } from "../engine/log";
import { CommandError } from "../errors";
import { type Layer, type Manifest, RegistryError, readManifest } from "../registry/manifest";
import { parseReference, repositoryOf, withDigest } from "../registry/references";
import { isInterrupted, run } from "../system/process";
import { progress } from "../system/progress";
import { type UpdateRecord, appendHistory, readHistory } from "./history";
import { imageSteps, updateRecord, type ImageStep, hasMoved } from "./steps";

/** Queries a registry for a manifest: `readManifest`, or a substitute. */
export type Ask = (ref: string) => Promise<Manifest | undefined>;

/**
 * Returns the layers of a platform for a reference to a manifest or an index; empty if the registry does not have it.
 */
async function layersOf(ref: string, platform: string | undefined, ask: Ask): Promise<readonly Layer[]> {
    const manifest = await ask(ref);
    const inIndex = platform === undefined ? undefined : manifest?.platforms[platform];
    if (inIndex === undefined) return manifest?.layers ?? [];
    return (await ask(withDigest(repositoryOf(ref), inIndex)))?.layers ?? [];
}

async function pushedBy(step: ImageStep, pushed: string, ask: Ask): Promise<number> {
    if (hasMoved(step) === false) return 0;
    const { registry } = parseReference(pushed);
    const known = new Set<string>();
    for (const ref of [...(step.former === undefined ? [] : [step.former]), ...step.bases]) {
        // The builder mounts layers from another repository of the same registry, but pushes layers from another
        // registry.
        if (parseReference(ref).registry !== registry) continue;
        for (const { digest } of await layersOf(ref, step.platform, ask)) known.add(digest);
    }
    const layers = (await layersOf(pushed, step.platform, ask)).filter(({ digest }) => !known.has(digest));
    return layers.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Returns the compressed bytes that builds pushed: the layers that neither the former digest nor the base images had in
 * that registry. After a failure a registry is not queried again, and its numbers are missing.
 *
 * @returns bytes by a build's `pushed`, and one error per registry that could not be queried
 */
export async function pushedBytes(
    steps: readonly ImageStep[],
    env: NodeJS.ProcessEnv,
    read: typeof readManifest = readManifest,
): Promise<{ readonly bytes: ReadonlyMap<string, number>; readonly unasked: readonly RegistryError[] }> {
    const asked = new Map<string, Promise<Manifest | undefined>>();
    const ask: Ask = (ref) => {
        const answer = asked.get(ref) ?? read(ref, env);
        asked.set(ref, answer);
        return answer;
    };
    const unasked = new Map<string, RegistryError>();
    const bytes = new Map<string, number>();
    for (const step of steps) {
        const { pushed, operation } = step;
        if (pushed === undefined || operation === "same") continue;
        if (unasked.has(parseReference(pushed).registry)) continue;
        try {
            bytes.set(pushed, await pushedBy(step, pushed, ask));
        } catch (error) {
            if (!(error instanceof RegistryError)) throw error;
            unasked.set(error.registry, error);
        }
    }
    return { bytes, unasked: [...unasked.values()] };
}

/** An update: the engine's log of it, and its record. */
export interface RecordedUpdate {
    readonly log: EngineLog;
    readonly record: UpdateRecord;
    /** The updates before it, newest first. */
    readonly history: readonly UpdateRecord[];
}

/** Returns the checkout's commit; undefined if it has none. */
async function headCommit(root: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
    try {
        return (await run("git", ["rev-parse", "--verify", "HEAD"], { cwd: root, env })).trim();
    } catch (error) {
        if (error instanceof CommandError) return undefined;
        throw error;
    }
}

/** Adds an update to the stack's history. */
async function record(log: EngineLog, env: NodeJS.ProcessEnv, root: string): Promise<RecordedUpdate> {
    const steps = isInterrupted() ? [] : imageSteps(log);
    const asking = () => pushedBytes(steps, env);
    const { bytes, unasked } = await progress("asking the registries what was pushed", asking, { after: 2000 });
    for (const { message } of unasked) console.error(`note: what was pushed is not known: ${message}`);
    const newRecord = updateRecord(log, await headCommit(root, env), bytes);
    const history = await readHistory(log.stack, env, root);
    await appendHistory(log.stack, env, newRecord, root);
    return { log, record: newRecord, history };
}

/** Calls `record`; errors in the history are reported as warnings and never fail an update. */
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
 * Runs `pulumi up` and records it, even if it fails or is interrupted. The engine's log is written to a folder that
 * other users can't read, and is removed afterwards: the engine masks secrets in it, but it contains the complete
 * output of builds.
 *
 * @param env environment of the update, for Pulumi and buildx
 * @param up runs the update with these additional arguments and this environment, and returns its exit code
 * @param root root of the repository
 * @returns that exit code, and the recorded update; undefined for an update that reached no resource
 */
export async function recordUp(
    env: NodeJS.ProcessEnv,
    up: (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>,
    root: string = process.cwd(),
): Promise<{ readonly code: number; readonly recorded: RecordedUpdate | undefined }> {
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-up-"));
    try {
        const eventLog = path.join(folder, "events.jsonl");
        // The engine accepts this option only if its debugging commands are enabled.
        const code = await up(["--event-log", eventLog], { ...env, PULUMI_DEBUG_COMMANDS: "true" });
        const log = existsSync(eventLog) ? parseEngineLog(readFileSync(eventLog, "utf8")) : undefined;
        return { code, recorded: log && (await recordOrWarn(log, env, root)) };
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}
