import { Refusal } from "./errors";
import { addBlob, addCommit, changedPaths } from "./git";
import { conflicts, headOf, isPull, mergeBase } from "./representPull";
import { committerOf } from "./seed";
import { type Commit, own, type Repository, type State } from "./state";
import { timestamp } from "./time";

/** A user who works on the repository in addition to the program. */
const outsider = { name: "outsider", email: "outsider@example.com" } as const;

/** A push by another user. */
export interface Push {
    readonly branch?: string | undefined;
    readonly message: string;
    /** Path → text; null deletes. */
    readonly files: Readonly<Record<string, string | null>>;
}

/** Adds a commit that another user pushes; a new branch starts from the default branch. */
export function pushFiles(repository: Repository, { branch = repository.defaultBranch, message, files }: Push): Commit {
    const head = own(repository.branches, branch) ?? repository.branches[repository.defaultBranch] ?? "";
    const all: Record<string, string> = { ...repository.commits[head]?.files };
    for (const [path, text] of Object.entries(files)) {
        if (text === null) Reflect.deleteProperty(all, path);
        else all[path] = addBlob(repository, Buffer.from(text));
    }
    const author = { ...outsider, date: timestamp() };
    const commit = addCommit(repository, { parents: [head], message, author, files: all });
    repository.branches[branch] = commit.sha;
    repository.pushedAt = timestamp();
    return commit;
}

/**
 * Merges a pull request with a merge commit, like a user on its page.
 *
 * @throws Refusal 404 for an unknown pull request, 405 for a closed or conflicting one
 */
export function mergePull(state: State, repository: Repository, number: number): Commit {
    const issue = repository.issues.filter(isPull).find((one) => one.number === number);
    if (!issue) throw new Refusal(404, `there is no pull request ${number.toString()}`);
    const { pull } = issue;
    const head = headOf(repository, issue);
    const base = own(repository.branches, pull.base) ?? "";
    const inConflict = conflicts(repository, base, head);
    if (issue.state === "closed" || inConflict.length > 0) {
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
    const message = `Merge pull request #${number.toString()} from ${repository.owner}/${pull.head}\n\n${issue.title}`;
    const author = { ...committerOf(state, repository.owner), date: now };
    const commit = addCommit(repository, { parents: [base, head], message, author, files });
    repository.branches[pull.base] = commit.sha;
    repository.pushedAt = now;
    Object.assign(pull, { headSha: head, mergedAt: now, mergedBy: repository.owner, mergeSha: commit.sha });
    Object.assign(issue, { state: "closed", closedAt: now, updatedAt: now });
    return commit;
}
