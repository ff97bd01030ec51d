import { z } from "zod";
import { type FoundFile, commitMessage, hasHeader, trailer } from "./delivery";
import { type GitHubTarget, ask } from "./api";
import { workflowFolder } from "./permissions";
import { inRepository, parse } from "./repository";

/* The files of a branch that matter to the delivery: those in our files' places, and those that it left behind. */

const fileSchema = z.object({ type: z.literal("file"), content: z.string(), encoding: z.literal("base64") });
const folderSchema = z.array(z.object({ type: z.string(), path: z.string(), sha: z.string() }));
const commitsSchema = z.array(z.object({ sha: z.string(), commit: z.object({ message: z.string() }) }));

/** Earlier versions of a file that are looked at, a request each: every `up` puts a changed file right. */
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
 * Whether a file that does not begin as ours do ever did. People commit generated files themselves, and our commit of what is
 * there already is in no history of the file, so the message alone does not tell.
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
