import type { Job, Model } from "./model";
import type { Event } from "./repository";
import { type Choose, everyWay } from "./schedules";

/** A sequence of events. */
export interface Scenario {
    /** Actions of users, in this order; between two events, any number of jobs may change state. */
    readonly events: readonly Event[];
    /** Returns whether a job fails; called when the job ends. */
    readonly fails?: (job: Job, model: Model) => boolean;
    /** Returns whether a job waits for a runner while other jobs can continue. */
    readonly isLate?: (job: Job) => boolean;
}

function play(model: Model, { events, fails, isLate }: Scenario, choose: Choose): Model {
    const left = [...events];
    for (;;) {
        const all = model.movable();
        const early = all.filter((job) => !(isLate?.(job) ?? false));
        const jobs = early.length > 0 || left.length > 0 ? early : all;
        const possibilities = jobs.length + (left.length > 0 ? 1 : 0);
        if (possibilities === 0) return model;
        const job = jobs[choose(possibilities)];
        const event = job ? undefined : left.shift();
        if (job) model.move(job, !(fails?.(job, model) ?? false));
        if (event) model.happen(event);
    }
}

/** Returns the outcome of a scenario over all orders in which GitHub may process it; each order uses a new model. */
export function outcome(newModel: () => Model, scenario: Scenario) {
    const ends = everyWay((choose) => {
        const model = play(newModel(), scenario, choose);
        const red = model.runs.filter(({ conclusion = "" }) => ["failure", "cancelled"].includes(conclusion));
        const { built } = model.registry;
        return { runs: model.ended.length, built, red: red.length, stale: !model.isConverged() };
    });
    const range = (numbers: readonly number[]) => [...new Set([Math.min(...numbers), Math.max(...numbers)])].join("–");
    const stale = ends.filter((end) => end.stale).length;
    return {
        runs: range(ends.map(({ runs }) => runs)),
        built: range(ends.map(({ built }) => built)),
        /** Runs that GitHub shows as failed or cancelled. */
        red: range(ends.map(({ red }) => red)),
        stale: stale === 0 ? "never" : stale === ends.length ? "always" : "in some orders",
    };
}
