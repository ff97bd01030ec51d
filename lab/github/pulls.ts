import { invalid, notFound, Refusal } from "./errors";
import { addCommit, changedPaths, conflicts, history, mergeBase } from "./git";
import { nodeId, simpleUser } from "./accounts";
import { diffEntries } from "./representGit";
import { fullRepository, repositoryPage, repositoryUrl } from "./repositories";
import { checkMerge, isLinear } from "./rules";
import { created, ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { committerOf, nextId } from "./seed";
import { type Commit, own, type PullRequest, type Repository, type State } from "./state";
import { laterThan, timestamp } from "./time";

/** Returns the commit that a pull request would merge, or has merged. */
const headOf = (repository: Repository, pull: PullRequest): string =>
    pull.headSha ?? own(repository.branches, pull.head) ?? "";

/** Schemas `pull-request` and `pull-request-simple`. */
function represent({ state, base, repository }: RepositoryRequest, pull: PullRequest) {
    const root = repositoryUrl(base, repository);
    const number = pull.number.toString();
    const url = `${root}/pulls/${number}`;
    const issueUrl = `${root}/issues/${number}`;
    const page = `${repositoryPage(base, repository)}/pull/${number}`;
    const head = headOf(repository, pull);
    const target = own(repository.branches, pull.base) ?? pull.baseSha;
    const start = mergeBase(repository, pull.baseSha, head);
    const before = start?.files ?? {};
    const files = diffEntries(base, repository, before, own(repository.commits, head)?.files ?? {}, head);
    const inBase = new Set(history(repository, pull.baseSha).map((commit) => commit.sha));
    const clean = conflicts(repository, target, head).length === 0;
    const user = simpleUser(state, base, pull.user);
    const side = (ref: string, sha: string) => ({
        label: `${repository.owner}:${ref}`,
        ref,
        sha,
        user: simpleUser(state, base, repository.owner),
        repo: fullRepository(state, base, repository),
    });
    const links = {
        self: url,
        html: page,
        issue: issueUrl,
        comments: `${issueUrl}/comments`,
        review_comments: `${url}/comments`,
        review_comment: `${root}/pulls/comments{/number}`,
        commits: `${url}/commits`,
        statuses: `${root}/statuses/${head}`,
    };
    return {
        id: pull.id,
        node_id: nodeId("PullRequest", pull.id),
        number: pull.number,
        state: pull.state,
        locked: false,
        title: pull.title,
        body: pull.body,
        user,
        labels: [],
        milestone: null,
        assignee: null,
        assignees: [],
        requested_reviewers: [],
        requested_teams: [],
        author_association: "MEMBER",
        auto_merge: null,
        draft: pull.draft,
        created_at: pull.createdAt,
        updated_at: pull.updatedAt,
        closed_at: pull.closedAt,
        merged_at: pull.mergedAt ?? null,
        merged: pull.mergedAt !== undefined,
        merged_by: pull.mergedBy === undefined ? null : simpleUser(state, base, pull.mergedBy),
        merge_commit_sha: pull.mergeSha ?? null,
        mergeable: pull.state === "open" ? clean : null,
        mergeable_state: pull.state === "open" ? (clean ? "clean" : "dirty") : "unknown",
        rebaseable: null,
        maintainer_can_modify: pull.maintainerCanModify,
        comments: 0,
        review_comments: 0,
        commits: history(repository, head).filter((commit) => !inBase.has(commit.sha)).length,
        additions: files.reduce((sum, file) => sum + file.additions, 0),
        deletions: files.reduce((sum, file) => sum + file.deletions, 0),
        changed_files: files.length,
        head: side(pull.head, head),
        base: side(pull.base, pull.baseSha),
        url,
        html_url: page,
        diff_url: `${page}.diff`,
        patch_url: `${page}.patch`,
        issue_url: issueUrl,
        comments_url: links.comments,
        commits_url: links.commits,
        review_comments_url: links.review_comments,
        review_comment_url: links.review_comment,
        statuses_url: links.statuses,
        _links: Object.fromEntries(Object.entries(links).map(([name, href]) => [name, { href }])),
    };
}

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
    const found = repository.pulls.filter(
        (pull) =>
            (state === "all" || pull.state === state) &&
            (branch === undefined || pull.head === branch) &&
            (base === undefined || pull.base === base),
    );
    const { page, headers } = paginate(request, direction === "asc" ? found : found.reverse());
    return { ...ok(page.map((pull) => represent(request, pull))), headers };
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
    const twin = repository.pulls.find((one) => one.state === "open" && one.head === head && one.base === base);
    if (twin) throw custom(`A pull request already exists for ${repository.owner}:${head}.`);
    if (history(repository, baseSha).some((commit) => commit.sha === headSha)) {
        throw custom(`No commits between ${base} and ${head}`);
    }
    const now = timestamp();
    const pull: PullRequest = {
        ...{ id: nextId(request.state), number: repository.pulls.length + 1, user: request.token.login },
        ...{ title, body, state: "open", createdAt: now, updatedAt: now, closedAt: null },
        ...{ head, base, baseSha, draft, maintainerCanModify: rest.maintainer_can_modify ?? false },
    };
    repository.pulls.push(pull);
    return created(represent(request, pull));
};

