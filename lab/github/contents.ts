import { authorizeWorkflow } from "./access";
import { notFound, Refusal } from "./errors";
import { addBlob, addCommit, resolve, treeName } from "./git";
import { contentEntry, contentFile, contentOf, fileCommit } from "./representGit";
import { checkRules } from "./rules";
import { created, ok, type RepositoryHandler, type RepositoryRequest } from "./request";
import { committerOf } from "./seed";
import { own, type Signature } from "./state";
import { timestamp } from "./time";

interface Person {
    readonly name: string;
    readonly email: string;
    readonly date?: string;
}
interface FileBody {
    readonly message: string;
    readonly content?: string;
    readonly sha?: string;
    readonly branch?: string;
    readonly author?: Person;
    readonly committer?: Person;
}

/** Returns a path that git can store. */
function checkedPath(path: string): string {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.toLowerCase() === ".git")) {
        throw new Refusal(422, "path contains a malformed path component");
    }
    return path;
}

/** Returns a file, or the entries of a folder. */
export const getContent: RepositoryHandler = ({ base, repository, params, query }) => {
    const path = (params.path ?? "").replace(/\/$/, "");
    const ref = query.ref ?? repository.defaultBranch;
    const commit = resolve(repository, ref);
    if (!commit) throw new Refusal(404, `No commit found for the ref ${ref}`);
    const blob = own(commit.files, path);
    if (blob !== undefined) return ok(contentFile(base, repository, ref, path, blob));
    const inside = Object.entries(commit.files).filter(([file]) => file.startsWith(`${path}/`));
    if (inside.length === 0) throw notFound();
    const names = [...new Set(inside.map(([file]) => file.slice(path.length + 1).split("/")[0] ?? ""))].sort();
    return ok(
        names.map((name) => {
            const entry = `${path}/${name}`;
            const file = own(commit.files, entry);
            const under = inside.filter(([one]) => one.startsWith(`${entry}/`));
            const tree = () =>
                treeName(Object.fromEntries(under.map(([one, sha]) => [one.slice(entry.length + 1), sha])));
            return contentEntry(
                base,
                repository,
                ref,
                entry,
                file === undefined
                    ? { kind: "tree", sha: tree(), size: 0 }
                    : { kind: "blob", sha: file, size: contentOf(repository, file).length },
            );
        }),
    );
};

interface Change {
    readonly path: string;
    readonly branch: string;
    readonly blob: string | undefined;
    readonly files: Readonly<Record<string, string>>;
}

/** Runs the checks that changing and deleting share, in GitHub's order: branch, token, blob, protection. */
function startChange(request: RepositoryRequest, body: FileBody, verb: string): Change {
    const { repository, token, params } = request;
    const path = checkedPath(params.path ?? "");
    const branch = (body.branch ?? repository.defaultBranch).replace(/^refs\/heads\//, "");
    const head = own(repository.branches, branch);
    if (head === undefined) throw new Refusal(404, `Branch ${branch} not found`);
    authorizeWorkflow(token, path);
    const { files = {} } = repository.commits[head] ?? {};
    const blob = own(files, path);
    if (blob !== undefined && body.sha === undefined) {
        throw new Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.');
    }
    if (blob !== undefined && body.sha !== blob) throw new Refusal(409, `${path} does not match ${body.sha ?? ""}`);
    const commit = {
        message: body.message,
        isSigned: repository.signsCommits && body.author === undefined && body.committer === undefined,
        sizes: { [path]: Buffer.from(body.content ?? "", "base64").length },
    };
    const what = `${blob === undefined ? "create" : verb} file`;
    checkRules(repository, token, { branch, kind: "update", what, commit });
    return { path, branch, blob, files };
}

function commitChange(request: RepositoryRequest, body: FileBody, { branch }: Change, files: Change["files"]) {
    const { state, repository, token } = request;
    const now = timestamp();
    const signature = (person: Person): Signature => ({
        name: person.name,
        email: person.email,
        date: person.date ?? now,
    });
    const user = committerOf(state, token.login);
    const author = signature(body.author ?? body.committer ?? user);
    const committer = signature(body.committer ?? body.author ?? user);
    const parents = [repository.branches[branch] ?? ""];
    const commit = addCommit(repository, { parents, message: body.message, author, committer, files });
    repository.branches[branch] = commit.sha;
    repository.pushedAt = now;
    return commit;
}

/** Creates a file, or changes it if the request names its current blob. */
export const putContent: RepositoryHandler = (request) => {
    const { base, repository } = request;
    const body = request.body as FileBody;
    const change = startChange(request, body, "update");
    const { path, branch, blob, files } = change;
    const text = (body.content ?? "").replaceAll(/\s/g, "");
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Refusal(422, "content is not valid Base64");
    const folderThere = Object.keys(files).some((file) => file.startsWith(`${path}/`));
    const fileInTheWay = Object.keys(files).some((file) => path.startsWith(`${file}/`));
    if (folderThere || fileInTheWay) throw new Refusal(422, "path is in conflict with an existing file or folder");
    const added = addBlob(repository, Buffer.from(text, "base64"));
    const commit = commitChange(request, body, change, { ...files, [path]: added });
    const answer = {
        content: contentFile(base, repository, branch, path, added),
        commit: fileCommit(base, repository, commit),
    };
    return blob === undefined ? created(answer) : ok(answer);
};

/** Deletes a file; the request must name its current blob. */
export const deleteContent: RepositoryHandler = (request) => {
    const { base, repository } = request;
    const body = request.body as FileBody;
    const change = startChange(request, body, "delete");
    if (change.blob === undefined) throw notFound();
    const files = { ...change.files };
    Reflect.deleteProperty(files, change.path);
    const commit = commitChange(request, body, change, files);
    return ok({ content: null, commit: fileCommit(base, repository, commit) });
};
