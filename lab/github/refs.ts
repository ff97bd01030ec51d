import { notFound, Refusal } from "./errors";
import { history, resolve } from "./git";
import { nodeId } from "./accounts";
import { repositoryUrl } from "./repositories";
import { fullCommit } from "./representGit";
import { checkRules, isProtected } from "./rules";
import { created, noContent, ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { own, type Repository } from "./state";
import { timestamp } from "./time";

/** Schema `git-ref`. */
function gitRef(base: string, repository: Repository, branch: string, sha: string) {
    const root = repositoryUrl(base, repository);
    const ref = `refs/heads/${branch}`;
    return {
        ref,
        node_id: nodeId("Ref", `${repository.id.toString()}:${ref}`),
        url: `${root}/git/${ref}`,
        object: { type: "commit", sha, url: `${root}/git/commits/${sha}` },
    };
}

/** Returns the branch in `heads/<branch>`. */
function branchOf(ref: string): string {
    const [, branch] = /^heads\/(.+)$/.exec(ref) ?? [];
    if (branch === undefined) throw new Refusal(501, `the stand-in keeps branches only, and ${ref} is none`);
    return branch;
}

/** Returns the commit of a branch. */
export const getRef: RepositoryHandler = ({ base, repository, params }) => {
    const branch = branchOf(params.ref ?? "");
    const sha = own(repository.branches, branch);
    if (sha === undefined) throw notFound();
    return ok(gitRef(base, repository, branch, sha));
};

/** Creates a branch. terraform-provider-github checks for this wording of the message for an existing branch. */
export const createRef: RepositoryHandler = ({ base, repository, token, body }) => {
    const { ref, sha } = body as { ref: string; sha: string };
    if (!/^refs\/[^/]+\/.+/.test(ref)) throw new Refusal(422, "Reference does not have the form refs/heads/<branch>");
    const branch = branchOf(ref.slice("refs/".length));
    if (/[\s~^:?*[\\\u0000-\u001f]|\.\.|\/\/|^[-/]|[/.]$|\.lock$/.test(branch)) {
        throw new Refusal(422, `refs/heads/${branch} is not a valid ref name.`);
    }
    if (own(repository.branches, branch) !== undefined) throw new Refusal(422, "Reference already exists");
    if (!own(repository.commits, sha)) throw new Refusal(422, "Object does not exist");
    checkRules(repository, token, { branch, kind: "create" });
    repository.branches[branch] = sha;
    return created(gitRef(base, repository, branch, sha));
};

function existing({ repository, params }: RepositoryRequest): { branch: string; sha: string } {
    const branch = branchOf(params.ref ?? "");
    const sha = own(repository.branches, branch);
    if (sha === undefined) throw new Refusal(422, "Reference does not exist");
    return { branch, sha };
}

/** Deletes a branch, and closes the pull requests that would have merged it. */
export const deleteRef: RepositoryHandler = (request) => {
    const { repository } = request;
    const { branch, sha } = existing(request);
    if (branch === repository.defaultBranch) throw new Refusal(422, "Cannot delete the default branch");
    checkRules(repository, request.token, { branch, kind: "delete" });
    for (const pull of repository.pulls) {
        if (pull.state !== "open" || pull.head !== branch) continue;
        const now = timestamp();
        Object.assign(pull, { headSha: sha, state: "closed", closedAt: now, updatedAt: now });
    }
    Reflect.deleteProperty(repository.branches, branch);
    return noContent();
};

function protectionOf(base: string, repository: Repository, branch: string) {
    const url = `${repositoryUrl(base, repository)}/branches/${encodeURIComponent(branch)}/protection`;
    return { protected: isProtected(repository, branch), protection_url: url };
}

/** Schema `branch-with-protection`. */
export const getBranch: RepositoryHandler = ({ state, base, repository, params }) => {
    const name = params.branch ?? "";
    const commit = own(repository.commits, own(repository.branches, name) ?? "");
    if (!commit) throw new Refusal(404, "Branch not found");
    const protection = protectionOf(base, repository, name);
    return ok({
        name,
        commit: fullCommit(state, base, repository, commit, false),
        _links: { self: `${repositoryUrl(base, repository)}/branches/${name}`, html: repositoryUrl(base, repository) },
        ...protection,
        protection: { enabled: protection.protected },
    });
};

/** Returns the history of a branch or commit, newest first; with `path` only the commits that changed it. */
export const listCommits: RepositoryHandler = (request) => {
    const { state, base, repository, query } = request;
    const start = resolve(repository, query.sha ?? repository.defaultBranch);
    if (!start) throw notFound();
    const path = query.path?.replace(/\/$/, "");
    const changes = (commit: (typeof repository.commits)[string]) => {
        if (path === undefined) return true;
        const before = own(repository.commits, commit.parents[0] ?? "")?.files ?? {};
        const at = (files: Readonly<Record<string, string>>) =>
            JSON.stringify(Object.entries(files).filter(([file]) => file === path || file.startsWith(`${path}/`)));
        return at(before) !== at(commit.files);
    };
    const { page, headers } = paginate(request, history(repository, start.sha).filter(changes));
    return { ...ok(page.map((commit) => fullCommit(state, base, repository, commit, false))), headers };
};

/** Returns a commit with its changes. */
export const getCommit: RepositoryHandler = ({ state, base, repository, params }) => {
    const ref = params.ref ?? "";
    const commit = resolve(repository, ref);
    if (!commit) throw invalidCommit(ref);
    return ok(fullCommit(state, base, repository, commit, true));
};

const invalidCommit = (ref: string) => new Refusal(422, `No commit found for SHA: ${ref}`);
