import { z } from "zod";
import { type FoundFile, commitMessage, hasHeader } from "./delivery";
import { type GitHubTarget, ask } from "./githubApi";
import { inRepository, parse } from "./repository";

/* The files of a branch that matter to the delivery: those in our files' places, and those that it left behind. */

const fileSchema = z.object({ type: z.literal("file"), content: z.string(), encoding: z.literal("base64") });
const folderSchema = z.array(z.object({ type: z.string(), path: z.string(), sha: z.string() }));
const commitsSchema = z.array(z.object({ commit: z.object({ message: z.string() }) }));

/** Where GitHub looks for workflows: what lies there runs, whoever put it there. */
const folder = ".github/workflows";

const contents = (target: GitHubTarget, path: string, query = `?ref=${encodeURIComponent(target.branch)}`) =>
    inRepository(target, `/contents/${path.split("/").map(encodeURIComponent).join("/")}${query}`);

async function readText(target: GitHubTarget, path: string): Promise<string | undefined> {
    const what = `read ${path}`;
    const { body } = await ask(target, contents(target, path), what);
    return body === undefined
        ? undefined
        : Buffer.from(parse(fileSchema, body, what).content, "base64").toString("utf8");
}

async function findFile(target: GitHubTarget, path: string, ours: string): Promise<FoundFile | undefined> {
    const text = await readText(target, path);
    if (text === undefined || hasHeader(text, ours)) return text === undefined ? undefined : { text, messages: [] };
    const ref = encodeURIComponent(target.branch);
    const history = `/commits?path=${encodeURIComponent(path)}&sha=${ref}&per_page=100`;
    const what = `read the history of ${path}`;
    const commits = await ask(target, inRepository(target, history), what);
    return { text, messages: parse(commitsSchema, commits.body, what).map(({ commit }) => commit.message) };
}

/** What the branch has at our files' paths. Errors as `checkRepository`. */
export async function findFiles(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, FoundFile>> {
    const found = await Promise.all(
        Object.entries(files).map(async ([path, ours]) => [path, await findFile(target, path, ours)] as const),
    );
    return new Map(found.flatMap(([path, file]) => (file ? [[path, file] as const] : [])));
}

/** A workflow that begins as ours do and is generated no longer. */
export interface Leftover {
    readonly path: string;
    /** Name of its blob, without which GitHub deletes no file. */
    readonly sha: string;
    readonly file: FoundFile;
}

/** The branch's leftovers: they would go on running. Errors as `checkRepository`. */
export async function findLeftovers(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
): Promise<readonly Leftover[]> {
    const [ours] = Object.values(files);
    const { body } = await ask(target, contents(target, folder), `list ${folder}`);
    if (ours === undefined || !Array.isArray(body)) return [];
    const others = parse(folderSchema, body, `list ${folder}`).filter(
        ({ type, path }) => type === "file" && /\.ya?ml$/.test(path) && !(path in files),
    );
    const found = await Promise.all(
        others.map(async ({ path, sha }) => ({ path, sha, text: await readText(target, path) })),
    );
    return found.flatMap(({ path, sha, text }) =>
        text !== undefined && hasHeader(text, ours) ? [{ path, sha, file: { text, messages: [] } }] : [],
    );
}

/**
 * Removes the branch's leftovers, a commit each, and returns their paths. One that is gone already is no error.
 *
 * @param quiet whether the commits start no workflow
 * @throws InputError when the token may not
 * @throws UnreachableError when GitHub can't be asked, or refuses: a protected branch, a file that changed just now
 */
export async function removeLeftovers(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    options: { readonly quiet: boolean },
): Promise<readonly string[]> {
    const leftovers = await findLeftovers(target, files);
    // One after the other: each is a commit on the one before.
    for (const { path, sha } of leftovers) {
        const change = { message: commitMessage(`Remove ${path}`, options), sha, branch: target.branch };
        await ask(target, contents(target, path, ""), `remove ${path}`, { method: "DELETE", body: change });
    }
    return leftovers.map(({ path }) => path);
}
