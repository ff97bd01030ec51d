import { Minimatch } from "minimatch";

/** GitHub's patterns have no braces, no extended globs and no comments, and treat a dot as an ordinary character. */
const options = { dot: true, nobrace: true, noext: true, nocomment: true, nonegate: true } as const;

/** Patterns that were read before: reading one takes longer than matching many files. */
const known = new Map<string, Minimatch>();

function matches(file: string, pattern: string): boolean {
    const read = known.get(pattern) ?? new Minimatch(pattern, options);
    known.set(pattern, read);
    return read.match(file);
}

/**
 * Returns whether a push that changed `files` passes a path filter (GitHub's workflow syntax, "Filter pattern cheat
 * sheet"): for each file, the last matching pattern decides; a pattern with a leading `!` excludes the file.
 */
export const passes = (patterns: readonly string[], files: readonly string[]): boolean =>
    files.some((file) => {
        const last = patterns.findLast((pattern) => matches(file, pattern.replace(/^!/, "")));
        return last !== undefined && !last.startsWith("!");
    });
