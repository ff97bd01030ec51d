import path from "node:path";

/**
 * Translates Go's regular expressions (pkg.go.dev/regexp/syntax) to JavaScript, as far as patterns of ignore files need
 * them: without flags and without named groups. The two languages differ in `\` before a letter, in classes, and in
 * braces.
 */

/** Classes by the letter after `\`, in JavaScript's `v` syntax: ASCII, as in Perl. */
const lettered: Readonly<Record<string, string>> = {
    d: "[0-9]",
    D: "[^0-9]",
    s: "[\\t\\n\\f\\r ]",
    S: "[^\\t\\n\\f\\r ]",
    w: "[0-9A-Za-z_]",
    W: "[^0-9A-Za-z_]",
};

/** Members of `[:name:]`. */
const named: Readonly<Record<string, string>> = {
    alnum: "0-9A-Za-z",
    alpha: "A-Za-z",
    ascii: "\\x00-\\x7f",
    blank: "\\t ",
    cntrl: "\\x00-\\x1f\\x7f",
    digit: "0-9",
    graph: "\\x21-\\x7e",
    lower: "a-z",
    print: "\\x20-\\x7e",
    punct: "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e",
    space: "\\t\\n\\v\\f\\r ",
    upper: "A-Z",
    word: "0-9A-Za-z_",
    xdigit: "0-9A-Fa-f",
};

const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** Wrapped in groups, because JavaScript does not repeat a bare assertion. */
const assertions: Readonly<Record<string, string>> = { A: "(?:^)", b: "(?:\\b)", B: "(?:\\B)", z: "$" };

/** The highest count of a repetition that Go accepts. */
const highestCount = 1000;

/** A part of an expression: its JavaScript source, and its length in the Go source in code units. */
interface Part {
    readonly source: string;
    readonly length: number;
}

const literal = (point: number): string => `\\u{${point.toString(16)}}`;

const literals = (text: string): string => Array.from(text, (char) => literal(char.codePointAt(0) ?? 0)).join("");

/** Reads one character, escaped or not, as its code point. */
function character(rest: string): { readonly point: number; readonly length: number } {
    const found =
        /^(?:\\(?:(?<octal>0[0-7]{0,2}|[1-7][0-7]{1,2})|x(?:(?<hex>[\dA-Fa-f]{2})|\{(?<code>[\dA-Fa-f]+)\})|(?<control>[afnrtv])|(?<plain>[^\dA-Za-z\u{80}-\u{10ffff}]))|(?<itself>[^\\]))/u.exec(
            rest,
        );
    if (!found) throw new SyntaxError(`invalid from here: ${rest}`);
    const { octal, hex, code = hex, control, plain, itself } = found.groups ?? {};
    const text = plain ?? itself;
    const point =
        octal !== undefined
            ? Number.parseInt(octal, 8)
            : code !== undefined
              ? Number.parseInt(code, 16)
              : control !== undefined
                ? controls[control]
                : text?.codePointAt(0);
    if (point === undefined || point > 0x10ffff) throw new SyntaxError(`not a character: ${rest}`);
    return { point, length: found[0].length };
}

/** Reads a class written as `\` and letters; undefined for anything else. */
function escapedClass(rest: string): Part | undefined {
    const perl = /^\\([dDsSwW])/.exec(rest);
    if (perl) return { source: lettered[perl[1] ?? ""] ?? "", length: 2 };
    if (!/^\\p/i.test(rest)) return undefined;
    const category = /^\\([pP])([CLMNPSZclmnpsz])/.exec(rest);
    if (!category) throw new SyntaxError(`not a category of characters: ${rest}`);
    return { source: `\\${category[1] ?? ""}{${(category[2] ?? "").toUpperCase()}}`, length: 3 };
}

function namedClass(rest: string): Part | undefined {
    const found = /^\[:(\^?)(.*?):\]/s.exec(rest);
    if (!found) return undefined;
    const [all, negated = "", name = ""] = found;
    const members = Object.hasOwn(named, name) ? named[name] : undefined;
    if (members === undefined) throw new SyntaxError(`there is no class ${all}`);
    return { source: `[${negated}${members}]`, length: all.length };
}

function range(rest: string): Part {
    const low = character(rest);
    const isRange = /^-[^\]]/u.test(rest.slice(low.length));
    if (!isRange) return { source: literal(low.point), length: low.length };
    const high = character(rest.slice(low.length + 1));
    if (high.point < low.point) throw new SyntaxError(`the range ends before it starts: ${rest}`);
    return { source: `${literal(low.point)}-${literal(high.point)}`, length: low.length + 1 + high.length };
}

/** Reads a class, starting at its `[`. A `]` at its start is a member. */
function bracketed(rest: string): Part {
    const start = rest.startsWith("[^") ? 2 : 1;
    let source = rest.slice(0, start);
    let at = start;
    while (at === start || rest[at] !== "]") {
        const inner = rest.slice(at);
        const part = namedClass(inner) ?? escapedClass(inner) ?? range(inner);
        source += part.source;
        at += part.length;
    }
    return { source: `${source}]`, length: at + 1 };
}

/** Reads a repetition such as `{2,3}`; other braces are ordinary characters. */
function repetition(rest: string): Part {
    const found = /^\{(0|[1-9]\d*)(?:,(0|[1-9]\d*)?)?\}/.exec(rest);
    if (!found) return { source: literals("{"), length: 1 };
    const [source, least, most = least] = found;
    if (Math.max(Number(least), Number(most)) > highestCount) throw new SyntaxError(`repeats too often: ${source}`);
    return { source, length: source.length };
}

