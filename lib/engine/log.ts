import { z } from "zod";
import { readUrn } from "./resources";

/** A resource in an event of the engine's log, reduced to the fields used here; the engine masks secret values. */
const state = z.object({
    parent: z.string().default(""),
    inputs: z.record(z.string(), z.unknown()).default({}),
    outputs: z.record(z.string(), z.unknown()).default({}),
});
/** Pulumi's sdk/v3/go/common/apitype/events.go, as `pulumi up --event-log` writes it: one event per line. */
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

/** The resource of a step, before or after that step. */
export type StepState = z.infer<typeof state>;

/** A step of the engine: one operation on one resource. */
export interface EngineStep {
    readonly urn: string;
    readonly type: string;
    /** The engine's word: same, create, update, create-replacement … */
    readonly operation: string;
    readonly before: StepState | undefined;
    readonly after: StepState | undefined;
    /** Whole seconds; measured to the end of the log for a step that never ended. */
    readonly seconds: number;
    /** `cut off`: the step never ended. */
    readonly result: "succeeded" | "failed" | "cut off";
}

/** The engine's log of an update. */
export interface EngineLog {
    /** The stack's name. */
    readonly stack: string;
    /** Milliseconds since 1970. */
    readonly start: number;
    readonly seconds: number;
    readonly result: "succeeded" | "failed";
    /** In the order of their starts. */
    readonly steps: readonly EngineStep[];
    /** Lines of diagnostics by the URN of their resource, "" without a resource; debug messages are left out. */
    readonly messages: ReadonlyMap<string, readonly { readonly severity: string; readonly line: string }[]>;
}

/** Colour codes in the engine's messages: Pulumi's directives and terminal escape sequences. */
const colours = /<\{%[^%]*%\}>|\u001b\[[0-9;]*m/g;

function parseLine(line: string): z.infer<typeof event> | undefined {
    try {
        return event.safeParse(JSON.parse(line)).data;
    } catch {
        // A killed engine leaves its last line incomplete.
        return undefined;
    }
}

/**
 * Reads the log that `pulumi up --event-log` wrote, including the log of an update that failed or was interrupted.
 *
 * @param text one JSON object per line; lines that are not events are skipped
 * @returns undefined if the update ended before it reached any resource
 */
export function parseEngineLog(text: string): EngineLog | undefined {
    const events = text.split("\n").flatMap((line) => (line === "" ? [] : (parseLine(line) ?? [])));
    const [first, last] = [events[0], events.at(-1)];
    if (!first || !last) return undefined;
    const begun = new Map<string, number>();
    const steps = new Map<string, EngineStep>();
    const messages = new Map<string, { severity: string; line: string }[]>();
    for (const { timestamp, resourcePreEvent, resOutputsEvent, resOpFailedEvent, diagnosticEvent } of events) {
        const stepEvent = resourcePreEvent ?? resOutputsEvent ?? resOpFailedEvent;
        if (stepEvent) {
            const { op: operation, urn, type, old, new: now } = stepEvent.metadata;
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
            messages.set(urn, [...(messages.get(urn) ?? []), ...lines.map((line) => ({ severity, line }))]);
        }
    }
    const [firstStep] = steps.values();
    if (!firstStep) return undefined;
    const summary = events.find(({ summaryEvent }) => summaryEvent)?.summaryEvent;
    return {
        stack: readUrn(firstStep.urn).stack,
        start: first.timestamp * 1000,
        seconds: summary?.durationSeconds ?? last.timestamp - first.timestamp,
        result: summary?.result === "succeeded" ? "succeeded" : "failed",
        steps: [...steps.values()],
        messages,
    };
}
