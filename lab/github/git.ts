import { createHash } from "node:crypto";
import { type Commit, own, type Repository, type Signature } from "./state";

/** Returns an object's name: the SHA-1 of its kind, length and content (gitformat-loose). */
function objectName(kind: "blob" | "tree" | "commit", content: Buffer): string {
    return createHash("sha1").update(`${kind} ${content.length.toString()}\0`).update(content).digest("hex");
}

/** Returns the name of a file's content, as `git hash-object` prints it. */
export const blobName = (content: Buffer): string => objectName("blob", content);

/** Returns the name of the tree with these files (path → blob), all with mode 100644. */
export function treeName(files: Readonly<Record<string, string>>): string {
    const blobs: [string, string][] = [];
    const folders = new Map<string, Record<string, string>>();
    for (const [file, blob] of Object.entries(files)) {
        const slash = file.indexOf("/");
        if (slash < 0) {
            blobs.push([file, blob]);
            continue;
        }
        const folder = file.slice(0, slash);
        const inner = folders.get(folder) ?? {};
        inner[file.slice(slash + 1)] = blob;
        folders.set(folder, inner);
    }
    const entries = [
        ...blobs.map(([name, sha]) => ({ sortedAs: name, name, mode: "100644", sha })),
        ...[...folders].map(([name, inner]) => ({ sortedAs: `${name}/`, name, mode: "40000", sha: treeName(inner) })),
    ].sort((a, b) => Buffer.compare(Buffer.from(a.sortedAs), Buffer.from(b.sortedAs)));
    const parts = entries.map(({ mode, name, sha }) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(sha, "hex")]),
    );
    return objectName("tree", Buffer.concat(parts));
}

/** Formats a signature as in commits; the time zone is always UTC. */
const signed = ({ name, email, date }: Signature) =>
    `${name} <${email}> ${Math.floor(Date.parse(date) / 1000).toString()} +0000`;

/** The content of a new commit. */
export interface NewCommit {
    readonly parents: readonly string[];
    readonly message: string;
    readonly author: Signature;
    readonly committer?: Signature;
    /** Path → blob of the whole tree. */
    readonly files: Readonly<Record<string, string>>;
}

/** Adds a commit to the repository under the name that git gives it. */
export function addCommit(repository: Repository, commit: NewCommit): Commit {
    const { parents, message, author, committer = author, files } = commit;
    const tree = treeName(files);
    const lines = [
        `tree ${tree}`,
        ...parents.map((parent) => `parent ${parent}`),
        `author ${signed(author)}`,
        `committer ${signed(committer)}`,
        "",
        message,
    ];
    const sha = objectName("commit", Buffer.from(lines.join("\n")));
    const added: Commit = { sha, tree, parents, message, author, committer, files };
    repository.commits[sha] = added;
    return added;
}

/** Stores a file's content and returns its name. */
export function addBlob(repository: Repository, content: Buffer): string {
    const name = blobName(content);
    repository.blobs[name] = content.toString("base64");
    return name;
}

/** Returns the commit of a branch name or of a commit's full sha; undefined if neither exists. */
export function resolve(repository: Repository, ref: string): Commit | undefined {
    const name = ref.replace(/^refs\/heads\//, "").replace(/^heads\//, "");
    return own(repository.commits, own(repository.branches, name) ?? ref);
}

/** Returns a commit and all its ancestors, newest first along the first parents. */
export function history(repository: Repository, sha: string): Commit[] {
    const seen = new Set<string>();
    const open = [sha];
    for (const name of open) {
        if (seen.has(name)) continue;
        seen.add(name);
        open.push(...(repository.commits[name]?.parents ?? []));
    }
    return [...seen].flatMap((name) => repository.commits[name] ?? []);
}

/** Returns the paths whose content differs between two trees, sorted. */
export function changedPaths(before: Commit["files"], after: Commit["files"]): string[] {
    const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...paths].filter((file) => before[file] !== after[file]).sort();
}

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
