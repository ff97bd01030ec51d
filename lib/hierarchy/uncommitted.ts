import path from "node:path";
import { CommandError } from "../errors";
import { run } from "../system/process";
import type { PreparedImage } from "./prepare";

/** A file of a checkout that is not as its commit has it: changed, added, untracked or deleted. */
export interface ChangedFile {
    /** Path from the repository's root, with slashes. */
    readonly path: string;
    readonly isDeleted: boolean;
}

/**
 * Parses the output of `git status --porcelain=v1 -z --no-renames`.
 *
 * @param prefix path of the repository's root from the root of the working tree, empty or with a slash at its end: git names files from
 *     the latter
 */
export const parseChanges = (output: string, prefix: string): ChangedFile[] =>
    output
        .split("\0")
        .filter((entry) => entry.slice(3).startsWith(prefix))
        // Two letters, for the index and the working tree, and a space.
        .map((entry) => ({ path: entry.slice(3 + prefix.length), isDeleted: entry.slice(0, 2).includes("D") }))
        .filter((file) => file.path !== "");

/**
 * Returns the files of a checkout that are not committed. Files that git ignores are left out: they are generated.
 *
 * @returns empty outside of a git repository, or without git
 */
export async function changedFiles(root: string, env: NodeJS.ProcessEnv = process.env): Promise<ChangedFile[]> {
    // Without its optional locks, git does not disturb one that runs at the same time.
    const git = (...args: string[]) => run("git", args, { cwd: root, env: { ...env, GIT_OPTIONAL_LOCKS: "0" } });
    const status = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", "."];
    try {
        return parseChanges(await git(...status), (await git("rev-parse", "--show-prefix")).trimEnd());
    } catch (error) {
        if (error instanceof CommandError) return [];
        throw error;
    }
}

/** The parts of an image that name the files of its build. */
export type BuildFiles = Pick<PreparedImage, "inputs" | "sources"> & {
    readonly definition: Pick<PreparedImage["definition"], "dockerfile" | "context">;
};

const isBelow = (file: string, folder: string): boolean =>
    folder === "." || file === folder || file.startsWith(`${folder}/`);

/**
 * Returns those of the changed files that decide what a build of the image contains: its inputs, its Dockerfile, the ignore files, and
 * images.ts. A deleted file counts if a source without wildcards would have included it.
 *
 * @returns paths from the repository's root, in the order of `changed`
 */
export function uncommittedFiles(
    { definition: { dockerfile, context = "." }, inputs, sources }: BuildFiles,
    changed: readonly ChangedFile[],
): string[] {
    const inRepository = (file: string) => path.posix.join(context, file);
    const read = new Set([
        "images.ts",
        dockerfile,
        `${dockerfile}.dockerignore`,
        inRepository(".dockerignore"),
        ...inputs.map((input) => inRepository(input.path)),
    ]);
    const folders = sources
        .map(({ pattern }) => pattern)
        .filter((pattern) => !/[*?[\\]/.test(pattern))
        .map((pattern) => path.posix.join(context, pattern).replace(/\/$/, ""));
    return changed
        .filter((file) => read.has(file.path) || (file.isDeleted && folders.some((one) => isBelow(file.path, one))))
        .map((file) => file.path);
}

/** Number of files that a warning names. */
const named = 10;

const warning = /^image (\S+) is built from what is not committed: (.+)$/;

/** Returns the warning that an image is built from files that are not committed. `readUncommitted` reads it. */
export function describeUncommitted(key: string, files: readonly string[]): string {
    const rest = files.length > named ? [`${(files.length - named).toString()} more`] : [];
    return `image ${key} is built from what is not committed: ${[...files.slice(0, named), ...rest].join(", ")}`;
}

/**
 * Finds the warnings of `describeUncommitted` in the messages of an update.
 *
 * @returns what is not committed, by image
 */
export const readUncommitted = (lines: readonly string[]): ReadonlyMap<string, readonly string[]> =>
    new Map(
        lines.flatMap((line) => {
            const [, key, files] = warning.exec(line) ?? [];
            return key === undefined || files === undefined ? [] : [[key, files.split(", ")] as const];
        }),
    );
