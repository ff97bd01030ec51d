import { invalid, notFound } from "./errors";
import { issueOf } from "./issues";
import { nodeId, simpleUser } from "./representAccount";
import { repositoryPage, repositoryUrl } from "./representRepository";
import { created, ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { nextId } from "./seed";
import type { Comment, Issue } from "./state";
import { laterThan, timestamp } from "./time";

/** Schema `issue-comment`. */
function representComment({ state, base, repository }: RepositoryRequest, issue: Issue, comment: Comment) {
    const root = repositoryUrl(base, repository);
    const page = `${repositoryPage(base, repository)}/${issue.pull ? "pull" : "issues"}/${issue.number.toString()}`;
    return {
        id: comment.id,
        node_id: nodeId("IssueComment", comment.id),
        url: `${root}/issues/comments/${comment.id.toString()}`,
        html_url: `${page}#issuecomment-${comment.id.toString()}`,
        issue_url: `${root}/issues/${issue.number.toString()}`,
        user: simpleUser(state, base, comment.user),
        author_association: "MEMBER",
        body: comment.body,
        created_at: comment.createdAt,
        updated_at: comment.updatedAt,
    };
}

/** Returns the comments of an issue or pull request, oldest first. */
export const listComments: RepositoryHandler = (request) => {
    const issue = issueOf(request, "issue_number");
    const { page, headers } = paginate(request, issue.comments);
    return { ...ok(page.map((comment) => representComment(request, issue, comment))), headers };
};

/** Adds a comment; refuses an empty comment. */
export const createComment: RepositoryHandler = (request) => {
    const issue = issueOf(request, "issue_number");
    const { body } = request.body as { body: string };
    if (body.trim() === "") throw invalid({ resource: "IssueComment", field: "body", code: "missing_field" });
    const now = timestamp();
    const comment = { id: nextId(request.state), user: request.token.login, body, createdAt: now, updatedAt: now };
    issue.comments.push(comment);
    return created(representComment(request, issue, comment));
};

/** Changes a comment of any issue or pull request. */
export const updateComment: RepositoryHandler = (request) => {
    for (const issue of request.repository.issues) {
        const comment = issue.comments.find((one) => one.id.toString() === request.params.comment_id);
        if (!comment) continue;
        comment.body = (request.body as { body: string }).body;
        comment.updatedAt = laterThan(comment.updatedAt);
        return ok(representComment(request, issue, comment));
    }
    throw notFound();
};
