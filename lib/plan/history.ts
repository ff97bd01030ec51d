/** What is kept of one update of the stack. */
export interface UpdateRecord {
    /** When it began: ISO 8601, UTC. */
    readonly start: string;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Commit of the checkout, 40 hexadecimal digits. */
    readonly commit?: string;
    /** Every build, smoke test and promotion that was not left as it was. */
    readonly images: readonly ImageRecord[];
}

/** What an update did to an image. */
export interface ImageRecord {
    /** Key of `images.ts`. */
    readonly image: string;
    /** "linux/amd64"; absent for a promotion. */
    readonly platform?: string;
    readonly kind: "build" | "test" | "promotion";
    /** The engine's word: create, update, replace, delete … */
    readonly operation: string;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** Whether a build gave another digest than the one before. */
    readonly digestMoved?: boolean;
    /** Compressed bytes of layers that the former digest did not have. */
    readonly bytesPushed?: number;
}
