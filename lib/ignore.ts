import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import dockerignore from "@balena/dockerignore";
import { InputError } from "./errors";

/** Which paths a list of .dockerignore patterns leaves out. */
export interface Ignore {
    /** File that the patterns stand in, from the repository's root; for messages. */
    readonly file: string | undefined;
    /** Whether a path is left out. */
    readonly ignores: (file: string) => boolean;
    /** Whether a `!` pattern may let something in again below a folder that is left out. */
    readonly mayReenter: (folder: string) => boolean;
}

/**
 * Patterns for @balena/dockerignore 1.0.2, as moby/patternmatcher reads them: characters that mean something in a regular
 * expression but nothing in a pattern are escaped, which the library forgets (`c++` makes it throw).
 */
const cleaned = (text: string): string[] =>
    text
        .replace(/^\uFEFF/, "")
        .split("\n")
        .filter((line) => !line.startsWith("#"))
        .map((line) => line.trim())
        // `**x` is whatever ends in x.
        .map((line) => line.replace(/^(!?\*\*)(?=[^/*?[\\][^*?[\\]*$)/, "$1/*"))
        .map((line) => line.replace(/\\.|[+(){}|]|(?<!\[)\^/gsu, (one) => (one.length > 1 ? one : `\\${one}`)))
        .filter((line) => line !== "");

/** Whether a path below `folder` can match a pattern: its parts match as far as both go. */
function reaches(pattern: string, folder: string): boolean {
    const parts = path.posix.join("/", pattern).split("/").slice(1);
    const folders = folder.split("/");
    for (const [index, part] of parts.entries()) {
        const own = folders[index];
        // A wildcard may be anything: better to look into a folder in vain.
        if (own === undefined || /[*?[\\]/.test(part)) return true;
        if (part !== own) return false;
    }
    return true;
}

/** Patterns as .dockerignore and COPY --exclude have them (Dockerfile reference, ".dockerignore file"). */
export function ignoring(text: string, file?: string): Ignore {
    const patterns = cleaned(text);
    const matcher = dockerignore({ ignorecase: false }).add(patterns);
    const exceptions = patterns.filter((one) => one.startsWith("!")).map((one) => one.slice(1).trim());
    try {
        matcher.ignores("a");
    } catch {
        throw new InputError({
            problem: `a pattern can't be read: ${patterns.join(" ")}`,
            ...(file !== undefined && { where: file }),
            next: "close every [",
        });
    }
    return {
        file,
        ignores: (one) => one !== "" && matcher.ignores(one),
        mayReenter: (folder) => exceptions.some((pattern) => reaches(pattern, folder)),
    };
}

/**
 * What .dockerignore leaves out of a context: `<Dockerfile>.dockerignore` wins over the context's own.
 *
 * @param root the repository's root
 * @param base the context's root
 * @param dockerfile path from the repository's root
 */
export function readIgnore(root: string, base: string, dockerfile: string): Ignore {
    const candidates = [path.join(root, `${dockerfile}.dockerignore`), path.join(base, ".dockerignore")];
    const file = candidates.find((candidate) => existsSync(candidate));
    return file === undefined ? ignoring("") : ignoring(readFileSync(file, "utf8"), path.relative(root, file));
}
