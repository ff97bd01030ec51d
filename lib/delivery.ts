import { InputError } from "./errors";
import { hash12 } from "./hash";

/** How the workflow files of this run get into the repository: decided before the plan, from what GitHub has. */
export type Delivery =
    /** Committed to the branch. Files in `overwrite` are there and may be replaced by a first commit of ours. */
    | { readonly by: "commits"; readonly overwrite: ReadonlySet<string> }
    /** Proposed by the pull request from `head`, which also removes the leftovers in `removes`. */
    | { readonly by: "pull-request"; readonly head: string; readonly removes: readonly string[] }
    /** Nothing to do: the branch has them all, or pull request `declined` with just these was closed without merging. */
    | { readonly by: "nothing"; readonly declined?: number }
    /** Not known: GitHub could not be asked. For previews only: resources of an open round are not in the plan, and stay. */
    | { readonly by: "unknown" };

/** A file as the branch has it. */
export interface FoundFile {
    readonly text: string;
    /** Messages of the commits that touched it, as far as they were asked for. */
    readonly messages: readonly string[];
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

const isOurs = (found: FoundFile, ours: string): boolean =>
    hasHeader(found.text, ours) || found.messages.some((message) => message.includes(trailer));

/**
 * The files in our files' places, when all of them are ours or may be adopted.
 *
 * @param files our texts by path
 * @param found what the branch has at these paths
 * @throws InputError that lists the files that are not ours
 */
export function replaceable(
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
    { adopt, where }: { readonly adopt: boolean; readonly where: string },
): ReadonlySet<string> {
    const foreign = [...found].filter(([path, file]) => !isOurs(file, files[path] ?? ""));
    if (foreign.length > 0 && !adopt) {
        const list = foreign.map(([path, { text }]) => `${path} (begins with ${JSON.stringify(firstLine(text))})`);
        throw new InputError({
            where,
            problem: `these files are in the way, and this program did not make them: ${list.join(", ")}`,
            next: "move or remove them, or have them replaced: pulumi config set --path github.adopt true",
        });
    }
    return new Set(found.keys());
}

/** The branch for a pull request that brings `files` over what `found` holds: the same for the same change. */
export function freshHead(files: Readonly<Record<string, string>>, found: ReadonlyMap<string, FoundFile>): string {
    return `${headPrefix}${hash12([files, [...found].map(([path, { text }]) => [path, text])])}`;
}

/**
 * How a pull request brings the files: by the open one of ours, whatever it holds today, or by a new one. One that was
 * closed without merging is a decision: just the same is not proposed again.
 *
 * @param found what the branch has at our paths, and its leftovers
 * @param pulls our pull requests: those that are open, and those from `freshHead`
 */
export function byPullRequest(
    files: Readonly<Record<string, string>>,
    found: ReadonlyMap<string, FoundFile>,
    pulls: readonly PullRequest[],
): Delivery {
    const removes = [...found.keys()].filter((path) => !(path in files));
    const hasAll = Object.entries(files).every(([path, text]) => found.get(path)?.text === text);
    if (hasAll && removes.length === 0) return { by: "nothing" };
    const open = pulls.find((pull) => pull.open && pull.head.startsWith(headPrefix));
    if (open) return { by: "pull-request", head: open.head, removes };
    const head = freshHead(files, found);
    const declined = pulls.find((pull) => pull.head === head && !pull.open && !pull.merged);
    return declined ? { by: "nothing", declined: declined.number } : { by: "pull-request", head, removes };
}
