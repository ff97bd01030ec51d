import path from "node:path";
import { InputError } from "../errors";
import { goRegexp, matchesPath } from "./goPatterns";
import { shownPath } from "./rawNames";

/** A pattern of an ignore file, of --exclude or of --parents, as moby/patternmatcher reads it. */
interface Pattern {
    /** The pattern without its `!`. */
    readonly text: string;
    /** Whether it starts with `!`, and so includes paths again. */
    readonly isException: boolean;
    /** Whether it matches the path itself, regardless of the folders above the path. */
    readonly matches: (file: string) => boolean;
}

/** Decides which paths a list of patterns matches. Paths have slashes and are relative to the patterns' folder. */
export interface Matcher {
    /** Whether the patterns match a path or a folder above it, and no later `!` pattern reverts that. */
    readonly matches: (file: string) => boolean;
    /** Whether a pattern without `!` may match something below a folder. */
    readonly mayMatch: (folder: string) => boolean;
    /** Whether a `!` pattern may match something below a folder. */
    readonly mayExcept: (folder: string) => boolean;
    /** Whether the patterns match a path, evaluated without the results for the folders above it. */
    readonly matchesAlone: (file: string) => boolean;
}

/** Decides which paths of a context a .dockerignore excludes. */
export interface Ignore {
    /** The file that contains the patterns, from the repository's root; for messages. */
    readonly file: string | undefined;
    /** Whether a path is excluded. */
    readonly ignores: (file: string) => boolean;
    /** Whether a `!` pattern may include something below an excluded folder. */
    readonly mayReenter: (folder: string) => boolean;
    /**
     * @param isEmpty whether the file has no content that could be lost
     * @throws InputError for a file that is included, but that BuildKit copies without its content
     */
    readonly checkContent: (file: string, isEmpty?: () => boolean) => void;
}

/** Go's filepath.Clean. */
const clean = (text: string): string => path.posix.normalize(text).replace(/(?<=[^])\/$/, "");

/** Go's strings.TrimSpace, for which a byte order mark is not whitespace. */
const trim = (text: string): string => text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");

/**
 * Compiles a pattern (moby/patternmatcher, Pattern.compile) to a comparison with the whole path, its start, its end, or
 * to a regular expression. `**` matches any number of folders; `\` and the character after it are passed to Go's
 * regular expressions.
 */
function matching(text: string): Pattern["matches"] {
    let kind: "exact" | "prefix" | "suffix" | "expression" = "exact";
    let expression = "^";
    for (const { 0: token, index } of text.matchAll(/\*\*\/?|\\[^]|[^]/gu)) {
        const isLast = index + token.length === text.length;
        if (token.startsWith("**")) {
            expression += isLast ? ".*" : "(.*/)?";
            kind = isLast && kind === "exact" ? "prefix" : "expression";
            if (index === 0) kind = "suffix";
            continue;
        }
        if (/^[*?[\]]$|^\\[^]/u.test(token)) kind = "expression";
        if (token === "*") expression += "[^/]*";
        else if (token === "?") expression += "[^/]";
        // moby/patternmatcher intends to escape `{`, `|` and `}` as well, but does not.
        else expression += token.replace(/^[.+()$]$/, "\\$&");
    }
    if (kind === "exact") return (file) => file === text;
    if (kind === "prefix") return (file) => file.startsWith(text.slice(0, -2));
    const end = text.slice(2);
    if (kind === "suffix") return (file) => file.endsWith(end) || (end.startsWith("/") && file === end.slice(1));
    let compiled: RegExp | undefined;
    return (file) => (compiled ??= goRegexp(`${expression}$`)).test(file);
}

/**
 * Matches a part of a path whose wildcards can't match a slash, by any implementation; excludes classes that might
 * contain a slash.
 */
const isSimple = /^(?:[\w .-]|\?|\*(?!\*)|\[(?:\w(?:-\w)?)+\])*$/;

