/** What is kept of one update (`pulumi up`). */
export interface UpdateRecord {
    /** When it began: ISO 8601, UTC. */
    readonly start: string;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Commit of the checkout, 40 hex; absent outside of git. */
    readonly commit?: string;
    /** Each resource of docker-build that was not left as it was, in the order in which they ended. */
    readonly images: readonly ImageRecord[];
}

/** What an update did to one image: a build or smoke test for one platform, or the promotion of all of them. */
export interface ImageRecord {
    /** Key in `images.ts`. */
    readonly image: string;
    /** "linux/amd64"; absent for a promotion. */
    readonly platform?: string;
    readonly kind: "build" | "test" | "promotion";
    /** The engine's word: create, update, replace, delete … */
    readonly operation: string;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Whether the digest is another than before; builds that succeeded only. A first build has moved. */
    readonly digestMoved?: boolean;
    /** Compressed bytes of the layers that the former digest did not have; absent where the registry can't be asked. */
    readonly bytesPushed?: number;
}
