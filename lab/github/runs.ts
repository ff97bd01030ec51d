import { nodeId } from "./accounts";
import { notFound } from "./errors";
import { repositoryPage, repositoryUrl } from "./repositories";
import { ok, paginate, type RepositoryHandler } from "./request";
import { own } from "./state";

/** Returns the jobs of one attempt of a workflow run. */
export const listJobs: RepositoryHandler = (request) => {
    const { base, repository, params } = request;
    const { run_id: run = "", attempt_number: attempt = "" } = params;
    const jobs = own(repository.runs, `${run}/${attempt}`);
    if (!jobs) throw notFound();
    const { page, headers } = paginate(request, jobs);
    const root = repositoryUrl(base, repository);
    const described = page.map(({ id, name, runner, status, conclusion, startedAt, completedAt }) => ({
        id,
        run_id: Number(run),
        run_url: `${root}/actions/runs/${run}`,
        run_attempt: Number(attempt),
        node_id: nodeId("Job", id),
        head_sha: repository.branches[repository.defaultBranch] ?? "",
        url: `${root}/actions/jobs/${id.toString()}`,
        html_url: `${repositoryPage(base, repository)}/actions/runs/${run}/job/${id.toString()}`,
        ...{ status, conclusion, name, created_at: startedAt, started_at: startedAt, completed_at: completedAt },
        check_run_url: `${root}/check-runs/${id.toString()}`,
        labels: ["ubuntu-latest"],
        ...{ runner_id: runner === null ? null : id, runner_name: runner },
        ...{ runner_group_id: null, runner_group_name: null, workflow_name: null },
        head_branch: repository.defaultBranch,
    }));
    return { ...ok({ total_count: jobs.length, jobs: described }), headers };
};
