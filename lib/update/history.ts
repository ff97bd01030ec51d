import { readFileSync } from "node:fs";
import { readFile, rename } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { replaceFile } from "../system/files";

const image = z.object({
    image: z.string(),
    platform: z.string().optional(),
    kind: z.enum(["build", "test", "promotion"]),
    operation: z.string(),
    seconds: z.number(),
    result: z.enum(["succeeded", "failed"]),
    digestMoved: z.boolean().optional(),
    bytesPushed: z.number().optional(),
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
 * The file that keeps a stack's updates: in the lab beside the state, elsewhere `.updates/<stack>.json` of the checkout.
 *
 * @param stack its name; with an organization and project before it, or without
 * @param env of the lab (it has LAYERED_IMAGES_INSTANCE), or another
 * @param root of the repository
 */
export function historyFile(stack: string, env: NodeJS.ProcessEnv, root: string = process.cwd()): string {
    const name = `${stack.split("/").at(-1) ?? stack}.json`;
    const instance = env.LAYERED_IMAGES_INSTANCE;
    if (instance === undefined || instance === "") return path.join(root, ".updates", name);
    // One lab serves every repository on the machine, and Pulumi keeps their stacks apart by the project.
    const { name: project } = parse(readFileSync(path.join(root, "Pulumi.yaml"), "utf8")) as { name: string };
    return path.join(path.dirname(instance), "updates", project, name);
}

/**
 * The recorded updates of a stack. A file that is no history is said on stderr and put aside: what is lost is durations.
 *
 * @returns newest first; none where nothing was recorded
 */
export async function readHistory(stack: string, env: NodeJS.ProcessEnv, root?: string): Promise<UpdateRecord[]> {
    const file = historyFile(stack, env, root);
    try {
        // The type has no `undefined` for what is absent, and neither has JSON.
        return updates.parse(JSON.parse(await readFile(file, "utf8"))) as UpdateRecord[];
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
        const aside = `${file}.damaged`;
        await rename(file, aside);
        const reason = error instanceof SyntaxError ? error.message : z.prettifyError(error);
        console.error(`note: ${file} holds no recorded updates and is now ${aside}: ${reason}`);
        return [];
    }
}

/** Adds an update to the recorded ones of a stack, and leaves out those that are not needed any more. */
export async function appendHistory(
    stack: string,
    env: NodeJS.ProcessEnv,
    update: UpdateRecord,
    root?: string,
): Promise<void> {
    const kept = keepUpdates([update, ...(await readHistory(stack, env, root))]);
    replaceFile(historyFile(stack, env, root), `${JSON.stringify(kept, null, 1)}\n`);
}

/** What is kept of one update (`pulumi up`). */
export interface UpdateRecord {
    /** When it began: ISO 8601, UTC. */
    readonly start: string;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Commit of the checkout, 40 hex; absent outside of git. */
    readonly commit?: string;
    /** Each resource of docker-build that was not left as it was, in the order in which they began. */
    readonly images: readonly ImageRecord[];
}

/** What an update did to one image: a build or smoke test for one platform, or the promotion of all of them. */
export interface ImageRecord {
    /** Key in `images.ts`. */
    readonly image: string;
    /** "linux/amd64"; absent for a promotion. */
    readonly platform?: string;
    readonly kind: "build" | "test" | "promotion";
    /** The engine's word: create, update, replace or delete. */
    readonly operation: string;
    /** Whole seconds, as the engine's log has them: 0 for what took less than one. */
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Whether the digest is another than before; builds that pushed only. A first build has moved. */
    readonly digestMoved?: boolean;
    /**
     * Compressed bytes of layers that neither the former digest nor the parents had; builds that pushed only. Absent where
     * the registry can't be asked.
     */
    readonly bytesPushed?: number;
}

/** Updates that are kept of a stack. */
export const keptUpdates = 50;

/** Work of which the history tells how long it takes: a build or smoke test for a platform, or a promotion. */
export type RecordedWork = Pick<ImageRecord, "image" | "platform" | "kind">;

/** How many of the newest records are asked how long something takes. */
const asked = 5;

/** A build to the digest that was there before came from the cache: how long a real one takes it does not tell. */
const tells = ({ kind, digestMoved }: ImageRecord): boolean => kind !== "build" || digestMoved !== false;

const isDone = ({ result, operation }: ImageRecord): boolean => result === "succeeded" && operation !== "delete";

const keyOf = ({ kind, image, platform = "" }: RecordedWork): string => `${kind} ${platform} ${image}`;

/** The record that tells how long some work takes, beside its update; see `recordedSeconds`. */
function tellingRecord(history: readonly UpdateRecord[], work: RecordedWork) {
    const own = history.flatMap((update) =>
        update.images.filter((one) => isDone(one) && keyOf(one) === keyOf(work)).map((record) => ({ record, update })),
    );
    const telling = own.filter(({ record }) => tells(record));
    const [first, ...rest] = (telling.length > 0 ? telling : own).slice(0, asked);
    return rest.reduce(
        (longest, one) => (longest && one.record.seconds <= longest.record.seconds ? longest : one),
        first,
    );
}

/**
 * How long work on an image takes: the longest of the last five times. Not the last time, because much of a build can come from
 * the cache although its digest moves (another label), and builds of an image that is never pushed have no digest that would tell.
 * Builds that gave the digest that was there before count only where there are no others.
 *
 * @param history newest first
 * @returns whole seconds; undefined where none is recorded
 */
export const recordedSeconds = (history: readonly UpdateRecord[], work: RecordedWork): number | undefined =>
    tellingRecord(history, work)?.record.seconds;

/**
 * The updates to keep: the newest ones, and before them those that tell how long some build takes. Otherwise fifty changes of
 * the app would drop what is known of the base.
 *
 * @param history newest first
 * @returns at most `most` of them, newest first
 */
export function keepUpdates(history: readonly UpdateRecord[], most: number = keptUpdates): UpdateRecord[] {
    const builds = history.flatMap(({ images }) => images.filter(({ kind }) => kind === "build"));
    const different = new Map(builds.map((one) => [keyOf(one), one]));
    const telling = new Set([...different.values()].map((one) => tellingRecord(history, one)?.update));
    const needed = new Set(history.filter((update) => telling.has(update)).slice(0, most));
    let room = most - needed.size;
    return history.filter((update) => needed.has(update) || room-- > 0);
}
