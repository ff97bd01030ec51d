import type { Job, Model } from "./model";
import type { Event } from "./repository";
import { type Choose, everyWay } from "./schedules";

/** A course of events. */
export interface Scenario {
    /** What people do, in this order; between two of them anything may or may not happen. */
    readonly events: readonly Event[];
    /** Whether a job fails, asked when it ends. */
    readonly fails?: (job: Job, model: Model) => boolean;
    /** Whether a job is kept waiting for a runner while others can go on. */
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

/** What comes of a scenario over all orders in which GitHub may do things; each order starts with a model of its own. */
export function outcome(newModel: () => Model, scenario: Scenario) {
    const ends = everyWay((choose) => {
        const model = play(newModel(), scenario, choose);
        return { runs: model.ended.length, built: model.registry.built, stale: !model.isConverged() };
    });
    const range = (numbers: readonly number[]) => [...new Set([Math.min(...numbers), Math.max(...numbers)])].join("–");
    const stale = ends.filter((end) => end.stale).length;
    return {
        runs: range(ends.map(({ runs }) => runs)),
        built: range(ends.map(({ built }) => built)),
        stale: stale === 0 ? "never" : stale === ends.length ? "always" : "in some orders",
    };
}
