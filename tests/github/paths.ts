import { minimatch } from "minimatch";

/** GitHub's patterns have no braces, no extended globs and no comments, and treat a dot as an ordinary character. */
const options = { dot: true, nobrace: true, noext: true, nocomment: true, nonegate: true } as const;

/**
 * Returns whether a push that changed `files` passes a path filter (GitHub's workflow syntax, "Filter pattern cheat
 * sheet"): for each file, the last matching pattern decides; a pattern with a leading `!` excludes the file.
 */
export const passes = (patterns: readonly string[], files: readonly string[]): boolean =>
    files.some((file) => {
        const last = patterns.findLast((pattern) => minimatch(file, pattern.replace(/^!/, ""), options));
        return last !== undefined && !last.startsWith("!");
    });
