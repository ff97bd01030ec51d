import { fileHash, workflowFilesType } from "../github/delivery";
import { fileType } from "../engine/refresh";
import type { Answer, Finding } from "./findings";
import type { OnGitHub } from "./github";
import type { Resource } from "../engine/state";

/** A workflow file that the branch should have and that the stack did not commit there itself: a pull request brings it. */
export interface DeliveredFile {
    readonly file: string;
    readonly branch: string;
    /** `fileHash` of its text. */
    readonly hash: string;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value);

/** The files that pull requests bring; none in a state that an older version wrote, which has their names alone. */
export function deliveredFiles(resources: readonly Resource[]): DeliveredFile[] {
    const { files, branch } = resources.find(({ type }) => type === workflowFilesType)?.inputs ?? {};
    if (!isRecord(files) || typeof branch !== "string") return [];
    const committed = resources.filter(({ type, inputs }) => type === fileType && inputs.branch === branch);
    return Object.entries(files).flatMap(([file, hash]) =>
        typeof hash === "string" && !committed.some(({ inputs }) => inputs.file === file)
            ? [{ file, branch, hash }]
            : [],
    );
}

/** Number of the pull request with these files that was closed without merging, as the last update found it. */
export function declinedIn(resources: readonly Resource[]): string | undefined {
    const declined = resources.find(({ type }) => type === workflowFilesType)?.inputs.declined;
    return typeof declined === "number" ? `#${declined.toString()}` : undefined;
}

/** What became of the pull request with the files: it waits, was declined (which one), is not known, or there is none any more. */
export type Proposal = "waits" | "over" | "not known" | { readonly declined: string };

/**
 * Compares the files that pull requests bring with what their branch has. While one waits, and where it was declined, the branch
 * has others by people's decision: an update changes nothing about that.
 */
export function compareDelivered(
    found: readonly (DeliveredFile & { readonly answer: Answer<OnGitHub> })[],
    proposal: Proposal,
): Finding[] {
    const differing = found.flatMap(({ file, branch, hash, answer }) => {
        if (!("found" in answer)) return [];
        const text = answer.found && "text" in answer.found ? answer.found.text : undefined;
        if (text !== undefined && fileHash(text) === hash) return [];
        const said = text === undefined ? `it is not on branch ${branch}` : `it was changed on branch ${branch}`;
        return [{ file, branch, said }];
    });
    const [first] = differing;
    if (!first || proposal === "not known") return [];
    if (proposal === "over") {
        return differing.map(({ file, said }) => ({
            kind: "drift",
            about: `file ${file}`,
            text: said,
            repair: { by: "up" },
        }));
    }
    const why =
        proposal === "waits"
            ? "until the pull request is merged"
            : `since pull request ${proposal.declined} with these was closed without merging`;
    const list = differing.map(({ file }) => file).join(", ");
    return [{ kind: "note", about: "workflow files", text: `branch ${first.branch} has others ${why}: ${list}` }];
}
