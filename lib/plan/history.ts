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

/** A build of an image for a platform, as far as the history tells how long it takes. */
export interface RecordedBuild {
    readonly image: string;
    readonly platform: string;
}

const succeeded = (one: ImageRecord) => one.result === "succeeded" && one.operation !== "delete";

/** A build to the digest that was there before came from the cache: how long a real one takes it does not tell. */
const tells = (one: ImageRecord) => one.kind === "build" && succeeded(one) && one.digestMoved !== false;

const isOf = (build: RecordedBuild) => (one: ImageRecord) =>
    one.image === build.image && one.platform === build.platform;

/**
 * How long the newest build of an image for a platform took: the newest that gave another digest, since one that gave the
 * same came from the cache; that one only where there is no other.
 *
 * @param history newest first
 * @returns whole seconds; undefined where none is recorded
 */
export function recordedSeconds(history: readonly UpdateRecord[], build: RecordedBuild): number | undefined {
    const own = history.flatMap(({ images }) => images.filter(isOf(build)));
    const found = own.find(tells) ?? own.find((one) => one.kind === "build" && succeeded(one));
    return found?.seconds;
}

/**
 * The updates to keep: the newest ones, and before them those that alone tell how long some build takes. Otherwise fifty
 * changes of the app would drop what is known of the base.
 *
 * @param history newest first
 * @returns at most `most` of them, newest first
 */
export function keepUpdates(history: readonly UpdateRecord[], most: number = keptUpdates): UpdateRecord[] {
    const told = new Set<string>();
    const telling = history.filter(({ images }) => {
        const news = images.filter(tells).map(({ image, platform }) => `${platform ?? ""} ${image}`);
        const isNews = news.some((one) => !told.has(one));
        for (const one of news) told.add(one);
        return isNews;
    });
    const needed = new Set(telling.slice(0, most));
    let room = most - needed.size;
    return history.filter((update) => needed.has(update) || room-- > 0);
}