function part(rest: string): Part {
    const [first = ""] = rest;
    if ("$*?)|".includes(first)) return { source: first, length: 1 };
    if (first === "^") return { source: "(?:^)", length: 1 };
    if (first === "{") return repetition(rest);
    if (first === "(") return { source: "(?:", length: 1 };
    if (first === ".") return { source: "[^\\n]", length: 1 };
    if (first === "[") return bracketed(rest);
    const quoted = /^\\Q(.*?)(?:\\E|$)/s.exec(rest);
    if (quoted) return { source: literals(quoted[1] ?? ""), length: quoted[0].length };
    const assertion = /^\\([AbBz])/.exec(rest);
    if (assertion) return { source: assertions[assertion[1] ?? ""] ?? "", length: 2 };
    const escaped = escapedClass(rest);
    if (escaped) return escaped;
    const { point, length } = character(rest);
    return { source: literal(point), length };
}

/**
 * Converts a regular expression of Go to an equivalent one of JavaScript.
 *
 * @throws SyntaxError for expressions that Go's regexp.Compile refuses
 */
export function goRegexp(expression: string): RegExp {
    let source = "";
    for (let at = 0; at < expression.length;) {
        const { source: translated, length } = part(expression.slice(at));
        source += translated;
        at += length;
    }
    return new RegExp(source, "v");
}

/** Reads a character of a class, escaped or not; undefined if the pattern ends too early or the class is malformed. */
function member(rest: string): { readonly point: number; readonly rest: string } | undefined {
    const [, char] = /^\\?([^])/u.exec(/^(?:[-\]]|\\$|$)/.test(rest) ? "" : rest) ?? [];
    const after = char === undefined ? "" : rest.slice(char.length + (rest.startsWith("\\") ? 1 : 0));
    return char === undefined || after === "" ? undefined : { point: char.codePointAt(0) ?? 0, rest: after };
}

/**
 * Checks whether a character is in a class, given the text after its `[`; also returns the text after the class.
 * Undefined if malformed.
 */
function inClass(rest: string, character: string): { readonly isIn: boolean; readonly rest: string } | undefined {
    const negated = rest.startsWith("^");
    const point = character.codePointAt(0) ?? 0;
    let unread = negated ? rest.slice(1) : rest;
    let isIn = false;
    for (let isFirst = true; isFirst || !unread.startsWith("]"); isFirst = false) {
        const low = member(unread);
        if (!low) return undefined;
        const high = low.rest.startsWith("-") ? member(low.rest.slice(1)) : low;
        if (!high) return undefined;
        isIn ||= low.point <= point && point <= high.point;
        unread = high.rest;
    }
    return { isIn: isIn !== negated, rest: unread.slice(1) };
}

const firstOf = (text: string): string => /^[^]/u.exec(text)?.[0] ?? "";

/**
 * Returns the rest of a name after a piece of a pattern without `*`: false if it does not match, undefined for a
 * malformed piece.
 */
function afterPiece(piece: string, name: string): string | false | undefined {
    let unmatched: string | false = name;
    for (let rest = piece; rest !== "";) {
        // The whole piece is read even after a mismatch: it may be malformed.
        const first: string = unmatched === false ? "" : firstOf(unmatched);
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
        unmatched = unmatched !== false && first !== "" && isSame ? unmatched.slice(first.length) : false;
    }
    return unmatched;
}

/**
 * Implements Go's filepath.Match (pkg.go.dev/path/filepath#Match): `*` and `?` do not match `/`, a class may.
 *
 * @returns undefined for a malformed pattern, which Go detects only while a match is still possible
 */
export function matchesPath(pattern: string, name: string): boolean | undefined {
    const [, stars = "", piece = "", rest = ""] =
        /^(\**)((?:\\[^]|\[(?:\\[^]|[^\]\\])*\]?|[^*[\\]|\\)*)([^]*)$/u.exec(pattern) ?? [];
    if (piece === "") return stars === "" ? name === "" : !name.includes("/");
    const isEnough = (after: string | false | undefined): after is string =>
        typeof after === "string" && (after === "" || rest !== "");
    const here = afterPiece(piece, name);
    if (isEnough(here)) return matchesPath(rest, here);
    if (here === undefined) return undefined;
    for (let at = 0; stars !== "" && at < name.length && name[at] !== "/"; at++) {
        const after = afterPiece(piece, name.slice(at + 1));
        // As in Go, the first place where a piece matches is final: there is no backtracking.
        if (isEnough(after)) return matchesPath(rest, after);
    }
    return false;
}

/** Checks whether a part of a path contains a wildcard; an escaped wildcard is an ordinary character. */
export const isWild = (part: string): boolean => /[*?[]/.test(part.replace(/\\[^]/gu, ""));

/** Returns the parts of a path from the context's root; `..` can't leave the root. */
export const partsOf = (file: string): string[] => path.posix.join("/", file).split("/").filter(Boolean);

/**
 * Splits a path with wildcards into the folder before the first wildcard and the rest; undefined for a path without
 * wildcards. A `\` before the first wildcard is part of a name: BuildKit removes it from patterns only.
 */
export function splitWildcards(pattern: string): { readonly folder: string; readonly rest: string } | undefined {
    const parts = partsOf(pattern);
    const first = parts.findIndex(isWild);
    if (first < 0) return undefined;
    return { folder: parts.slice(0, first).join("/"), rest: parts.slice(first).join("/") };
}
