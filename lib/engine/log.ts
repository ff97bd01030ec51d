import { z } from "zod";
import { readUrn } from "./resources";

/** A resource in an event of the engine's log, as far as it matters here; values that are secret are masked in it. */
const state = z.object({
    parent: z.string().default(""),
    inputs: z.record(z.string(), z.unknown()).default({}),
    outputs: z.record(z.string(), z.unknown()).default({}),
});
/** Pulumi's sdk/v3/go/common/apitype/events.go, as `pulumi up --event-log` writes it: one event a line. */
const step = z.object({
    metadata: z.object({
        op: z.string(),
        urn: z.string(),
        type: z.string(),
        old: state.nullish(),
        new: state.nullish(),
    }),
});
const event = z.object({
    timestamp: z.number(),
    resourcePreEvent: step.optional(),
    resOutputsEvent: step.optional(),
    resOpFailedEvent: step.optional(),
    diagnosticEvent: z
        .object({ urn: z.string().optional(), message: z.string().default(""), severity: z.string().default("") })
        .optional(),
    summaryEvent: z.object({ durationSeconds: z.number(), result: z.string().optional() }).optional(),
});

/** A step's resource before or after it. */
export type StepState = z.infer<typeof state>;

/** A step of the engine: one operation on one resource. */
export interface EngineStep {
    readonly urn: string;
    readonly type: string;
    /** The engine's word: same, create, update, create-replacement … */
    readonly operation: string;
    readonly before: StepState | undefined;
    readonly after: StepState | undefined;
    /** Whole seconds; until the log's end for a step that never ended. */
    readonly seconds: number;
    /** `cut off` is a step that never ended. */
    readonly result: "succeeded" | "failed" | "cut off";
}

/** What the engine logged of an update. */
export interface EngineLog {
    /** The stack's name. */
    readonly stack: string;
    /** Milliseconds since 1970. */
    readonly start: number;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** In the order in which they began. */
    readonly steps: readonly EngineStep[];
    /** Lines that were told of resources, by URN, "" for those of none; debugging left out. */
    readonly told: ReadonlyMap<string, readonly { readonly severity: string; readonly line: string }[]>;
}

/** What the engine writes for colours: its own directives, and the terminal's. */
const colours = /<\{%[^%]*%\}>|\u001b\[[0-9;]*m/g;

function parseLine(line: string): z.infer<typeof event> | undefined {
    try {
        return event.safeParse(JSON.parse(line)).data;
    } catch {
        // The last line of an engine that was killed.
        return undefined;
    }
}

/**
 * Reads the log that `pulumi up --event-log` wrote, also of an update that failed or was cut off.
 *
 * @param text one JSON object a line; lines that are no events are passed over
 * @returns undefined where the update ended before it came to any resource
 */
export function parseEngineLog(text: string): EngineLog | undefined {
    const events = text.split("\n").flatMap((line) => (line === "" ? [] : (parseLine(line) ?? [])));
    const [first, last] = [events[0], events.at(-1)];
    if (!first || !last) return undefined;
    const begun = new Map<string, number>();
    const steps = new Map<string, EngineStep>();
    const told = new Map<string, { severity: string; line: string }[]>();
    for (const { timestamp, resourcePreEvent, resOutputsEvent, resOpFailedEvent, diagnosticEvent } of events) {
        const of = resourcePreEvent ?? resOutputsEvent ?? resOpFailedEvent;
        if (of) {
            const { op: operation, urn, type, old, new: now } = of.metadata;
            const key = `${operation} ${urn}`;
            if (resourcePreEvent) begun.set(key, timestamp);
            const ended = resourcePreEvent ? last.timestamp : timestamp;
            const result = resourcePreEvent ? "cut off" : resOutputsEvent ? "succeeded" : "failed";
            const seconds = ended - (begun.get(key) ?? ended);
            steps.set(key, {
                urn,
                type,
                operation,
                before: old ?? undefined,
                after: now ?? undefined,
                seconds,
                result,
            });
        } else if (diagnosticEvent && diagnosticEvent.severity !== "debug") {
            const { urn = "", severity, message } = diagnosticEvent;
            const lines = message.replace(colours, "").trimEnd().split("\n");
            told.set(urn, [...(told.get(urn) ?? []), ...lines.map((line) => ({ severity, line }))]);
        }
    }
    const [any] = steps.values();
    if (!any) return undefined;
    const summary = events.find(({ summaryEvent }) => summaryEvent)?.summaryEvent;
    return {
        stack: readUrn(any.urn).stack,
        start: first.timestamp * 1000,
        seconds: summary?.durationSeconds ?? last.timestamp - first.timestamp,
        result: summary?.result === "succeeded" ? "succeeded" : "failed",
        steps: [...steps.values()],
        told,
    };
}
