import { digestOf, formatReference, parseReference, repositoryOf, withDigest } from "../registry/references";
import type { Finding } from "./findings";
import type { Answers } from "./imageStatus";
import { type Commands, quote, repairCommand } from "./repair";
import type { DeployedImage } from "../engine/state";

/** A root of the stack: an external image that others stand on. */
export interface RootStatus {
    /** As Dockerfiles write it. */
    readonly root: string;
    /** "repository@sha256:…", or absent where nothing is pinned. */
    readonly pinned?: string;
    /** The tag that the pin is compared with, at the place that it is pinned to. */
    readonly tag?: string;
    /** Digest that the tag points at now; absent when it is not known, null when the tag is not there. */
    readonly found?: string | null;
    /** Keys of the images that stand on it. */
    readonly images: readonly string[];
}

/** The roots of the images, each once. One that a Dockerfile names by digest can't be behind and is left out. */
export function rootsOf(images: readonly DeployedImage[]): RootStatus[] {
    const names = [...new Set(images.flatMap(({ roots }) => Object.keys(roots)))];
    return names.flatMap((root) => {
        const { tag, digest } = parseReference(root);
        if (digest !== undefined || tag === undefined) return [];
        const on = images.filter(({ roots }) => root in roots);
        const pinned = on.flatMap(({ roots }) => roots[root] ?? [])[0];
        const rest = { root, images: on.map(({ image }) => image) };
        if (pinned === undefined) return [rest];
        // A mirror, such as the lab's, is compared with itself.
        return [{ ...rest, pinned, tag: formatReference({ ...parseReference(repositoryOf(pinned)), tag }) }];
    });
}

/** The references that registries are asked for. */
export const rootQuestions = (roots: readonly RootStatus[]): string[] => roots.flatMap(({ tag }) => tag ?? []);

/** The lab's own Pulumi is not on everybody's PATH. */
const labPulumi = ({ isLab }: Commands): string => (isLab ? 'eval "$(npm run --silent lab -- env)" && ' : "");

/** The file with the configuration of a stack. */
const stackFile = ({ stack }: Commands): string => `Pulumi.${stack.split("/").at(-1) ?? stack}.yaml`;

/**
 * The command that takes the new root. The lab's own is in no configuration: its digest is this machine's. Where CI runs the stack,
 * an `up` from here would be undone by the next run, which checks out the old pin: the pin goes there first.
 *
 * @param pinned "repository@sha256:…" that the stack stands on
 * @param found digest that its tag points at now
 * @param own the lab's root of this name, "repository@sha256:…"
 */
function moveCommand(root: string, pinned: string, found: string, own: string | undefined, commands: Commands): string {
    const up = repairCommand(commands, { by: "up" });
    if (own !== undefined && repositoryOf(own) === repositoryOf(pinned)) {
        return digestOf(own) === found ? up : `npm run lab -- start --renew-root && ${up}`;
    }
    const path = quote(`roots["${root}"]`);
    const value = withDigest(repositoryOf(pinned), found);
    const set = `${labPulumi(commands)}pulumi config set --stack ${quote(commands.stack)} --path ${path} ${value}`;
    if (!commands.isCi) return `${set} && ${up}`;
    const commit = `git commit --message ${quote(`Move the root ${root}`)} ${quote(stackFile(commands))}`;
    return `${set} && ${commit} && git push`;
}

/**
 * Compares the pins with what registries answered to `rootQuestions`.
 *
 * @param labRoots the lab's own roots, by name
 */
export function compareRoots(
    roots: readonly RootStatus[],
    answers: Answers,
    commands: Commands,
    labRoots: Readonly<Record<string, string>> = {},
): { readonly roots: RootStatus[]; readonly findings: Finding[] } {
    const findings: Finding[] = [];
    const statuses = roots.map((one): RootStatus => {
        const { root, pinned, tag } = one;
        const about = `root ${root}`;
        if (pinned === undefined || tag === undefined) {
            findings.push({ kind: "note", about, text: "it is not pinned: when it moves, nothing is rebuilt" });
            return one;
        }
        const answer = answers.get(tag);
        if (!answer || "unknown" in answer) return one;
        const found = answer.found?.digest;
        if (found === undefined) {
            findings.push({ kind: "note", about, text: `${tag} is not in the registry, so its pin can't be compared` });
        } else if (digestOf(pinned) !== found) {
            const text = `${tag} moved to ${found}; pinned is ${digestOf(pinned) ?? pinned}`;
            const command = moveCommand(root, pinned, found, labRoots[root], commands);
            findings.push({ kind: "drift", about, text, repair: { by: "command", command } });
        }
        return { ...one, found: found ?? null };
    });
    return { roots: statuses, findings };
}
