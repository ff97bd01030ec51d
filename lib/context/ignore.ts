import path from "node:path";
import { InputError } from "../errors";
import { goRegexp, matchesPath } from "./goPatterns";
import { shownPath } from "./rawNames";

/** A pattern of an ignore file, of --exclude or of --parents, as moby/patternmatcher reads it. */
interface Pattern {
    /** Without its `!`. */
    readonly text: string;
    /** Whether it lets something in again. */
    readonly isException: boolean;
    /** Whether it names a path, what lies above that path left aside. */
    readonly matches: (file: string) => boolean;
}

/** Which paths a list of patterns matches. Paths have slashes and start from the folder that the patterns count from. */
export interface Matcher {
    /** Whether the patterns match a path, or a folder above it, and no later `!` pattern lets it out again. */
    readonly matches: (file: string) => boolean;
    /** Whether a pattern without `!` may name something below a folder. */
    readonly mayMatch: (folder: string) => boolean;
    /** Whether a `!` pattern may name something below a folder. */
    readonly mayExcept: (folder: string) => boolean;
    /** What the same patterns say of a path alone, without what was decided for the folders above it. */
    readonly matchesAlone: (file: string) => boolean;
}

/** Which paths of a context a .dockerignore leaves out. */
export interface Ignore {
    /** File that the patterns stand in, from the repository's root; for messages. */
    readonly file: string | undefined;
    /** Whether a path is left out. */
    readonly ignores: (file: string) => boolean;
    /** Whether a `!` pattern may let something in again below a folder that is left out. */
    readonly mayReenter: (folder: string) => boolean;
    /** @throws InputError for a file that is let in and that BuildKit copies without its content */
    readonly checkContent: (file: string) => void;
}

/** Go's filepath.Clean. */
const clean = (text: string): string => path.posix.normalize(text).replace(/(?<=[^])\/$/, "");

/** Go's strings.TrimSpace: a byte order mark is no space. */
const trim = (text: string): string => text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");

/**
 * What a pattern matches (moby/patternmatcher, Pattern.compile): the text itself, its start, its end, or a regular expression.
 * `**` stands for any number of folders, and `\` hands the next character over to Go's regular expressions.
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
        // moby/patternmatcher means to escape `{`, `|` and `}` as well, and misses them.
        else expression += token.replace(/^[.+()$]$/, "\\$&");
    }
    if (kind === "exact") return (file) => file === text;
    if (kind === "prefix") return (file) => file.startsWith(text.slice(0, -2));
    const end = text.slice(2);
    if (kind === "suffix") return (file) => file.endsWith(end) || (end.startsWith("/") && file === end.slice(1));
    let compiled: RegExp | undefined;
    return (file) => (compiled ??= goRegexp(`${expression}$`)).test(file);
}

/** A part whose wildcards stay within it, whatever reads it: a class that might hold a slash is none. */
const isSimple = /^(?:[\w .-]|\?|\*(?!\*)|\[(?:\w(?:-\w)?)+\])*$/;

