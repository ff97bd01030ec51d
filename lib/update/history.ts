import { renameSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { labStack, projectName } from "../engine/stacks";
import { replaceFile } from "../system/files";
import { readKeptJson, valueOf } from "../system/kept";

const image = z.object({
    image: z.string(),
    platform: z.string().optional(),
    kind: z.enum(["build", "test", "promotion"]),
    operation: z.string(),
    seconds: z.number(),
    result: z.enum(["succeeded", "failed"]),
    digestMoved: z.boolean().optional(),
    bytesPushed: z.number().optional(),
    uncommitted: z.array(z.string()).optional(),
});
const updates = z.array(
    z.object({
        start: z.iso.datetime(),
        seconds: z.number(),
        result: z.enum(["succeeded", "failed"]),
        commit: z.string().optional(),
        images: z.array(image),
    }),
);

/**
 * Returns the path of the file that stores a stack's updates: of the lab's own stack in the lab next to the state, of another one
 * `.updates/<stack>.json` in the checkout, also in a shell with the lab's environment.
 *
 * @param stack name of the stack, with or without organization and project
 * @param env environment; in the lab it contains LAYERED_IMAGES_INSTANCE
 * @param root root of the repository
 */
export function historyFile(stack: string, env: NodeJS.ProcessEnv, root: string = process.cwd()): string {
    const shortName = stack.split("/").at(-1) ?? stack;
    const instance = env.LAYERED_IMAGES_INSTANCE;
    if (shortName !== labStack || instance === undefined || instance === "")
        return path.join(root, ".updates", `${shortName}.json`);
    // One lab serves every repository on the machine, and Pulumi distinguishes their stacks by project.
    return path.join(path.dirname(instance), "updates", projectName(root), `${shortName}.json`);
}

/** Moves a damaged file out of the way; returns where it is then. */
function setAside(file: string): string {
    try {
        renameSync(file, `${file}.damaged`);
        return `is now ${file}.damaged`;
    } catch {
        return "stays where it is, because this user may not move it";
    }
}

/**
 * Reads a file of records. A damaged one is reported on stderr and renamed, because an update does not need it.
 *
 * @param what names the records: "recorded updates"
 * @returns undefined if there is no such file, or it is damaged
 */
export function readRecords<T>(file: string, schema: z.ZodType<T>, what: string): T | undefined {
    const kept = readKeptJson(file, schema);
    if (kept !== undefined && "damage" in kept)
        console.error(`note: ${file} holds no ${what} and ${setAside(file)}: ${kept.damage}`);
    return valueOf(kept);
}

/**
 * Reads the recorded updates of a stack. A damaged file is reported on stderr and renamed: only recorded durations are
 * lost.
 *
 * @returns newest first; empty if no update is recorded
 */
export function readHistory(stack: string, env: NodeJS.ProcessEnv, root?: string): Promise<UpdateRecord[]> {
    const kept = readRecords(historyFile(stack, env, root), updates, "recorded updates");
    // The type has no `undefined` for absent properties, and neither does JSON.
    return Promise.resolve((kept ?? []) as UpdateRecord[]);
}

/** Adds an update to the recorded updates of a stack, and drops updates that are no longer needed. */
export async function appendHistory(
    stack: string,
    env: NodeJS.ProcessEnv,
    update: UpdateRecord,
    root?: string,
): Promise<void> {
    const kept = keepUpdates([update, ...(await readHistory(stack, env, root))]);
    replaceFile(historyFile(stack, env, root), `${JSON.stringify(kept, null, 1)}\n`);
}

/** The record of an update (`pulumi up`). */
export interface UpdateRecord {
    /** Time of its start: ISO 8601, UTC. */
    readonly start: string;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Commit of the checkout, 40 hex; absent outside of git. */
    readonly commit?: string;
    /** The docker-build resources that were changed, in the order of their starts. */
    readonly images: readonly ImageRecord[];
}

/** Work on an image whose duration is recorded: a build or smoke test for one platform, or the promotion of all platforms. */
export interface RecordedWork {
    /** Key in `images.ts`. */
    readonly image: string;
    /** "linux/amd64"; absent for a promotion. */
    readonly platform?: string;
    /** What is done: a build with its push, a smoke test, or the promotion. */
    readonly kind: "build" | "test" | "promotion";
}

/** Work of an update on an image. */
export interface ImageRecord extends RecordedWork {
    /** The engine's word: create, update, replace or delete. */
    readonly operation: string;
    /** Whole seconds, from the engine's log: 0 for less than one second. */
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Whether the digest changed; only for builds that pushed. True for a first build. */
    readonly digestMoved?: boolean;
    /**
     * Compressed bytes of layers that neither the former digest nor the parents had; only for builds that pushed.
     * Absent if the registry can't be queried.
     */
    readonly bytesPushed?: number;
    /**
     * Files that decided the build and were not as the update's commit has them; only for builds that push. The last of many is their
     * number ("12 more").
     */
    readonly uncommitted?: readonly string[];
}

/** Maximum number of recorded updates per stack. */
export const keptUpdates = 50;

/** Number of the newest records that determine a duration. */
const relevantRecords = 5;

/**
 * Whether a record is meaningful: a build with an unchanged digest came from the cache, so its duration is not that of
 * a real build.
 */
const isMeaningful = ({ kind, digestMoved }: ImageRecord): boolean => kind !== "build" || digestMoved !== false;

const isDone = ({ result, operation }: ImageRecord): boolean => result === "succeeded" && operation !== "delete";

const keyOf = ({ kind, image, platform = "" }: RecordedWork): string => `${kind} ${platform} ${image}`;

/** A record with its update. */
interface Entry {
    readonly record: ImageRecord;
    readonly update: UpdateRecord;
}

/** Returns the first of the longest. */
const longestOf = (entries: readonly Entry[]): Entry | undefined =>
    entries.reduce<Entry | undefined>(
        (longest, entry) => (longest && entry.record.seconds <= longest.record.seconds ? longest : entry),
        undefined,
    );

/** Returns the records that determine durations, by the key of their work; see `recordedDurations`. Each record is looked at once. */
function decisiveRecords(history: readonly UpdateRecord[]): ReadonlyMap<string, Entry> {
    const done = new Map<string, Entry[]>();
    for (const update of history) {
        for (const record of update.images.filter(isDone)) {
            const key = keyOf(record);
            const entries = done.get(key);
            if (entries) entries.push({ record, update });
            else done.set(key, [{ record, update }]);
        }
    }
    const decisive = new Map<string, Entry>();
    for (const [key, entries] of done) {
        const meaningful = entries.filter(({ record }) => isMeaningful(record));
        const longest = longestOf((meaningful.length > 0 ? meaningful : entries).slice(0, relevantRecords));
        if (longest) decisive.set(key, longest);
    }
    return decisive;
}

/** Returns the expected duration of some work in whole seconds; undefined if no duration is recorded. */
export type Durations = (work: RecordedWork) => number | undefined;

/**
 * Returns the expected durations of work on images: the longest of the last five. The last duration alone is not
 * reliable, because much of a build can come from the cache although its digest changes (another label), and builds of
 * an image that is never pushed have no digest to compare. Builds with an unchanged digest count only if no other
 * builds are recorded. The history is read here, and not once for each question.
 *
 * @param history newest first
 */
export function recordedDurations(history: readonly UpdateRecord[]): Durations {
    const decisive = decisiveRecords(history);
    return (work) => decisive.get(keyOf(work))?.record.seconds;
}

/**
 * Returns the updates to keep: the newest updates, and older updates that determine the duration of a build. Otherwise
 * fifty changes of a child would drop the recorded durations of its parent. Half of the room is the newest's in any case: many images
 * have many decisive updates, and the last update must not be missing.
 *
 * @param history newest first
 * @returns up to `most` updates, newest first
 */
export function keepUpdates(history: readonly UpdateRecord[], most: number = keptUpdates): UpdateRecord[] {
    const builds = [...decisiveRecords(history).values()].filter(({ record }) => record.kind === "build");
    const decisive = new Set(builds.map(({ update }) => update));
    const newest = history.slice(0, Math.ceil(most / 2));
    const wanted = new Set([...newest, ...history.filter((update) => decisive.has(update))]);
    const needed = new Set([...wanted].slice(0, most));
    let room = most - needed.size;
    return history.filter((update) => needed.has(update) || room-- > 0);
}
