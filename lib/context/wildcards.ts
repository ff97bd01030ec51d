import path from "node:path";

/** A character of a class, escaped or not; undefined where the pattern ends too early or the class is not one. */
function member(rest: string): { readonly point: number; readonly rest: string } | undefined {
    const [, one] = /^\\?([^])/u.exec(/^(?:[-\]]|\\$|$)/.test(rest) ? "" : rest) ?? [];
    const after = one === undefined ? "" : rest.slice(one.length + (rest.startsWith("\\") ? 1 : 0));
    return one === undefined || after === "" ? undefined : { point: one.codePointAt(0) ?? 0, rest: after };
}

/** Whether a character is in the class that `rest` goes on with after its `[`, and what follows it; undefined for none. */
function inClass(rest: string, character: string): { readonly isIn: boolean; readonly rest: string } | undefined {
    const negated = rest.startsWith("^");
    const point = character.codePointAt(0) ?? 0;
    let left = negated ? rest.slice(1) : rest;
    let isIn = false;
    for (let isFirst = true; isFirst || !left.startsWith("]"); isFirst = false) {
        const low = member(left);
        if (!low) return undefined;
        const high = low.rest.startsWith("-") ? member(low.rest.slice(1)) : low;
        if (!high) return undefined;
        isIn ||= low.point <= point && point <= high.point;
        left = high.rest;
    }
    return { isIn: isIn !== negated, rest: left.slice(1) };
}

const firstOf = (text: string): string => /^[^]/u.exec(text)?.[0] ?? "";

/** What is left of a name after a piece of a pattern without `*`: false for no match, undefined for a malformed piece. */
function afterPiece(piece: string, name: string): string | false | undefined {
    let left: string | false = name;
    for (let rest = piece; rest !== "";) {
        // A piece is read to its end even where nothing matches any more: it may be malformed.
        const first: string = left === false ? "" : firstOf(left);
        const isEscaped = rest.startsWith("\\");
        const plain: string = firstOf(isEscaped ? rest.slice(1) : rest);
        let isSame = first === plain;
        if (rest.startsWith("[")) {
            const found = inClass(rest.slice(1), first);
            if (!found) return undefined;
            isSame = found.isIn;
            rest = found.rest;
        } else if (isEscaped && plain === "") return undefined;
        else {
            if (rest.startsWith("?")) isSame = first !== "/";
            rest = rest.slice(plain.length + (isEscaped ? 1 : 0));
        }
        left = left !== false && first !== "" && isSame ? left.slice(first.length) : false;
    }
    return left;
}

/**
 * Go's filepath.Match (pkg.go.dev/path/filepath#Match): `*` and `?` cross no `/`, a class may.
 *
 * @returns undefined for a malformed pattern, which Go notices only as far as a match still seems possible
 */
export function matchesPath(pattern: string, name: string): boolean | undefined {
    const [, stars = "", piece = "", rest = ""] =
        /^(\**)((?:\\[^]|\[(?:\\[^]|[^\]\\])*\]?|[^*[\\]|\\)*)([^]*)$/u.exec(pattern) ?? [];
    if (piece === "") return stars === "" ? name === "" : !name.includes("/");
    const isEnough = (left: string | false | undefined): left is string =>
        typeof left === "string" && (left === "" || rest !== "");
    const here = afterPiece(piece, name);
    if (isEnough(here)) return matchesPath(rest, here);
    if (here === undefined) return undefined;
    for (let at = 0; stars !== "" && at < name.length && name[at] !== "/"; at++) {
        const left = afterPiece(piece, name.slice(at + 1));
        // Like Go's, this takes the first place where a piece matches, and never comes back to it.
        if (isEnough(left)) return matchesPath(rest, left);
    }
    return false;
}

/** Whether a part of a path holds a wildcard: an escaped one is a plain character. */
export const isWild = (part: string): boolean => /[*?[]/.test(part.replace(/\\[^]/gu, ""));

/** The parts of a path from the context's root, which nothing climbs out of. */
export const partsOf = (file: string): string[] => path.posix.join("/", file).split("/").filter(Boolean);

/**
 * A path with wildcards as the folder that they are looked for in and the rest; undefined for one without. A `\` before the first
 * wildcard is a character of a name: BuildKit takes it from patterns only.
 */
export function splitWildcards(pattern: string): { readonly folder: string; readonly rest: string } | undefined {
    const parts = partsOf(pattern);
    const first = parts.findIndex(isWild);
    if (first < 0) return undefined;
    return { folder: parts.slice(0, first).join("/"), rest: parts.slice(first).join("/") };
}
