import { z } from "zod";
import { type FoundFile, commitMessage, hasHeader, trailer } from "./delivery";
import { type GitHubTarget, ask } from "./api";
import { workflowFolder } from "./permissions";
import { asking, inRepository, parse } from "./repository";

/* The files of a branch that matter to the delivery: files at the paths of generated files, and leftovers. */

const fileSchema = z.object({ type: z.literal("file"), content: z.string(), encoding: z.literal("base64") });
const folderSchema = z.array(z.object({ type: z.string(), path: z.string(), sha: z.string() }));
const commitsSchema = z.array(z.object({ sha: z.string(), commit: z.object({ message: z.string() }) }));

/** Number of earlier versions of a file to check, with one request per version: every `up` restores a changed file. */
const versions = 20;

const contents = (target: GitHubTarget, path: string, query = `?ref=${encodeURIComponent(target.branch)}`) =>
    inRepository(target, `/contents/${path.split("/").map(encodeURIComponent).join("/")}${query}`);

async function readText(target: GitHubTarget, path: string): Promise<string | undefined> {
    const what = `read ${path}`;
    const { body } = await ask(target, contents(target, path), what);
    return body === undefined
        ? undefined
        : Buffer.from(parse(fileSchema, body, what).content, "base64").toString("utf8");
}

/**
 * Whether an earlier version of a file without the header had the header. Users commit generated files themselves, and
 * a commit that does not change the file is not in its history, so the commit messages alone are not sufficient.
 */
async function wasOurs(target: GitHubTarget, path: string, ours: string): Promise<boolean> {
    const ref = encodeURIComponent(target.branch);
    const history = `/commits?path=${encodeURIComponent(path)}&sha=${ref}&per_page=100`;
    const what = `read the history of ${path}`;
    const commits = parse(commitsSchema, (await ask(target, inRepository(target, history), what)).body, what);
    if (commits.some(({ commit }) => commit.message.includes(trailer))) return true;
    for (const { sha } of commits.slice(0, versions)) {
        const text = await readText({ ...target, branch: sha }, path);
        if (text !== undefined && hasHeader(text, ours)) return true;
    }
    return false;
}

async function findFile(target: GitHubTarget, path: string, ours: string): Promise<FoundFile | undefined> {
    const text = await readText(target, path);
    if (text === undefined) return undefined;
    return { text, ours: hasHeader(text, ours) || (await wasOurs(target, path, ours)) };
}

/** Reads the branch's files at the paths of the generated files. Throws the same errors as `checkRepository`. */
export async function findFiles(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, FoundFile>> {
    const found = await Promise.all(
        Object.entries(files).map(async ([path, ours]) => [path, await findFile(target, path, ours)] as const),
    );
    return new Map(found.flatMap(([path, file]) => (file ? [[path, file] as const] : [])));
}

/** A workflow with the header of generated files that is no longer generated. */
export interface Leftover {
    readonly path: string;
    /** Hash of its blob, which GitHub requires to delete a file. */
    readonly sha: string;
    readonly file: FoundFile;
}

/** Finds the branch's leftovers: they would continue to run. Throws the same errors as `checkRepository`. */
export async function findLeftovers(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
): Promise<readonly Leftover[]> {
    const [ours] = Object.values(files);
    const { body } = await ask(target, contents(target, workflowFolder), `list ${workflowFolder}`);
    if (ours === undefined || !Array.isArray(body)) return [];
    const others = parse(folderSchema, body, `list ${workflowFolder}`).filter(
        ({ type, path }) => type === "file" && /\.ya?ml$/.test(path) && !(path in files),
    );
    const found = await Promise.all(
        others.map(async ({ path, sha }) => ({ path, sha, text: await readText(target, path) })),
    );
    return found.flatMap(({ path, sha, text }) =>
        text !== undefined && hasHeader(text, ours) ? [{ path, sha, file: { text, ours: true } }] : [],
    );
}

/**
 * Removes the branch's leftovers, one commit per file, and returns their paths. A file that no longer exists is not an
 * error.
 *
 * @param quiet whether the commits start no workflow
 * @throws InputError if the token lacks the permission
 * @throws UnreachableError if GitHub is not available or refuses: a protected branch, or a file that changed in the
 *     meantime
 */
export async function removeLeftovers(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    options: { readonly quiet: boolean },
): Promise<readonly string[]> {
    return await asking(target, async () => {
        const leftovers = await findLeftovers(target, files);
        // Sequentially: each commit builds on the previous commit.
        for (const { path, sha } of leftovers) {
            const change = { message: commitMessage(`Remove ${path}`, options), sha, branch: target.branch };
            await ask(target, contents(target, path, ""), `remove ${path}`, { method: "DELETE", body: change });
        }
        return leftovers.map(({ path }) => path);
    });
}
