import { minimatch } from "minimatch";

/** GitHub's patterns have no braces, no extended globs and no comments, and a dot is a character like any other. */
const options = { dot: true, nobrace: true, noext: true, nocomment: true, nonegate: true } as const;

/**
 * Whether a push that changed `files` passes a path filter (GitHub's workflow syntax, "Filter pattern cheat sheet"): for
 * each file the last pattern that matches it decides, one with `!` in front against it.
 */
export const passes = (patterns: readonly string[], files: readonly string[]): boolean =>
    files.some((file) => {
        const last = patterns.findLast((pattern) => minimatch(file, pattern.replace(/^!/, ""), options));
        return last !== undefined && !last.startsWith("!");
    });
