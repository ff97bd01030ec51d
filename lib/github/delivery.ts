import { RefusedError } from "./refusals";
import { hash12 } from "../context/hash";
import { ownBranches } from "./names";

/** The delivery of this run's workflow files into the repository: decided before the plan, from the files on GitHub. */
export type Delivery =
    | {
          /** Committed to the branch. */
          readonly by: "commits";
          /** Paths that the branch already has with the same text, and that are not committed again. */
          readonly there: readonly string[];
      }
    | {
          /** Proposed by a pull request. */
          readonly by: "pull-request";
          /** The branch with the proposed files. */
          readonly head: string;
          /** Paths of the leftovers that it removes. */
          readonly removes: readonly string[];
          /** Number of the open pull request; absent for a new pull request. */
          readonly number?: number;
          /** Whether the branch already has all files: the open pull request then changes nothing. */
          readonly idle?: true;
          /** Paths that `head` already has with the same text, and that are not committed again. */
          readonly there: readonly string[];
          /** Whether `head` is still to be created, from the target branch. */
          readonly starts: boolean;
      }
    | {
          /** Nothing to do. */
          readonly by: "nothing";
          /** The pull request with the same files that was closed without merging; absent if the branch has all files. */
          readonly declined?: number;
      }
    | {
          /** Unknown: GitHub was not queried. The resources of an open pull request are not in the program, but stay. */
          readonly by: "unknown";
      };

/** A file on the branch. */
export interface FoundFile {
    readonly text: string;
    /** Whether this program generated the file or an earlier version of it. */
    readonly ours: boolean;
}

/** A pull request, reduced to the fields used here. */
export interface PullRequest {
    readonly number: number;
    /** Its source branch. */
    readonly head: string;
    readonly open: boolean;
    readonly merged: boolean;
}

/** Returns the hash of a file's text, which states record. */
export const fileHash = (text: string): string => hash12(text);

/**
 * Last line of this program's commit messages. It distinguishes a generated file that was edited from a foreign file.
 */
export const trailer = "Generated-by: layered-images";

/** Prefix of the source branches of this program's pull requests. */
const headPrefix = `${ownBranches}workflows-`;

/** Returns a commit message. A quiet commit starts no workflow: the delivery of its file would start the next `up`. */
export const commitMessage = (change: string, { quiet }: { readonly quiet: boolean }): string =>
    `${change}${quiet ? " [skip ci]" : ""}\n\n${trailer}`;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/**
 * The part of a header that says what generated the file. What follows, from which sources, may differ between versions; earlier versions
 * named the command instead of the package.
 */
const generator = (text: string): string | undefined =>
    firstLine(text).split(" from ", 1)[0]?.replace("`npm run workflows`", "layered-images");

/**
 * Whether a file has the header of generated files.
 *
 * @param ours a generated file, or its header
 */
export const hasHeader = (found: string, ours: string): boolean => generator(found) === generator(ours);

/**
 * Returns the error for foreign files at the paths of generated files; undefined if there are no foreign files.
 *
 * @param found files of the branch at these paths
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

/** Returns the paths of files that the branch already has with the same text. */
export const pathsThere = (
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
): readonly string[] => Object.keys(files).filter((path) => found.get(path)?.text === files[path]);

/** Whether a branch is the source branch of a pull request of this program. */
export const isOurHead = (head: string): boolean => head.startsWith(headPrefix);

/**
 * Returns the source branch for a pull request that changes `found` into `files`: the same name for the same change,
 * until that pull request is merged. Its commits are then in the history and would change nothing a second time, so the
 * next name differs.
 *
 * @param pulls known pull requests from such branches
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
 * Decides on the delivery by pull request: with the open pull request of this program, whatever its content, or with a
 * new pull request. The open pull request is kept up to date even if the branch has all files, so that merging it never
 * restores old files. A pull request that was closed without merging is a decision: the same change is not proposed
 * again.
 *
 * @param found files of the branch at the paths of generated files, and its leftovers
 * @param pulls pull requests of this program: the open pull requests, and those from every `freshHead`
 */
export function byPullRequest(
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
    pulls: readonly PullRequest[],
): Exclude<Delivery, { by: "pull-request" }> | Omit<Extract<Delivery, { by: "pull-request" }>, "there" | "starts"> {
    const removes = [...found.keys()].filter((path) => !(path in files));
    const idle = pathsThere(files, found).length === Object.keys(files).length && removes.length === 0;
    const open = pulls.find((pull) => pull.open);
    if (open) return { by: "pull-request", head: open.head, removes, number: open.number, ...(idle && { idle }) };
    if (idle) return { by: "nothing" };
    const head = freshHead(files, found, pulls);
    const declined = pulls.find((pull) => pull.head === head && !pull.open && !pull.merged);
    return declined ? { by: "nothing", declined: declined.number } : { by: "pull-request", head, removes };
}
