import { invalid, notFound } from "./errors";
import { nodeId, simpleUser } from "./representAccount";
import { repositoryPage, repositoryUrl } from "./representRepository";
import { created, ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { nextId } from "./seed";
import type { Issue } from "./state";
import { laterThan, timestamp } from "./time";

/** Schema `label`, as part of issues. */
export const labelOf = (name: string) => ({
    id: 1,
    node_id: nodeId("Label", name),
    url: "",
    name,
    description: null,
    color: "ededed",
    default: false,
});

/** Schema `issue`; a pull request is an issue too, and its representation marks it. */
function represent({ state, base, repository }: RepositoryRequest, issue: Issue) {
    const root = repositoryUrl(base, repository);
    const url = `${root}/issues/${issue.number.toString()}`;
    const pull = `${root}/pulls/${issue.number.toString()}`;
    const page = `${repositoryPage(base, repository)}/${issue.pull ? "pull" : "issues"}/${issue.number.toString()}`;
    return {
        id: issue.id,
        node_id: nodeId("Issue", issue.id),
        number: issue.number,
        title: issue.title,
        body: issue.body,
        state: issue.state,
        state_reason: issue.stateReason,
        user: simpleUser(state, base, issue.user),
        labels: issue.labels.map((name) => ({ ...labelOf(name), url: `${root}/labels/${encodeURIComponent(name)}` })),
        assignee: null,
        assignees: [],
        milestone: null,
        locked: false,
        author_association: "MEMBER",
        comments: issue.comments.length,
        created_at: issue.createdAt,
        updated_at: issue.updatedAt,
        closed_at: issue.closedAt,
        url,
        repository_url: root,
        labels_url: `${url}/labels{/name}`,
        comments_url: `${url}/comments`,
        events_url: `${url}/events`,
        html_url: page,
        ...(issue.pull && {
            pull_request: { url: pull, html_url: page, diff_url: `${page}.diff`, patch_url: `${page}.patch` },
        }),
    };
}

/** Returns the issue or pull request with that number. */
export function issueOf({ repository, params }: RepositoryRequest, parameter: string): Issue {
    const issue = repository.issues.find((one) => one.number.toString() === params[parameter]);
    if (!issue) throw notFound();
    return issue;
}

/** Returns an issue that is not yet in its repository: open, without comments. */
export function newIssue(request: RepositoryRequest, title: string, body: string | null): Issue {
    const now = timestamp();
    return {
        id: nextId(request.state),
        number: request.repository.issues.length + 1,
        user: request.token.login,
        title,
        body,
        state: "open",
        stateReason: null,
        labels: [],
        createdAt: now,
        updatedAt: now,
        closedAt: null,
        comments: [],
    };
}

/** Applies a new state: closing sets the closing time, reopening clears it, and an unchanged state keeps it. */
export function setState(issue: Issue, state: Issue["state"], reason: Issue["stateReason"] = null): void {
    issue.stateReason = reason;
    if (issue.state === state) return;
    issue.state = state;
    issue.closedAt = state === "closed" ? timestamp() : null;
}

interface IssueBody {
    readonly title?: string | number | null;
    readonly body?: string | null;
    readonly state?: Issue["state"];
    readonly state_reason?: Issue["stateReason"];
    readonly labels?: readonly (string | { readonly name?: string })[];
}

const labelNames = (labels: NonNullable<IssueBody["labels"]>): string[] =>
    labels.map((label) => (typeof label === "string" ? label : (label.name ?? "")));

/** Returns issues and pull requests, newest first; filtered by state, labels and creator. */
export const listIssues: RepositoryHandler = (request) => {
    const { state = "open", labels = "", creator, direction = "desc" } = request.query;
    const wanted = labels.split(",").filter((label) => label !== "");
    const found = request.repository.issues.filter(
        (issue) =>
            (state === "all" || issue.state === state) &&
            wanted.every((label) => issue.labels.includes(label)) &&
            (creator === undefined || issue.user === creator),
    );
    const { page, headers } = paginate(request, direction === "asc" ? found : found.reverse());
    return { ...ok(page.map((issue) => represent(request, issue))), headers };
};

/** Opens an issue. */
export const createIssue: RepositoryHandler = (request) => {
    const { title, body = null, labels = [] } = request.body as IssueBody;
    if (title === undefined || title === null || title === "") {
        throw invalid({ resource: "Issue", field: "title", code: "missing_field" });
    }
    const issue = newIssue(request, title.toString(), body);
    issue.labels = labelNames(labels);
    request.repository.issues.push(issue);
    return created(represent(request, issue));
};

/** Returns an issue, or a pull request as an issue. */
export const getIssue: RepositoryHandler = (request) => ok(represent(request, issueOf(request, "issue_number")));

/** Changes the given properties of an issue or pull request, and closes or opens it. */
export const updateIssue: RepositoryHandler = (request) => {
    const issue = issueOf(request, "issue_number");
    const { title, body, state, state_reason: reason, labels } = request.body as IssueBody;
    if (title !== undefined && title !== null) issue.title = title.toString();
    if (body !== undefined) issue.body = body;
    if (labels) issue.labels = labelNames(labels);
    if (state) setState(issue, state, reason ?? (state === "closed" ? "completed" : "reopened"));
    issue.updatedAt = laterThan(issue.updatedAt);
    return ok(represent(request, issue));
};
