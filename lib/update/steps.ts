import { z } from "zod";
import { repositoryOf } from "../registry/references";
import type { EngineLog, EngineStep, StepState } from "../engine/log";
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

/** The component that a URN is of: its type and its name. */
function component(urn: string): { readonly type: string; readonly name: string } {
    const [types = "", name = ""] = urn.split("::").slice(-2);
    return { type: types.slice(types.lastIndexOf("$") + 1), name };
}

/** The components whose children are an image's: each is named by the image's key (components/imageLayer.ts). */
const owners = ["layered-images:components:ImageLayer", "layered-images:components:Promotion"];

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
    buildArgs: z.record(z.string(), z.unknown()).default({}),
    context: z
        .object({
            location: z.string().default(""),
            named: z.record(z.string(), z.object({ location: z.string() })).default({}),
        })
        .default({ location: "", named: {} }),
});
const built = z.object({ ref: z.string().includes("@sha256:"), digest: z.string().startsWith("sha256:") });

/** `<repository>@<digest>` of a build's state; undefined where it was not pushed. */
function pushedBy(state: StepState | undefined): string | undefined {
    const { data } = built.safeParse(state?.outputs);
    return data && `${repositoryOf(data.ref)}@${data.digest}`;
}

const scheme = "docker-image://";

function readStep(step: EngineStep): ImageStep[] {
    const state = step.after ?? step.before;
    const owner = component(state?.parent ?? "");
    const operation = operations[step.operation];
    if (!state || operation === undefined || !owners.includes(owner.type)) return [];
    const result = step.result === "succeeded" ? "succeeded" : "failed";
    const common = { urn: step.urn, image: owner.name, operation, seconds: step.seconds, result } as const;
    if (step.type === "docker-build:index:Index") return [{ ...common, kind: "promotion", bases: [] }];
    const { data } = build.safeParse(state.inputs);
    if (step.type !== "docker-build:index:Image" || !data) return [];
    const [platform] = data.platforms;
    // Every build of ours has this argument and no smoke test has (components/platformImage.ts).
    const context = data.context.location;
    if (!("INPUT_HASH" in data.buildArgs)) return [{ ...common, platform, kind: "test", context, bases: [] }];
    const [pushed, former] = [result === "succeeded" ? pushedBy(step.after) : undefined, pushedBy(step.before)];
    const locations = Object.values(data.context.named).map(({ location }) => location);
    const bases = locations.filter((one) => one.startsWith(scheme) && one.includes("@sha256:"));
    return [
        {
            ...common,
            platform,
            kind: "build",
            context,
            ...(pushed !== undefined && { pushed }),
            ...(former !== undefined && { former }),
            bases: bases.map((one) => one.slice(scheme.length)),
        },
    ];
}

/** The builds, tests and promotions in the engine's log, in the order in which they began. */
export const imageSteps = ({ steps }: EngineLog): ImageStep[] => steps.flatMap(readStep);

const digestOf = (ref: string) => ref.slice(ref.indexOf("@") + 1);

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
