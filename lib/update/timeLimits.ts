import { z } from "zod";
import { type RecordedWork, type UpdateRecord, recordedSeconds } from "./history";

/** Time limits in minutes where neither the stack nor recorded durations ask for another one. */
const usualMinutes: Readonly<Record<RecordedWork["kind"], number>> = { build: 120, test: 30, promotion: 15 };

/** How many times as long as ever recorded something may take. */
const patience = 3;

const minutes = z.int({ error: "not a whole number of minutes" }).min(1, "not a whole number of minutes, 1 or more");

/** `layered-images:timeLimits`: limits in minutes of a build with its push, a smoke test, and a promotion. */
export const timeLimitsSchema = z.strictObject({
    build: minutes.optional(),
    test: minutes.optional(),
    promotion: minutes.optional(),
});

/** Time limits that a stack sets, in whole minutes. */
export interface TimeLimitSettings {
    /** For each build for a platform, with its push. Default: 120, or three times the recorded duration. */
    readonly build?: number | undefined;
    /** For each smoke test. Default: 30, or three times the recorded duration. */
    readonly test?: number | undefined;
    /** For each tag of a promotion, and each copy of a release. Default: 15, or three times the recorded duration. */
    readonly promotion?: number | undefined;
}

/** The keys of `timeLimits`. */
export const timeLimitKeys = Object.keys(timeLimitsSchema.shape);

/** Returns the time limit in minutes of some work on an image. */
export type TimeLimits = (work: RecordedWork) => number;

/** Returns a time limit as an option of a resource: the engine's providers end what takes longer. */
export const timeouts = (limit: number) => ({ create: `${limit.toString()}m`, update: `${limit.toString()}m` });

/**
 * Returns the time limits of an update: what the stack sets; otherwise a generous default, or three times the recorded duration
 * if that is more.
 *
 * @param history the stack's recorded updates, newest first
 */
export const timeLimits =
    (settings: TimeLimitSettings, history: readonly UpdateRecord[]): TimeLimits =>
    (work) =>
        settings[work.kind] ??
        Math.max(usualMinutes[work.kind], Math.ceil((patience * (recordedSeconds(history, work) ?? 0)) / 60));
