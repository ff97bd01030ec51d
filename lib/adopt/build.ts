import path from "node:path";

/** A file that git tracks, by its path from the repository's root. */
export interface SourceFile {
    readonly file: string;
    readonly text: string;
}

/** The kinds of files that say how an image is built, in the order in which they are believed if they disagree. */
export const kinds = ["workflow", "bake", "command", "compose", "devcontainer"] as const;

/** One build of an image, as a file of the repository describes it. */
export interface Build {
    /** The file and line that describe it. */
    readonly where: string;
    readonly kind: (typeof kinds)[number];
    /** Paths from the repository's root; "." for the root itself. */
    readonly context: string;
    readonly dockerfile: string;
    readonly target?: string;
    /** References with which the result is tagged, as written. */
    readonly names: readonly string[];
    readonly pushed: boolean;
    readonly buildArgs: Readonly<Record<string, string>>;
    /** Empty if nothing says them. */
    readonly platforms: readonly string[];
    /** Names of build secrets. */
    readonly secrets: readonly string[];
    /** Named build contexts: "target:base", "service:base", an image or a folder, by the name that the Dockerfile uses. */
    readonly contexts: Readonly<Record<string, string>>;
    /** What `contexts` of other builds call this one: "target:base". */
    readonly id?: string;
}

/** Something that was not understood, or left out on purpose, with its reason. */
export interface Note {
    /** File and line. */
    readonly where: string;
    readonly text: string;
    /** A value that only GitHub knows, and without which an image has another name or content, or is missing: "secrets.USER". */
    readonly wants?: string;
}

/** What a file says. */
export interface Reading {
    readonly builds: readonly Build[];
    readonly notes: readonly Note[];
}

/** Returns the number, from 1, of the line that contains the character at `offset`. */
export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

/**
 * Returns a path from the repository's root, without "./" and a trailing slash; undefined for one outside of the repository, and for a URL.
 *
 * @param folder the folder, from the root, to which the path is relative
 */
export function inRepository(folder: string, written: string): string | undefined {
    if (/^[a-z][a-z+.-]*:\/\/|^git@/i.test(written)) return undefined;
    const joined = path.posix.join(folder, written).replace(/(?<=.)\/$/, "");
    return joined.startsWith("..") || path.posix.isAbsolute(joined) ? undefined : joined;
}

/** Returns the entries of a list that a file writes as lines or with commas between them. */
export const listOf = (text: string): string[] =>
    text
        .split(/[\n,]/)
        .map((entry) => entry.trim())
        .filter((entry) => entry !== "");

/** Returns build arguments from "NAME=value" texts. One without "=" takes its value from the environment, which nobody knows here. */
export function pairsOf(texts: readonly string[]): {
    readonly pairs: Readonly<Record<string, string>>;
    readonly bare: readonly string[];
} {
    const split = texts.map((text) => [text, text.indexOf("=")] as const);
    return {
        pairs: Object.fromEntries(
            split.flatMap(([text, at]) => (at > 0 ? [[text.slice(0, at), text.slice(at + 1)]] : [])),
        ),
        bare: split.flatMap(([text, at]) => (at < 0 ? [text] : [])),
    };
}

/** Returns the names of secrets in `--secret` form: "id=token,env=TOKEN", "token=$VALUE", or "token". */
export const secretsIn = (texts: readonly string[]): string[] =>
    texts.flatMap((text) => {
        const id = /(?:^|,)id=([^,]+)/.exec(text)?.[1] ?? /^([\w.-]+)(?:=|$)/.exec(text.trim())?.[1];
        return id === undefined ? [] : [id];
    });
