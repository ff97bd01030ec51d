import { z } from "zod";
import { type FoundFile, type PullRequest, freshHead, isOurHead } from "./delivery";
import { type GitHubTarget, ask } from "./api";
import { inRepository, nameOf, parse } from "./repository";

const pullsSchema = z.array(
    z.object({
        number: z.int(),
        state: z.enum(["open", "closed"]),
        merged_at: z.string().nullish(),
        head: z.object({ ref: z.string(), repo: z.object({ full_name: z.string() }).nullable() }),
    }),
);

/** Pull requests into the branch, from branches of this repository that are ours. */
async function listOurs(target: GitHubTarget, query: string): Promise<readonly PullRequest[]> {
    const what = "list the pull requests";
    const path = `/pulls?base=${encodeURIComponent(target.branch)}&per_page=100${query}`;
    const { body } = await ask(target, inRepository(target, path), what);
    return parse(pullsSchema, body, what)
        .filter(({ head }) => head.repo?.full_name.toLowerCase() === nameOf(target).toLowerCase())
        .filter(({ head }) => isOurHead(head.ref))
        .map((pull) => ({
            number: pull.number,
            head: pull.head.ref,
            open: pull.state === "open",
            merged: typeof pull.merged_at === "string",
        }));
}

/** Our pull requests into the branch that are open, newest first. Errors as `checkRepository`. */
export const findOpen = (target: GitHubTarget): Promise<readonly PullRequest[]> => listOurs(target, "&state=open");

const sizeSchema = z.object({ changed_files: z.int() });

/** Whether a pull request was closed with something to bring: one that had nothing left to bring was no decision. */
async function isDeclined(target: GitHubTarget, { number, open, merged }: PullRequest): Promise<boolean> {
    if (open || merged) return false;
    const what = `read pull request #${number}`;
    const { body } = await ask(target, inRepository(target, `/pulls/${number}`), what);
    return parse(sizeSchema, body, what).changed_files > 0;
}

/**
 * Our pull requests into the branch that matter to the delivery: those that are open, and where there are none, those from
 * every `freshHead`. Errors as `checkRepository`.
 */
export async function findPullRequests(
    target: GitHubTarget,
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
): Promise<readonly PullRequest[]> {
    const pulls = [...(await findOpen(target))];
    if (pulls.length > 0) return pulls;
    let head: string | undefined;
    for (let next = freshHead(files, found); next !== head; next = freshHead(files, found, pulls)) {
        head = next;
        const from = await listOurs(target, `&state=all&head=${encodeURIComponent(`${target.owner}:${head}`)}`);
        for (const pull of from) if (pull.merged || (await isDeclined(target, pull))) pulls.push(pull);
    }
    return pulls;
}
