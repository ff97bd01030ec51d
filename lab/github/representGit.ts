import { changedPaths } from "./git";
import { nodeId, simpleUser } from "./accounts";
import { repositoryPage, repositoryUrl } from "./repositories";
import { own, type Commit, type Repository, type State } from "./state";

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
const unsigned = { verified: false, reason: "unsigned", signature: null, payload: null, verified_at: null };

/** The properties that files and folders share as entries of a folder (schema `content-directory`). */
export function contentEntry(
    base: string,
    repository: Repository,
    ref: string,
    path: string,
    { kind, sha, size }: { readonly kind: "blob" | "tree"; readonly sha: string; readonly size: number },
) {
    const root = repositoryUrl(base, repository);
    const page = repositoryPage(base, repository);
    // Clients read the ref from this address; without it terraform-provider-github panics.
    const url = `${root}/contents/${encodePath(path)}?ref=${encodeURIComponent(ref)}`;
    const html = `${page}/${kind}/${ref}/${encodePath(path)}`;
    const git = `${root}/git/${kind}s/${sha}`;
    return {
        type: kind === "tree" ? "dir" : "file",
        size,
        name: path.slice(path.lastIndexOf("/") + 1),
        path,
        sha,
        url,
        git_url: git,
        html_url: html,
        download_url: kind === "tree" ? null : `${page}/raw/${ref}/${encodePath(path)}`,
        _links: { self: url, git, html },
    };
}

/** Returns a blob's content. */
export const contentOf = (repository: Repository, blob: string | undefined): Buffer =>
    Buffer.from(own(repository.blobs, blob ?? "") ?? "", "base64");

/** Schema `content-file`. */
export function contentFile(base: string, repository: Repository, ref: string, path: string, blob: string) {
    const content = contentOf(repository, blob);
    return {
        ...contentEntry(base, repository, ref, path, { kind: "blob", sha: blob, size: content.length }),
        encoding: "base64",
        // GitHub breaks its base64 after 60 characters.
        content: content.toString("base64").replaceAll(/.{60}/g, "$&\n"),
    };
}

/** Schema `file-commit`, the commit part of the response to a file change. */
export function fileCommit(base: string, repository: Repository, commit: Commit) {
    const { sha, author, committer, message, tree, parents } = commit;
    const root = repositoryUrl(base, repository);
    return {
        sha,
        node_id: nodeId("Commit", sha),
        url: `${root}/git/commits/${sha}`,
        html_url: `${repositoryPage(base, repository)}/commit/${sha}`,
        author,
        committer,
        message,
        tree: { url: `${root}/git/trees/${tree}`, sha: tree },
        parents: parents.map((parent) => ({ sha: parent, url: `${root}/git/commits/${parent}` })),
        verification: unsigned,
    };
}

/** Counts the lines that only one of two texts contains. Positions do not matter: a moved line is not a change. */
function changedLines(before: string, after: string): { additions: number; deletions: number } {
    const counts = new Map<string, number>();
    for (const line of before === "" ? [] : before.split("\n")) counts.set(line, (counts.get(line) ?? 0) - 1);
    for (const line of after === "" ? [] : after.split("\n")) counts.set(line, (counts.get(line) ?? 0) + 1);
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    const all = [...counts.values()];
    return { additions: sum(all.filter((n) => n > 0)), deletions: -sum(all.filter((n) => n < 0)) };
}

/** Schema `diff-entry` of every path that differs between two trees. */
export function diffEntries(
    base: string,
    repository: Repository,
    before: Commit["files"],
    after: Commit["files"],
    ref: string,
) {
    const root = repositoryUrl(base, repository);
    const page = repositoryPage(base, repository);
    const text = (blob: string | undefined) => contentOf(repository, blob).toString();
    return changedPaths(before, after).map((filename) => {
        const [old, now] = [own(before, filename), own(after, filename)];
        const lines = changedLines(text(old), text(now));
        return {
            sha: now ?? old ?? null,
            filename,
            status: old === undefined ? "added" : now === undefined ? "removed" : "modified",
            ...lines,
            changes: lines.additions + lines.deletions,
            blob_url: `${page}/blob/${ref}/${encodePath(filename)}`,
            raw_url: `${page}/raw/${ref}/${encodePath(filename)}`,
            contents_url: `${root}/contents/${encodePath(filename)}?ref=${ref}`,
        };
    });
}

/** Schema `commit`, with its changes on request. */
export function fullCommit(state: State, base: string, repository: Repository, commit: Commit, withFiles: boolean) {
    const { sha, parents, author, committer, message, tree } = commit;
    const root = repositoryUrl(base, repository);
    const page = repositoryPage(base, repository);
    const before = own(repository.commits, parents[0] ?? "")?.files ?? {};
    const files = withFiles ? diffEntries(base, repository, before, commit.files, sha) : [];
    const total = (key: "additions" | "deletions") => files.reduce((sum, file) => sum + file[key], 0);
    const [additions, deletions] = [total("additions"), total("deletions")];
    const user = (name: string) => (own(state.accounts, name) ? simpleUser(state, base, name) : null);
    return {
        sha,
        node_id: nodeId("Commit", sha),
        url: `${root}/commits/${sha}`,
        html_url: `${page}/commit/${sha}`,
        comments_url: `${root}/commits/${sha}/comments`,
        commit: {
            author,
            committer,
            message,
            tree: { sha: tree, url: `${root}/git/trees/${tree}` },
            url: `${root}/git/commits/${sha}`,
            comment_count: 0,
            verification: unsigned,
        },
        author: user(author.name),
        committer: user(committer.name),
        parents: parents.map((parent) => ({
            sha: parent,
            url: `${root}/commits/${parent}`,
            html_url: `${page}/commit/${parent}`,
        })),
        ...(withFiles && { stats: { additions, deletions, total: additions + deletions }, files }),
    };
}
