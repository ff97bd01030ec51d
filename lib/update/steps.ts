import { z } from "zod";
import type { EngineLog, EngineStep } from "../engine/log";
import { dockerTypes, imageAbove, isSmokeTest, namedImages, pushedBy } from "../engine/resources";
import { digestOf, isDigest } from "../registry/references";
import type { ImageRecord, UpdateRecord } from "./history";

/** A build, test or promotion that the engine looked at; also one that it left as it was. */
export interface ImageStep extends Omit<ImageRecord, "digestMoved" | "bytesPushed"> {
    readonly urn: string;
    /** The staged folder that a build or test read, relative to the repository's root. */
    readonly context?: string;
    /** `<repository>@<digest>` that the build pushed, and that its platform had before; absent where nothing is pushed. */
    readonly pushed?: string;
    readonly former?: string;
    /** `<repository>@<digest>` of everything pinned that the build stands on. */
    readonly bases: readonly string[];
}

/** The engine's words for what it does, as a record has them; looking things up (refresh, read) is no work on an image. */
const operations: Readonly<Record<string, string>> = {
    same: "same",
    create: "create",
    update: "update",
    "create-replacement": "replace",
    delete: "delete",
};

const build = z.object({
    platforms: z.tuple([z.string()]),
    context: z.object({ location: z.string().default("") }).default({ location: "" }),
});
function readStep(step: EngineStep): ImageStep[] {
    const state = step.after ?? step.before;
    const image = imageAbove(state?.parent ?? "");
    const operation = operations[step.operation];
    if (!state || operation === undefined || image === undefined) return [];
    const result = step.result === "succeeded" ? "succeeded" : "failed";
    const common = { urn: step.urn, image, operation, seconds: step.seconds, result } as const;
    if (step.type === dockerTypes.index) return [{ ...common, kind: "promotion", bases: [] }];
    const { data } = build.safeParse(state.inputs);
    if (step.type !== dockerTypes.image || !data) return [];
    const [platform] = data.platforms;
    const context = data.context.location;
    if (isSmokeTest(state.inputs)) return [{ ...common, platform, kind: "test", context, bases: [] }];
    const [pushed, former] = [result === "succeeded" ? pushedBy(step.after) : undefined, pushedBy(step.before)];
    const bases = Object.values(namedImages(state.inputs)).filter((ref) => isDigest(digestOf(ref) ?? ""));
    return [
        {
            ...common,
            platform,
            kind: "build",
            context,
            ...(pushed !== undefined && { pushed }),
            ...(former !== undefined && { former }),
            bases,
        },
    ];
}

/** The builds, tests and promotions in the engine's log, in the order in which they began. */
export const imageSteps = ({ steps }: EngineLog): ImageStep[] => steps.flatMap(readStep);

/** Whether a build gave another digest than the one before; undefined where it pushed none. */
export const hasMoved = ({ pushed, former }: ImageStep): boolean | undefined =>
    pushed === undefined ? undefined : former === undefined || digestOf(pushed) !== digestOf(former);

/**
 * What is kept of an update.
 *
 * @param commit of the checkout, 40 hex
 * @param pushedBytes by a build's `pushed`, the compressed bytes that it pushed
 */
export function updateRecord(
    log: EngineLog,
    commit: string | undefined,
    pushedBytes: ReadonlyMap<string, number>,
): UpdateRecord {
    const worked = imageSteps(log).filter(({ operation }) => operation !== "same");
    return {
        start: new Date(log.start).toISOString(),
        seconds: log.seconds,
        result: log.result,
        ...(commit !== undefined && { commit }),
        images: worked.map((step): ImageRecord => {
            const { image, platform, kind, operation, seconds, result, pushed } = step;
            const [digestMoved, bytesPushed] = [hasMoved(step), pushed && pushedBytes.get(pushed)];
            return {
                image,
                ...(platform !== undefined && { platform }),
                ...{ kind, operation, seconds, result },
                ...(digestMoved !== undefined && { digestMoved }),
                ...(typeof bytesPushed === "number" && { bytesPushed }),
            };
        }),
    };
}
