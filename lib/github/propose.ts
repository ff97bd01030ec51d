import { z } from "zod";
import { type Change, type GitHubTarget, ask, list } from "./api";
import { commitMessage } from "./delivery";
import type { Kind } from "./permissions";
import { RefusedError, grant } from "./refusals";
import { asking, inRepository, parse } from "./repository";

/* One pull request of this program that is not part of the stack, such as that of newer roots. */

/** A change of files that a pull request proposes. */
export interface Proposal {
    /** Branch of the pull request. No other pull request uses it. */
    readonly head: string;
    /** Texts by path from the repository's root. */
    readonly files: Readonly<Record<string, string>>;
    readonly title: string;
    /** Markdown, at most 65,536 characters. */
    readonly body: string;
}

const branchSchema = z.object({ commit: z.object({ sha: z.string() }) });
const pullSchema = z.object({ number: z.int(), html_url: z.string() });
const fileSchema = z.object({ content: z.string(), encoding: z.literal("base64"), sha: z.string() });

const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/** Sends a change. GitHub answers "not found" to a classic token that lacks the permission for it. */
async function change(target: GitHubTarget, path: string, [kind, what]: readonly [Kind, string], made: Change) {
    const { body } = await ask(target, inRepository(target, path), what, made);
    if (body !== undefined || made.method === "DELETE") return body;
    const where = "environment variable GITHUB_TOKEN";
    throw new RefusedError({ where, problem: `this token may not ${what}`, next: grant(kind) });
}

/** Creates the branch at the head of the target branch. A branch that an earlier pull request left behind is replaced. */
async function startBranch(target: GitHubTarget, head: string): Promise<void> {
    const what = `read the branch ${target.branch}`;
    const { body } = await ask(target, inRepository(target, `/branches/${encodeURIComponent(target.branch)}`), what);
    const { sha } = parse(branchSchema, body, what).commit;
    const ref = await ask(target, inRepository(target, `/git/ref/heads/${encoded(head)}`), `read the branch ${head}`);
    if (ref.body !== undefined) {
        await change(target, `/git/refs/heads/${encoded(head)}`, ["a branch", `remove the branch ${head}`], {
            method: "DELETE",
        });
    }
    const created = { method: "POST", body: { ref: `refs/heads/${head}`, sha } } as const;
    await change(target, "/git/refs", ["a branch", `create the branch ${head}`], created);
}

/** Commits a file to the branch, unless the branch has it. */
async function commitFile(target: GitHubTarget, head: string, path: string, text: string): Promise<void> {
    const where = inRepository(target, `/contents/${encoded(path)}`);
    const what = `read ${path} of ${head}`;
    const { body } = await ask(target, `${where}?ref=${encodeURIComponent(head)}`, what);
    const found = body === undefined ? undefined : parse(fileSchema, body, what);
    if (found && Buffer.from(found.content, "base64").toString("utf8") === text) return;
    await change(target, `/contents/${encoded(path)}`, ["a branch", `commit ${path} to ${head}`], {
        method: "PUT",
        body: {
            message: commitMessage(`Update ${path}`, { quiet: false }),
            content: Buffer.from(text).toString("base64"),
            branch: head,
            ...(found && { sha: found.sha }),
        },
    });
}

/**
 * Opens a pull request with these files, or updates the open pull request of the same branch.
 *
 * @returns its number and its page, and whether it is new
 * @throws InputError if the token is refused or lacks a permission
 * @throws UnreachableError if GitHub is not available, or the response is unexpected
 */
export async function propose(
    target: GitHubTarget,
    { head, files, title, body }: Proposal,
): Promise<{ readonly number: number; readonly url: string; readonly isNew: boolean }> {
    return await asking(target, async () => {
        const query = `state=open&base=${encodeURIComponent(target.branch)}&head=${encodeURIComponent(`${target.owner}:${head}`)}`;
        const what = "list the pull requests";
        const pulls = parse(
            z.array(pullSchema),
            await list(target, inRepository(target, `/pulls?${query}`), what),
            what,
        );
        const [open] = pulls;
        if (!open) await startBranch(target, head);
        // One after the other: each commit stands on the one before it.
        for (const [path, text] of Object.entries(files)) await commitFile(target, head, path, text);
        const made = open
            ? await change(target, `/pulls/${open.number}`, ["a pull request", `update pull request #${open.number}`], {
                  method: "PATCH",
                  body: { title, body },
              })
            : await change(target, "/pulls", ["a pull request", "open a pull request"], {
                  method: "POST",
                  body: { title, body, head, base: target.branch },
              });
        const { number, html_url: url } = parse(pullSchema, made, "open a pull request");
        return { number, url, isNew: !open };
    });
}