function pullOf({ repository, params }: RepositoryRequest): PullRequest {
    const pull = repository.pulls.find((one) => one.number.toString() === params.pull_number);
    if (!pull) throw notFound();
    return pull;
}

/** Returns a pull request; while it is open, its head is the head of its branch. */
export const getPull: RepositoryHandler = (request) => ok(represent(request, pullOf(request)));

/** Changes the given properties of a pull request, and closes or opens it. */
export const updatePull: RepositoryHandler = (request) => {
    const { repository } = request;
    const pull = pullOf(request);
    const { title, body, state, base, ...rest } = request.body as PullBody;
    if (title !== undefined) pull.title = title;
    if (body !== undefined) pull.body = body;
    if (rest.maintainer_can_modify !== undefined) pull.maintainerCanModify = rest.maintainer_can_modify;
    if (base !== undefined) {
        const sha = own(repository.branches, base);
        if (sha === undefined) throw wrong("base");
        Object.assign(pull, { base, baseSha: sha });
    }
    if (state === "closed" && pull.state === "open") pull.headSha = headOf(repository, pull);
    if (state === "open" && pull.state === "closed") {
        if (pull.mergedAt !== undefined) throw custom("state cannot be changed. The pull request was merged.");
        if (own(repository.branches, pull.head) === undefined) {
            throw custom(`state cannot be changed. The ${pull.head} branch has been deleted.`);
        }
        delete pull.headSha;
    }
    if (state && state !== pull.state)
        Object.assign(pull, { state, closedAt: state === "closed" ? timestamp() : null });
    pull.updatedAt = laterThan(pull.updatedAt);
    return ok(represent(request, pull));
};

/**
 * Merges a pull request, as a user does on GitHub: with a merge commit, or squashed where the branch demands a linear history.
 *
 * @throws Refusal 404 for an unknown pull request, 405 for a closed or conflicting one, or a locked branch
 */
export function mergePull(state: State, repository: Repository, number: number): Commit {
    const pull = repository.pulls.find((one) => one.number === number);
    if (!pull) throw new Refusal(404, `there is no pull request ${number.toString()}`);
    const head = headOf(repository, pull);
    const base = own(repository.branches, pull.base) ?? "";
    const inConflict = conflicts(repository, base, head);
    checkMerge(repository, pull.base);
    if (pull.state === "closed" || inConflict.length > 0) {
        throw new Refusal(405, `Pull Request is not mergeable ${inConflict.join(", ")}`.trim());
    }
    const start = mergeBase(repository, base, head)?.files ?? {};
    const theirs = repository.commits[head]?.files ?? {};
    const files: Record<string, string> = { ...repository.commits[base]?.files };
    for (const path of changedPaths(start, theirs)) {
        const blob = own(theirs, path);
        if (blob === undefined) Reflect.deleteProperty(files, path);
        else files[path] = blob;
    }
    const now = timestamp();
    const message = `Merge pull request #${number.toString()} from ${repository.owner}/${pull.head}\n\n${pull.title}`;
    const author = { ...committerOf(state, repository.owner), date: now };
    // Without merge commits, GitHub offers to squash.
    const parents = isLinear(repository, pull.base) ? [base] : [base, head];
    const commit = addCommit(repository, { parents, message, author, files });
    repository.branches[pull.base] = commit.sha;
    repository.pushedAt = now;
    Object.assign(pull, { headSha: head, mergedAt: now, mergedBy: repository.owner, mergeSha: commit.sha });
    Object.assign(pull, { state: "closed", closedAt: now, updatedAt: now });
    return commit;
}
