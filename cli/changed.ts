import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadDefinitions } from "../definitions";
import { openCheckout } from "../lib/context/checkout";
import { InputError } from "../lib/errors";
import { type ChangedImage, changedImages } from "../lib/hierarchy/changed";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { capture, run } from "../lib/system/process";
import { workflowImages } from "../workflows/images";
import { addSummary, setOutputs } from "./actions";

const imagesIn = (root: string): readonly PreparedImage[] => workflowImages(openCheckout(root), loadDefinitions(root));

/**
 * Writes the files of a commit to a folder. The checkout, its index and git's data stay as they are.
 *
 * @returns the folder in it that corresponds to `root`, which may be a subfolder of the checkout
 * @throws InputError for an unknown commit
 */
async function writeCommit(root: string, commit: string, folder: string): Promise<string> {
    const prefix = (await run("git", ["rev-parse", "--show-prefix"], { cwd: root })).trim();
    const cwd = path.join(root, path.relative(prefix, ""));
    const env = { ...process.env, GIT_INDEX_FILE: path.join(folder, "index") };
    const { failure } = await capture("git", ["rev-parse", "--verify", "--quiet", `${commit}^{tree}`], { cwd });
    if (failure !== undefined) {
        throw new InputError({
            problem: `git has no commit ${commit} here`,
            where: root,
            next: "name a commit of this checkout; a shallow clone has only the newest",
        });
    }
    await run("git", ["read-tree", `${commit}^{tree}`], { cwd, env });
    await run("git", ["checkout-index", "--all", `--prefix=${path.join(folder, "files")}/`], { cwd, env });
    return path.join(folder, "files", prefix);
}

/** Returns the images of an earlier commit; undefined if its definitions can't be read: it has none, or they are refused. */
function imagesBefore(root: string, commit: string): readonly PreparedImage[] | undefined {
    try {
        return imagesIn(root);
    } catch (error) {
        if (!(error instanceof InputError)) throw error;
        console.error(`note: the images of ${commit} can't be read, so every image counts as new: ${error.message}`);
        return undefined;
    }
}

const reasons: Readonly<Record<ChangedImage["because"], string>> = {
    new: "is new",
    inputs: "changes",
    parent: "stands on one of them, and is built if the digest of its parent changes",
};

/**
 * Runs `npm run changed`: says which images an update would build because of what differs between a commit and the checkout. It asks no
 * stack, no registry and no lab, so it needs no credentials. In GitHub Actions it writes the step's summary and the output `changed`.
 *
 * @param root the repository's root
 * @param commit the earlier commit, as git names it
 * @returns lines to print
 * @throws InputError for bad input in the checkout, and for an unknown commit
 */
export async function runChanged(root: string, commit: string): Promise<string[]> {
    const now = imagesIn(root);
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-changed-"));
    let changed: readonly ChangedImage[];
    try {
        const before = imagesBefore(await writeCommit(root, commit, folder), commit);
        changed = changedImages(before ?? [], now);
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
    const lines =
        changed.length > 0
            ? changed.map(({ image, because }) => `${image} ${reasons[because]}`)
            : ["no image changes, so nothing would be built"];
    setOutputs({ changed: changed.length > 0 });
    addSummary(`### What changes in the images\n\n${lines.map((line) => `- ${line}\n`).join("")}`);
    return lines;
}