/** Whether a path below `folder` can match a pattern: its parts match as far as both go. */
export function reaches(pattern: string, folder: string): boolean {
    const parts = pattern.split("/");
    const folders = folder.split("/");
    for (const [index, part] of parts.entries()) {
        const own = folders[index];
        const isWild = /[*?[\\]/.test(part);
        // A wildcard may be anything: better to look into a folder in vain.
        if (own === undefined || (isWild && !isSimple.test(part))) return true;
        if (isWild ? matchesPath(part, own) === false : part !== own) return false;
    }
    return true;
}

function readPattern(written: string, where: string | undefined): Pattern {
    const unreadable = (next: string) =>
        new InputError({
            problem: `the pattern "${written}" can't be read`,
            ...(where !== undefined && { where }),
            next,
        });
    const cleaned = clean(written);
    const isException = cleaned.startsWith("!");
    const text = isException ? cleaned.slice(1) : cleaned;
    if (text === "") throw unreadable("name a path after the !, or remove the line");
    const badSyntax = "close every [, and let a \\ stand before another character";
    // What this matches does not matter: BuildKit asks as well, to see whether it can be read.
    if (matchesPath(text, ".") === undefined) throw unreadable(badSyntax);
    const matches = matching(text);
    return {
        text,
        isException,
        matches: (file) => {
            try {
                return matches(file);
            } catch (error) {
                if (error instanceof SyntaxError) throw unreadable(badSyntax);
                throw error;
            }
        },
    };
}

/** Decides about a path, from what each pattern said of the folder above it (moby/patternmatcher, MatchesUsingParentResults). */
function decide(patterns: readonly Pattern[], file: string, above: readonly boolean[] | undefined) {
    let matched = false;
    const each = patterns.map(({ isException, matches }, index) => {
        const isInherited = above?.[index] === true;
        // An exception counts only for what is matched so far, and any other pattern only for what is not.
        const isNamed = isInherited || (isException === matched && matches(file));
        if (isNamed) matched = !isException;
        return isNamed;
    });
    return { matched, each };
}

/** A path and the folders above it. */
const lineage = (file: string): string[] =>
    file.split("/").map((_part, index, parts) => parts.slice(0, parts.length - index).join("/"));

/**
 * Patterns as moby/patternmatcher matches them, which is what BuildKit does with those of --exclude and --parents: spaces
 * around them don't count, `#` is a character like any other, and a leading `/` stays, so that nothing matches.
 *
 * @param where what to name in messages
 * @throws InputError for a pattern that can't be read; for some only once a path is looked at
 */
export function patternMatcher(written: readonly string[], where?: string): Matcher {
    const patterns = written
        .map(trim)
        .filter((one) => one !== "")
        .map((one) => readPattern(one, where));
    const reaching = (exceptions: boolean) => (folder: string) =>
        patterns.some(({ text, isException }) => isException === exceptions && reaches(text, folder));
    const folders = new Map<string, readonly boolean[]>();
    const ofFolder = (folder: string): readonly boolean[] | undefined => {
        if (folder === ".") return undefined;
        const known = folders.get(folder);
        if (known) return known;
        const { each } = decide(patterns, folder, ofFolder(path.posix.dirname(folder)));
        folders.set(folder, each);
        return each;
    };
    const matches = (file: string) => file !== "" && decide(patterns, file, ofFolder(path.posix.dirname(file))).matched;
    const hasExceptions = patterns.some(({ isException }) => isException);
    return {
        matches,
        mayMatch: reaching(false),
        mayExcept: reaching(true),
        matchesAlone: (file) => {
            // Without a `!` pattern it makes no difference, and the folders' results are there.
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

/** The patterns of an ignore file (moby/patternmatcher, ignorefile.ReadAll). */
const ignoreLines = (text: string): string[] =>
    text
        .replace(/^\uFEFF/, "")
        .split("\n")
        // A comment starts where the line does: one that is indented is a pattern.
        .filter((line) => !line.startsWith("#"))
        .map(trim)
        .filter((line) => line !== "")
        .map((line) => {
            const isException = line.startsWith("!");
            const written = isException ? trim(line.slice(1)) : line;
            // A leading slash is cut off once it is clean: "/" alone stays.
            const pattern = written === "" ? "" : clean(written).replace(/^\/(?=[^])/, "");
            return isException ? `!${pattern}` : pattern;
        });

/**
 * What a .dockerignore leaves out, as BuildKit reads it (moby/patternmatcher, tonistiigi/fsutil).
 *
 * @param text its text
 * @param file its path from the repository's root, for messages
 * @throws InputError for a pattern that can't be read; for some only once a path is looked at
 */
export function ignoring(text: string, file?: string): Ignore {
    const { matches, mayExcept, matchesAlone } = patternMatcher(ignoreLines(text), file);
    return {
        file,
        ignores: matches,
        mayReenter: mayExcept,
        checkContent: (one) => {
            // BuildKit decides once more when it opens a file, with another result where a `!` pattern lets in what a later
            // pattern leaves out with its folder.
            if (!matchesAlone(one)) return;
            throw new InputError({
                problem: `${shownPath(one)} is let in by a ! pattern, while a later pattern leaves its folder out: BuildKit copies it empty`,
                ...(file !== undefined && { where: file }),
                next: `let ! patterns stand last, or leave ${shownPath(one)} out`,
            });
        },
    };
}
