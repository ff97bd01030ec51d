import { changedPaths, history } from "./git";
import { labelOf } from "./issues";
import { nodeId, simpleUser } from "./representAccount";
import { fullRepository, repositoryPage, repositoryUrl } from "./representRepository";
import { diffEntries } from "./representGit";
import type { RepositoryRequest } from "./request";
import { type Commit, type Issue, own, type Pull, type Repository } from "./state";

/** An issue that is a pull request. */
export interface PullRequest extends Issue {
    readonly pull: Pull;
}

/** Returns whether an issue is a pull request. */
export const isPull = (issue: Issue): issue is PullRequest => issue.pull !== undefined;

/** Returns the commit that a pull request would merge, or has merged. */
export const headOf = (repository: Repository, { pull }: PullRequest): string =>
    pull.headSha ?? own(repository.branches, pull.head) ?? "";

/**
 * Returns the best common ancestor of two commits (git-merge-base): a common ancestor from which no other common
 * ancestor descends.
 */
export function mergeBase(repository: Repository, one: string, other: string): Commit | undefined {
    const known = new Set(history(repository, other).map((commit) => commit.sha));
    const common = history(repository, one).filter((commit) => known.has(commit.sha));
    // Ancestors of a common ancestor are common ancestors too: the parents of all common ancestors are exactly those
    // from which another one descends.
    const before = new Set(common.flatMap(({ parents }) => parents));
    return common.find((commit) => !before.has(commit.sha));
}

/** Returns the paths that both sides changed in different ways since their merge base: they can't be merged. */
export function conflicts(repository: Repository, base: string, head: string): string[] {
    const start = mergeBase(repository, base, head)?.files ?? {};
    const ours = own(repository.commits, base)?.files ?? {};
    const theirs = own(repository.commits, head)?.files ?? {};
    const changed = new Set(changedPaths(start, ours));
    return changedPaths(start, theirs).filter((file) => changed.has(file) && ours[file] !== theirs[file]);
}

/** Schema `pull-request`. */
export function representPull(request: RepositoryRequest, issue: PullRequest) {
    const { state, base, repository } = request;
    const { pull } = issue;
    const root = repositoryUrl(base, repository);
    const number = issue.number.toString();
    const url = `${root}/pulls/${number}`;
    const issueUrl = `${root}/issues/${number}`;
    const page = `${repositoryPage(base, repository)}/pull/${number}`;
    const head = headOf(repository, issue);
    const target = own(repository.branches, pull.base) ?? pull.baseSha;
    const start = mergeBase(repository, pull.baseSha, head);
    const before = start?.files ?? {};
    const files = diffEntries(base, repository, before, own(repository.commits, head)?.files ?? {}, head);
    const inBase = new Set(history(repository, pull.baseSha).map((commit) => commit.sha));
    const clean = conflicts(repository, target, head).length === 0;
    const user = simpleUser(state, base, issue.user);
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
        id: issue.id,
        node_id: nodeId("PullRequest", issue.id),
        number: issue.number,
        state: issue.state,
        locked: false,
        title: issue.title,
        body: issue.body,
        user,
        labels: issue.labels.map(labelOf),
        milestone: null,
        assignee: null,
        assignees: [],
        requested_reviewers: [],
        requested_teams: [],
        author_association: "MEMBER",
        auto_merge: null,
        draft: pull.draft,
        created_at: issue.createdAt,
        updated_at: issue.updatedAt,
        closed_at: issue.closedAt,
        merged_at: pull.mergedAt ?? null,
        merged: pull.mergedAt !== undefined,
        merged_by: pull.mergedBy === undefined ? null : simpleUser(state, base, pull.mergedBy),
        merge_commit_sha: pull.mergeSha ?? null,
        mergeable: issue.state === "open" ? clean : null,
        mergeable_state: issue.state === "open" ? (clean ? "clean" : "dirty") : "unknown",
        rebaseable: null,
        maintainer_can_modify: pull.maintainerCanModify,
        comments: issue.comments.length,
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
