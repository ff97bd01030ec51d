import { z } from "zod";
import type { RunMark } from "../engine/locks";
import { type GitHubTarget, ask } from "./api";
import { asking, inRepository, parse } from "./repository";

const jobsSchema = z.object({
    jobs: z.array(
        z.object({ runner_name: z.string().nullable(), status: z.string(), completed_at: z.iso.datetime().nullable() }),
    ),
});

/**
 * Asks GitHub when the job of a workflow run ended.
 *
 * @param target the repository of the run, with a token that may read its runs; a public repository needs none
 * @returns milliseconds since 1970; undefined if the job has not ended, or GitHub does not know it
 * @throws InputError if the token is refused
 * @throws UnreachableError if GitHub is not available, or the response is unexpected
 */
export async function jobEnd(target: GitHubTarget, { run, attempt, runner }: RunMark): Promise<number | undefined> {
    const what = `read the jobs of run ${run}`;
    // A job beyond the first hundred is one that GitHub does not know.
    const path = `/actions/runs/${run}/attempts/${attempt}/jobs?per_page=100`;
    const { body } = await asking(target, () => ask(target, inRepository(target, path), what));
    const { jobs } = body === undefined ? { jobs: [] } : parse(jobsSchema, body, what);
    const ours = jobs.filter(({ runner_name: name }) => name === runner);
    const ends = ours.map(({ status, completed_at: end }) => (status === "completed" && end ? Date.parse(end) : NaN));
    const last = Math.max(...ends);
    return ends.length > 0 && Number.isFinite(last) ? last : undefined;
}
