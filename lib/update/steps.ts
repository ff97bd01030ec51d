import { z } from "zod";
import type { EngineLog, EngineStep } from "../engine/log";
import {
    commandType,
    dockerTypes,
    imageAbove,
    isMainTag,
    isSmokeTest,
    namedImages,
    nameOf,
    pushedBy,
    textIn,
} from "../engine/resources";
import { readUncommitted } from "../hierarchy/uncommitted";
import { digestOf, isDigest } from "../registry/references";
import type { ImageRecord, UpdateRecord } from "./history";

/** A build, test, promotion or another tag of a release in the engine's log, including unchanged resources. */
export interface ImageStep extends Omit<ImageRecord, "kind" | "digestMoved" | "bytesPushed" | "uncommitted"> {
    readonly kind: ImageRecord["kind"] | "tags";
    readonly urn: string;
    /** "registry/repository:tag" of an index other than that of the image's name; it is of kind `tags`. */
    readonly tag?: string;
    /** The staged build context of a build or test, relative to the repository's root. */
    readonly context?: string;
    /** Name of the buildx builder of a build or test; absent if it is buildx's current one. */
    readonly builder?: string;
    /** `<repository>@<digest>` that the build pushed; absent if it pushed nothing. */
    readonly pushed?: string;
    /** `<repository>@<digest>` of its platform before the update; absent if nothing was pushed. */
    readonly former?: string;
    /** `<repository>@<digest>` of each pinned image that the build uses. */
    readonly bases: readonly string[];
}

/** Names of operations in records by the engine's name; lookups (refresh, read) are not work on an image. */
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
    builder: z.object({ name: z.string().optional() }).optional(),
});
function readStep(step: EngineStep): ImageStep[] {
    const state = step.after ?? step.before;
    const image = imageAbove(state?.parent ?? "");
    const operation = operations[step.operation];
    if (!state || operation === undefined || image === undefined) return [];
    const result = step.result === "succeeded" ? "succeeded" : "failed";
    const common = { urn: step.urn, image, operation, seconds: step.seconds, result } as const;
    if (step.type === dockerTypes.index) {
        const tag = textIn(state.inputs.tag);
        if (isMainTag({ name: nameOf(step.urn), image })) return [{ ...common, kind: "promotion", bases: [] }];
        return [{ ...common, kind: "tags", ...(tag !== undefined && { tag }), bases: [] }];
    }
    if (step.type === commandType) return [{ ...common, kind: "tags", bases: [] }];
    const { data } = build.safeParse(state.inputs);
    if (step.type !== dockerTypes.image || !data) return [];
    const [platform] = data.platforms;
    const place = {
        context: data.context.location,
        ...(data.builder?.name !== undefined && { builder: data.builder.name }),
    };
    if (isSmokeTest(state.inputs)) return [{ ...common, platform, kind: "test", ...place, bases: [] }];
    const [pushed, former] = [result === "succeeded" ? pushedBy(step.after) : undefined, pushedBy(step.before)];
    const bases = Object.values(namedImages(state.inputs)).filter((ref) => isDigest(digestOf(ref) ?? ""));
    return [
        {
            ...common,
            platform,
            kind: "build",
            ...place,
            ...(pushed !== undefined && { pushed }),
            ...(former !== undefined && { former }),
            bases,
        },
    ];
}

/** Returns the builds, tests, promotions and tags of releases in the engine's log, in the order of their starts. */
export const imageSteps = ({ steps }: EngineLog): ImageStep[] => steps.flatMap(readStep);

const kinds = { build: "build", test: "smoke test", promotion: "promotion", tags: "tagging" } as const;

/** Returns the work of a step in words: "smoke test", "tagging as registry/repository:tag". */
export const stepText = ({ kind, tag }: Pick<ImageStep, "kind" | "tag">): string =>
    `${kinds[kind]}${tag === undefined ? "" : ` as ${tag}`}`;

/** Whether a build resulted in another digest than before; undefined if it pushed nothing. */
export const hasMoved = ({ pushed, former }: ImageStep): boolean | undefined =>
    pushed === undefined ? undefined : former === undefined || digestOf(pushed) !== digestOf(former);

/**
 * Returns the record of an update.
 *
 * @param commit the checkout's commit, 40 hex
 * @param pushedBytes compressed bytes that a build pushed, by its `pushed`
 */
export function updateRecord(
    log: EngineLog,
    commit: string | undefined,
    pushedBytes: ReadonlyMap<string, number>,
): UpdateRecord {
    const changed = imageSteps(log).filter(({ operation }) => operation !== "same");
    const messages = [...log.messages.values()].flat().map(({ line }) => line);
    const uncommittedFiles = readUncommitted(messages);
    return {
        start: new Date(log.start).toISOString(),
        seconds: log.seconds,
        result: log.result,
        ...(commit !== undefined && { commit }),
        images: changed.flatMap((step): ImageRecord[] => {
            const { image, platform, kind, operation, seconds, result, pushed } = step;
            // The tag of the image's name stands for all of its tags.
            if (kind === "tags") return [];
            const [digestMoved, bytesPushed] = [hasMoved(step), pushed && pushedBytes.get(pushed)];
            const uncommitted = kind === "build" ? uncommittedFiles.get(image) : undefined;
            return [
                {
                    image,
                    ...(platform !== undefined && { platform }),
                    ...{ kind, operation, seconds, result },
                    ...(digestMoved !== undefined && { digestMoved }),
                    ...(typeof bytesPushed === "number" && { bytesPushed }),
                    ...(uncommitted && { uncommitted }),
                },
            ];
        }),
    };
}
