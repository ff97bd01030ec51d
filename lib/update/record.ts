import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type EngineLog, parseEngineLog } from "../engine/log";
import { CommandError } from "../errors";
import { type Layer, type Manifest, RegistryError, readManifest } from "../registry/manifest";
import { parseReference, repositoryOf, withDigest } from "../registry/references";
import { isInterrupted, run } from "../system/process";
import { type UpdateRecord, appendHistory, readHistory } from "./history";
import { imageSteps, updateRecord, type ImageStep, hasMoved } from "./steps";

/** Asks a registry for a manifest: `readManifest`, or what stands in for it. */
export type Ask = (ref: string) => Promise<Manifest | undefined>;

/** The layers of a platform behind a reference, through an index where it is one; none where nothing is there. */
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
        // The builder mounts what another repository of the same registry has, and pushes what another registry has.
        if (parseReference(ref).registry !== registry) continue;
        for (const { digest } of await layersOf(ref, step.platform, ask)) known.add(digest);
    }
    const layers = (await layersOf(pushed, step.platform, ask)).filter(({ digest }) => !known.has(digest));
    return layers.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Compressed bytes that builds pushed: of layers that neither the former digest nor what they stand on had in that
 * registry. A registry that can't be asked is asked once, and costs the numbers.
 *
 * @returns bytes by a build's `pushed`, and the registries that could not be asked
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
        if (error instanceof CommandError) return undefined;
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
