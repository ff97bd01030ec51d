import { RefusedError } from "./refusals";
import { hash12 } from "../context/hash";

/** How the workflow files of this run get into the repository: decided before the plan, from what GitHub has. */
export type Delivery =
    /** Committed to the branch, unless it has them already: the paths in `there`, with just this text. */
    | { readonly by: "commits"; readonly there: readonly string[] }
    /** Proposed by the pull request from `head`. */
    | {
          readonly by: "pull-request";
          readonly head: string;
          /** Leftovers that it removes. */
          readonly removes: readonly string[];
          /** The one that is open; a new one without. */
          readonly number?: number;
          /** Whether the branch has everything: the one that is open then brings nothing. */
          readonly idle?: true;
      }
    /** Nothing to do: the branch has them all, or pull request `declined` with just these was closed without merging. */
    | { readonly by: "nothing"; readonly declined?: number }
    /** Not known: GitHub was not asked. Resources of an open round are not in the program, and stay. */
    | { readonly by: "unknown" };

/** A file as the branch has it. */
export interface FoundFile {
    readonly text: string;
    /** Whether this program made it, or an earlier version of it. */
    readonly ours: boolean;
}

/** A pull request, as far as it matters here. */
export interface PullRequest {
    readonly number: number;
    /** The branch that it comes from. */
    readonly head: string;
    readonly open: boolean;
    readonly merged: boolean;
}

/** What states keep of a file's text, to tell it from another. */
export const fileHash = (text: string): string => hash12(text);

/** Last line of our commits' messages. It tells a file of ours that somebody edited from one that was never ours. */
export const trailer = "Generated-by: layered-images";

/** Branches of our pull requests begin with this. */
const headPrefix = "layered-images/workflows-";

/** The message of a commit of ours. Quiet: it starts no workflow, as its file's delivery would start the next `up`. */
export const commitMessage = (change: string, { quiet }: { readonly quiet: boolean }): string =>
    `${change}${quiet ? " [skip ci]" : ""}\n\n${trailer}`;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** Whether a file begins as ours do: with the header that says what it is generated from. */
export const hasHeader = (found: string, ours: string): boolean => firstLine(found) === firstLine(ours);

/**
 * The refusal of files that are in our files' places and not ours; undefined where there are none.
 *
 * @param found what the branch has at our paths
 */
export function foreignFiles(found: ReadonlyMap<string, FoundFile>, where: string): RefusedError | undefined {
    const foreign = [...found].filter(([, { ours }]) => !ours);
    if (foreign.length === 0) return undefined;
    const list = foreign.map(([path, { text }]) => `${path} (begins with ${JSON.stringify(firstLine(text))})`);
    const problem = {
        where,
        problem: `these files are in the way, and this program did not make them: ${list.join(", ")}`,
        next: "move or remove them, or have them replaced: pulumi config set --path github.adopt true",
    };
    return new RefusedError(problem, "files");
}

/** The paths at which the branch has just our text. */
export const pathsThere = (
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
): readonly string[] => Object.keys(files).filter((path) => found.get(path)?.text === files[path]);

/** Whether a branch is one that our pull requests come from. */
export const isOurHead = (head: string): boolean => head.startsWith(headPrefix);

/**
 * The branch for a pull request that brings `files` over what `found` holds: the same for the same change, until that was
 * merged. Its commits are in the history then, so that they bring nothing a second time, and the next one has another name.
 *
 * @param pulls those known from such branches
 */
export function freshHead(
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
    pulls: readonly PullRequest[] = [],
): string {
    const before: number[] = [];
    for (;;) {
        const change = [files, [...found].map(([path, { text }]) => [path, text]), ...before];
        const head = `${headPrefix}${hash12(change)}`;
        const merged = pulls.find((pull) => pull.head === head && pull.merged);
        if (!merged) return head;
        before.push(merged.number);
    }
}

/**
 * How a pull request brings the files: by the open one of ours, whatever it holds today, or by a new one. The open one is kept
 * up to date also when the branch has everything: merging it must never bring back what is old. One that was closed without
 * merging is a decision: just the same is not proposed again.
 *
 * @param found what the branch has at our paths, and its leftovers
 * @param pulls our pull requests: those that are open, and those from every `freshHead`
 */
export function byPullRequest(
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
    pulls: readonly PullRequest[],
): Delivery {
    const removes = [...found.keys()].filter((path) => !(path in files));
    const idle = pathsThere(files, found).length === Object.keys(files).length && removes.length === 0;
    const open = pulls.find((pull) => pull.open);
    if (open) return { by: "pull-request", head: open.head, removes, number: open.number, ...(idle && { idle }) };
    if (idle) return { by: "nothing" };
    const head = freshHead(files, found, pulls);
    const declined = pulls.find((pull) => pull.head === head && !pull.open && !pull.merged);
    return declined ? { by: "nothing", declined: declined.number } : { by: "pull-request", head, removes };
}
