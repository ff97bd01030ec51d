import { type WorkflowDefinitions, defaultUp } from "./definition";

/** Time limit in minutes of a job that runs `up`, unless workflows.ts sets another one. */
export const defaultMinutes = 180;

/** Most minutes that a job may have: GitHub ends every job of its own runners after six hours. */
export const longestMinutes = 360;

/** Minutes of a job for everything but building: setting up, planning, and what runners differ by. */
const overhead = 15;

/** The part of its time limit that an update may be expected to take. */
const comfortable = 0.75;

/**
 * Compares the time limits of the jobs that run `up` with how long an update may take. A time limit is written into the workflow files, which
 * must not differ between checkouts, so it does not follow recorded durations by itself; this says when it should.
 *
 * @param seconds the longest that the update is expected to take, from recorded durations
 * @returns a warning for each workflow whose limit is near, with the value to set
 */
export function timeLimitWarnings({ up = defaultUp }: WorkflowDefinitions, seconds: number): string[] {
    const needed = seconds / 60 + overhead;
    const wanted = Math.ceil(needed / comfortable / 15) * 15;
    return up.flatMap(({ file, name, minutes = defaultMinutes }) => {
        if (needed <= minutes * comfortable || minutes >= longestMinutes) return [];
        const value = Math.min(wanted, longestMinutes);
        return [
            `This update may take ${Math.round(needed)} minutes, and a job of "${name}" is ended after ${minutes}: ` +
                `set minutes: ${value} for ${file} in workflows.ts, and run the command \`workflows\``,
        ];
    });
}
