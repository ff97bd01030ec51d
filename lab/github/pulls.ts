import { invalid, notFound, Refusal } from "./errors";
import { history } from "./git";
import { issueOf, newIssue, setState } from "./issues";
import { headOf, isPull, type PullRequest, representPull as represent } from "./representPull";
import { created, ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { own, type Repository } from "./state";
import { laterThan } from "./time";

/** Returns the branch of this repository in `owner:branch` or `branch`; forks are not supported. */
function branchOf(repository: Repository, head: string): string {
    const [, owner, branch = head] = /^([^:]+):(.+)$/.exec(head) ?? [];
    if (owner !== undefined && owner !== repository.owner)
        throw new Refusal(501, `the stand-in keeps no forks: ${head}`);
    return branch;
}

/** Returns pull requests, newest first; filtered by state, head (`owner:branch`) and base. */
export const listPulls: RepositoryHandler = (request) => {
    const { repository, query } = request;
    const { state = "open", head, base, direction = "desc" } = query;
    const branch = head === undefined ? undefined : branchOf(repository, head);
    const found = repository.issues
        .filter(isPull)
        .filter((issue) => state === "all" || issue.state === state)
        .filter(({ pull }) => branch === undefined || pull.head === branch)
        .filter(({ pull }) => base === undefined || pull.base === base);
    const { page, headers } = paginate(request, direction === "asc" ? found : found.reverse());
    return { ...ok(page.map((issue) => represent(request, issue))), headers };
};

interface PullBody {
    readonly title?: string;
    readonly body?: string | null;
    readonly head?: string;
    readonly base?: string;
    readonly state?: "open" | "closed";
    readonly draft?: boolean;
    readonly maintainer_can_modify?: boolean;
}

const custom = (message: string) => invalid({ resource: "PullRequest", code: "custom", message });
const wrong = (field: string) => invalid({ resource: "PullRequest", field, code: "invalid" });

/** Opens a pull request. GitHub allows one per pair of branches, and refuses a pull request without a commit. */
export const createPull: RepositoryHandler = (request) => {
    const { repository } = request;
    const { title, body = null, head: from = "", base = "", draft = false, ...rest } = request.body as PullBody;
    if (title === undefined || title === "")
        throw invalid({ resource: "PullRequest", field: "title", code: "missing_field" });
    const head = branchOf(repository, from);
    const headSha = own(repository.branches, head);
    const baseSha = own(repository.branches, base);
    if (headSha === undefined) throw wrong("head");
    if (baseSha === undefined) throw wrong("base");
    const twin = repository.issues.find(
        (one) => one.state === "open" && one.pull?.head === head && one.pull.base === base,
    );
    if (twin) throw custom(`A pull request already exists for ${repository.owner}:${head}.`);
    if (history(repository, baseSha).some((commit) => commit.sha === headSha)) {
        throw custom(`No commits between ${base} and ${head}`);
    }
    const maintainerCanModify = rest.maintainer_can_modify ?? false;
    const issue = { ...newIssue(request, title, body), pull: { head, base, baseSha, draft, maintainerCanModify } };
    repository.issues.push(issue);
    return created(represent(request, issue));
};

function pullOf(request: RepositoryRequest): PullRequest {
    const issue = issueOf(request, "pull_number");
    if (!isPull(issue)) throw notFound();
    return issue;
}

/** Returns a pull request; while it is open, its head is the head of its branch. */
export const getPull: RepositoryHandler = (request) => ok(represent(request, pullOf(request)));

/** Changes the given properties of a pull request, and closes or opens it. */
export const updatePull: RepositoryHandler = (request) => {
    const { repository } = request;
    const issue = pullOf(request);
    const { title, body, state, base, ...rest } = request.body as PullBody;
    if (title !== undefined) issue.title = title;
    if (body !== undefined) issue.body = body;
    if (rest.maintainer_can_modify !== undefined) issue.pull.maintainerCanModify = rest.maintainer_can_modify;
    if (base !== undefined) {
        const sha = own(repository.branches, base);
        if (sha === undefined) throw wrong("base");
        Object.assign(issue.pull, { base, baseSha: sha });
    }
    if (state === "closed" && issue.state === "open") issue.pull.headSha = headOf(repository, issue);
    if (state === "open" && issue.state === "closed") {
        if (issue.pull.mergedAt !== undefined) throw custom("state cannot be changed. The pull request was merged.");
        if (own(repository.branches, issue.pull.head) === undefined) {
            throw custom(`state cannot be changed. The ${issue.pull.head} branch has been deleted.`);
        }
        delete issue.pull.headSha;
    }
    if (state) setState(issue, state);
    issue.updatedAt = laterThan(issue.updatedAt);
    return ok(represent(request, issue));
};
