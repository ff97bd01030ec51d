import path from "node:path";

/**
 * Go's regular expressions (pkg.go.dev/regexp/syntax) in JavaScript, as far as patterns of ignore files become such: no
 * flags, and no groups with a name or flags. They differ from JavaScript's in what `\` makes of a letter, in classes, and in braces.
 */

/** Classes that a letter after `\` stands for, in JavaScript's `v` syntax: ASCII, as in Perl. */
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

/** In groups, since JavaScript repeats no bare assertion. */
const assertions: Readonly<Record<string, string>> = { A: "(?:^)", b: "(?:\\b)", B: "(?:\\B)", z: "$" };

/** The highest count of a repetition. */
const mostOften = 1000;

/** A part of an expression: what it is in JavaScript, and how many code units of the source it took. */
interface Part {
    readonly source: string;
    readonly length: number;
}

const literal = (point: number): string => `\\u{${point.toString(16)}}`;

const literals = (text: string): string => Array.from(text, (one) => literal(one.codePointAt(0) ?? 0)).join("");

/** One character, escaped or not, as its code point. */
function character(rest: string): { readonly point: number; readonly length: number } {
    const found =
        /^(?:\\(?:(?<octal>0[0-7]{0,2}|[1-7][0-7]{1,2})|x(?:(?<hex>[\dA-Fa-f]{2})|\{(?<code>[\dA-Fa-f]+)\})|(?<control>[afnrtv])|(?<plain>[^\dA-Za-z\u{80}-\u{10ffff}]))|(?<itself>[^\\]))/u.exec(
            rest,
        );
    if (!found) throw new SyntaxError(`can't be read from here: ${rest}`);
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
    if (point === undefined || point > 0x10ffff) throw new SyntaxError(`is no character: ${rest}`);
    return { point, length: found[0].length };
}

/** A class that `\` and letters stand for; undefined for anything else. */
function escapedClass(rest: string): Part | undefined {
    const perl = /^\\([dDsSwW])/.exec(rest);
    if (perl) return { source: lettered[perl[1] ?? ""] ?? "", length: 2 };
    if (!/^\\p/i.test(rest)) return undefined;
    const category = /^\\([pP])([CLMNPSZclmnpsz])/.exec(rest);
    if (!category) throw new SyntaxError(`names no category of characters: ${rest}`);
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
    if (high.point < low.point) throw new SyntaxError(`a range ends before it begins: ${rest}`);
    return { source: `${literal(low.point)}-${literal(high.point)}`, length: low.length + 1 + high.length };
}

/** A class from its `[` on. A `]` that stands first is a member. */
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

/** Braces that are no count stand for themselves. */
function repetition(rest: string): Part {
    const found = /^\{(0|[1-9]\d*)(?:,(0|[1-9]\d*)?)?\}/.exec(rest);
    if (!found) return { source: literals("{"), length: 1 };
    const [source, least, most = least] = found;
    if (Math.max(Number(least), Number(most)) > mostOften) throw new SyntaxError(`repeats too often: ${source}`);
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
 * A regular expression of Go's as one of JavaScript's that matches the same.
 *
 * @throws SyntaxError for what Go's regexp.Compile refuses
 */
export function goRegexp(expression: string): RegExp {
    let source = "";
    for (let at = 0; at < expression.length;) {
        const { source: one, length } = part(expression.slice(at));
        source += one;
        at += length;
    }
    return new RegExp(source, "v");
}

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