/** Checks whether a path below `folder` can match a pattern, by comparing their common leading parts. */
export function reaches(pattern: string, folder: string): boolean {
    const parts = pattern.split("/");
    const folders = folder.split("/");
    for (const [index, part] of parts.entries()) {
        const name = folders[index];
        const isWild = /[*?[\\]/.test(part);
        // A wildcard may match anything: reading a folder needlessly is better than missing a file.
        if (name === undefined || (isWild && !isSimple.test(part))) return true;
        if (isWild ? matchesPath(part, name) === false : part !== name) return false;
    }
    return true;
}

function readPattern(written: string, where: string | undefined): Pattern {
    const invalid = (next: string) =>
        new InputError({
            problem: `the pattern "${written}" is invalid`,
            ...(where !== undefined && { where }),
            next,
        });
    const cleaned = clean(written);
    const isException = cleaned.startsWith("!");
    const text = isException ? cleaned.slice(1) : cleaned;
    if (text === "") throw invalid("add a path after the !, or remove the line");
    const badSyntax = "close every [, and put a character after every \\";
    // The result does not matter: BuildKit makes the same call to validate the pattern.
    if (matchesPath(text, ".") === undefined) throw invalid(badSyntax);
    const matches = matching(text);
    return {
        text,
        isException,
        matches: (file) => {
            try {
                return matches(file);
            } catch (error) {
                if (error instanceof SyntaxError) throw invalid(badSyntax);
                throw error;
            }
        },
    };
}

/**
 * Matches a path, given each pattern's result for the folder above it (moby/patternmatcher, MatchesUsingParentResults).
 */
function decide(patterns: readonly Pattern[], file: string, above: readonly boolean[] | undefined) {
    let matched = false;
    const results = patterns.map(({ isException, matches }, index) => {
        const isInherited = above?.[index] === true;
        // An exception is evaluated only if the path is matched so far, any other pattern only if it is not.
        const isNamed = isInherited || (isException === matched && matches(file));
        if (isNamed) matched = !isException;
        return isNamed;
    });
    return { matched, results };
}

/** Returns a path and the folders above it. */
const lineage = (file: string): string[] =>
    file.split("/").map((_part, index, parts) => parts.slice(0, parts.length - index).join("/"));

/**
 * Returns a matcher with the rules of moby/patternmatcher, as BuildKit uses it for --exclude and --parents: surrounding
 * whitespace is removed, `#` is an ordinary character, and a leading `/` stays, so that such a pattern matches nothing.
 *
 * @param where the location of the patterns, for messages
 * @throws InputError for an invalid pattern; some are detected only when a path is matched
 */
export function patternMatcher(written: readonly string[], where?: string): Matcher {
    const patterns = written
        .map(trim)
        .filter((pattern) => pattern !== "")
        .map((pattern) => readPattern(pattern, where));
    const reaching = (exceptions: boolean) => (folder: string) =>
        patterns.some(({ text, isException }) => isException === exceptions && reaches(text, folder));
    const folders = new Map<string, readonly boolean[]>();
    const ofFolder = (folder: string): readonly boolean[] | undefined => {
        if (folder === ".") return undefined;
        const cached = folders.get(folder);
        if (cached) return cached;
        const { results } = decide(patterns, folder, ofFolder(path.posix.dirname(folder)));
        folders.set(folder, results);
        return results;
    };
    const matches = (file: string) => file !== "" && decide(patterns, file, ofFolder(path.posix.dirname(file))).matched;
    const hasExceptions = patterns.some(({ isException }) => isException);
    return {
        matches,
        mayMatch: reaching(false),
        mayExcept: reaching(true),
        matchesAlone: (file) => {
            // Without a `!` pattern the result is the same, and the folders' results are cached.
            if (!hasExceptions) return matches(file);
            let matched = false;
            for (const pattern of patterns) {
                const { isException } = pattern;
                if (isException === matched && lineage(file).some(pattern.matches)) matched = !isException;
            }
            return matched;
        },
    };
}

/** Returns the patterns of an ignore file (moby/patternmatcher, ignorefile.ReadAll). */
const ignoreLines = (text: string): string[] =>
    text
        .replace(/^\uFEFF/, "")
        .split("\n")
        // Only `#` at the start of a line marks a comment; an indented # is part of a pattern.
        .filter((line) => !line.startsWith("#"))
        .map(trim)
        .filter((line) => line !== "")
        .map((line) => {
            const isException = line.startsWith("!");
            const written = isException ? trim(line.slice(1)) : line;
            // A leading slash is removed after the path is cleaned; "/" alone stays.
            const pattern = written === "" ? "" : clean(written).replace(/^\/(?=[^])/, "");
            return isException ? `!${pattern}` : pattern;
        });

/**
 * Parses a .dockerignore as BuildKit does (moby/patternmatcher, tonistiigi/fsutil).
 *
 * @param text its text
 * @param file its path from the repository's root, for messages
 * @throws InputError for an invalid pattern; some are detected only when a path is matched
 */
export function ignoring(text: string, file?: string): Ignore {
    const { matches, mayExcept, matchesAlone } = patternMatcher(ignoreLines(text), file);
    return {
        file,
        ignores: matches,
        mayReenter: mayExcept,
        checkContent: (path, isEmpty = () => false) => {
            // BuildKit matches a path again when it opens the file, with another result if a `!` pattern includes a
            // file and a later pattern excludes the file's folder.
            if (!matchesAlone(path) || isEmpty()) return;
            throw new InputError({
                problem: `${shownPath(path)} is included by a ! pattern, but a later pattern excludes its folder: BuildKit copies it empty`,
                ...(file !== undefined && { where: file }),
                next: `move the ! patterns to the end, or exclude ${shownPath(path)}`,
            });
        },
    };
}
