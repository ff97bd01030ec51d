import { readdirSync } from "node:fs";
import path from "node:path";
import { statOf } from "./walk";

const quote = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|]/, "\\$&");

/** A character class of Go's filepath.Match from its `[` on: its regular expression and its length. */
function characterClass(pattern: string): { readonly source: string; readonly length: number } | undefined {
    const found = /^\[(\^?)((?:\\[^]|[^\]\\])+)\]/u.exec(pattern);
    if (!found) return undefined;
    const [all, negated = "", body = ""] = found;
    const source = body.replace(/\\([^])|[^]/gu, (one: string, escaped?: string) =>
        escaped === undefined && one === "-" ? "-" : (escaped ?? one).replace(/[\\\]^[&~-]/, "\\$&"),
    );
    return { source: negated === "" ? `[${source}]` : `[^/${source}]`, length: all.length };
}

/** Go's filepath.Match for one part of a path (pkg.go.dev/path/filepath#Match): no wildcard crosses a `/`. */
export function componentPattern(part: string): RegExp {
    let source = "";
    for (let rest = part; rest !== "";) {
        const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
        const set = character === "[" ? characterClass(rest) : undefined;
        if (set) source += set.source;
        else if (character === "*") source += "[^/]*";
        else if (character === "?") source += "[^/]";
        else if (character === "\\" && rest.length > 1) source += quote(rest[1] ?? "");
        else source += quote(character);
        rest = rest.slice(set?.length ?? (character === "\\" && rest.length > 1 ? 2 : character.length));
    }
    return new RegExp(`^${source}$`, "u");
}

/** Whether a part of a path holds a wildcard: an escaped one is a plain character. */
export const isWild = (part: string): boolean => /[*?[]/.test(part.replace(/\\[^]/gu, ""));

const unescaped = (part: string): string => part.replace(/\\([^])/gu, "$1");

/** A path as a pattern that names only it. */
export const literally = (file: string): string => file.replace(/[*?[\\]/g, "\\$&");

/** A pattern with wildcards as the folder that they are looked for in and the rest; undefined for one without. */
export function splitWildcards(pattern: string): { readonly folder: string; readonly rest: string } | undefined {
    const parts = path.posix.join("/", pattern).split("/").filter(Boolean);
    const first = parts.findIndex(isWild);
    if (first < 0) return undefined;
    return { folder: parts.slice(0, first).map(unescaped).join("/"), rest: parts.slice(first).join("/") };
}

const names = (folder: string): string[] => (statOf(folder)?.isDirectory() ? readdirSync(folder).sort() : []);

/**
 * The paths that a pattern names, from `base`. Parts without wildcards are not looked for, since they may be links.
 *
 * @param recursive whether `**` stands for any number of folders
 * @param skip folders that are not looked into for it
 */
export function matching(
    base: string,
    pattern: string,
    { recursive = false, skip }: { readonly recursive?: boolean; readonly skip: (folder: string) => boolean },
): string[] {
    const parts = path.posix.join("/", pattern).split("/").filter(Boolean);
    const below = (folder: string, index: number): string[] => {
        const part = parts[index];
        if (part === undefined) return [folder];
        if (recursive && part === "**") {
            if (index === parts.length - 1) return [folder];
            const folders = names(path.join(base, folder)).map((name) => path.posix.join(folder, name));
            const inner = folders.filter((one) => statOf(path.join(base, one))?.isDirectory() && !skip(one));
            return [...below(folder, index + 1), ...inner.flatMap((one) => below(one, index))];
        }
        if (!isWild(part)) return below(path.posix.join(folder, unescaped(part)), index + 1);
        const found = componentPattern(part);
        const here = names(path.join(base, folder)).filter((name) => found.test(name));
        return here.flatMap((name) => below(path.posix.join(folder, name), index + 1));
    };
    return [...new Set(below("", 0))];
}
