import { InputError, placeOf } from "../errors";

/** An instruction of a Dockerfile. */
export interface Statement {
    readonly keyword: string;
    /** The line where it starts, from 1. */
    readonly line: number;
    readonly flags: readonly Flag[];
    /** Its text after the keyword and flags. */
    readonly rest: string;
    /** The whole instruction on one line, as written. */
    readonly text: string;
    /** Its here-documents, each including the line that ends it. */
    readonly hereDocuments: string;
    /** File and line, for messages. */
    readonly where: string;
    /** The escape character of its Dockerfile. */
    readonly escape: string;
    /** ONBUILD: the instruction that it adds to stages built FROM its image, as written. */
    readonly trigger?: string;
    /** Set if an ONBUILD triggered the instruction: the location of that ONBUILD, for messages. */
    readonly triggeredBy?: string;
}

const keywords = [
    ...["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"],
    ...["ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"],
];

/** Parses an instruction from a logical line. */
export function statementOf({ text, line, hereDocuments }: LogicalLine, escape: string, where: string): Statement {
    const [written = ""] = /^[^\t\v\f\r ]*/.exec(trimmed(text)) ?? [];
    const keyword = written.toUpperCase();
    if (!keywords.includes(keyword)) {
        // A file that is no Dockerfile may be one word of megabytes, or hold what no terminal shows.
        const shown = /^[\x21-\x7e]{1,60}$/.test(keyword) ? keyword : JSON.stringify(keyword.slice(0, 60));
        throw new InputError({ problem: `${shown} is not an instruction`, where, allowed: keywords });
    }
    const { flags, rest } = splitFlags(trimmed(text).slice(keyword.length), escape);
    const split = flags.find(({ written }) => written.includes("\uFFFD"));
    if (split) {
        throw new InputError({
            problem: `${keyword} has a flag that BuildKit ends within a multi-byte character: ${split.written}`,
            where,
            next: "write the character in another way, such as ? in a pattern",
        });
    }
    if (keyword === "ONBUILD") checkTrigger(rest, where);
    // Its here-documents belong to it, as in BuildKit's image configuration (instructions, parseOnBuild).
    const trigger = keyword === "ONBUILD" ? [rest, hereDocuments].filter((text) => text !== "").join("\n") : undefined;
    return {
        ...{ keyword, line, flags, rest, text, hereDocuments, where, escape },
        ...(trigger !== undefined && { trigger }),
    };
}

/** The instructions and parser directives of a Dockerfile. */
export interface Statements extends Pick<LogicalLines, "escape" | "directives"> {
    readonly statements: readonly Statement[];
}

/**
 * Checks an ONBUILD for errors that BuildKit reports at once; it checks the rest where the trigger runs (instructions,
 * parseOnBuild).
 */
function checkTrigger(text: string, where: string): void {
    const [keyword = ""] = /^\S*/.exec(text) ?? [];
    if (keyword !== "" && !["FROM", "MAINTAINER", "ONBUILD"].includes(keyword.toUpperCase())) return;
    throw new InputError({
        problem: `ONBUILD can't trigger ${keyword === "" ? "an empty instruction" : keyword}`,
        where,
        next: "write ONBUILD <instruction>",
    });
}

/** An instruction that ONBUILD of an image adds to the stages built FROM that image. */
export interface Trigger {
    readonly text: string;
    /** File and line of its ONBUILD, or another source that states it. */
    readonly where: string;
}

/**
 * Parses an ONBUILD trigger as BuildKit does: separately, with the default escape character, at the line of the FROM
 * (dockerfile2llb, initOnBuildTriggers).
 *
 * @param from the FROM that runs the trigger
 * @throws InputError if it is not exactly one valid instruction
 */
export function triggeredStatement(
    { text, where: triggeredBy }: Trigger,
    from: Pick<Statement, "line" | "where">,
): Statement {
    const where = placeOf(from.where, { triggeredBy });
    const [line, ...more] = logicalLines(text, where).lines;
    if (!line || more.length > 0) {
        const next = `correct ${triggeredBy}`;
        throw new InputError({ problem: "an ONBUILD trigger must be exactly one instruction", where, next });
    }
    return { ...statementOf(line, "\\", where), line: from.line, where, triggeredBy };
}

/**
 * Parses the instructions and parser directives of a Dockerfile.
 *
 * @throws InputError for an unknown instruction, an invalid directive or an unterminated here-document
 */
export function readStatements(text: string, path: string): Statements {
    const { escape, directives, lines } = logicalLines(text, path);
    return { escape, directives, statements: lines.map((line) => statementOf(line, escape, `${path}:${line.line}`)) };
}

/** Whitespace as Go's unicode.IsSpace defines it: \s without the byte order mark, and with U+0085. */
const blank = "[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const isBlank = new RegExp(`^${blank}`, "u");
const firstBlanks = new RegExp(`^${blank}+`, "u");

/** Removes leading whitespace. */
export const trimStart = (text: string): string => text.replace(firstBlanks, "");

/** Removes leading and trailing whitespace (Go's strings.TrimSpace). */
export function trimmed(text: string): string {
    let end = text.length;
    // A regular expression would need quadratic time for long runs of whitespace.
    while (end > 0 && isBlank.test(text[end - 1] ?? "")) end--;
    return trimStart(text.slice(0, end));
}

/** Checks whether BuildKit reads an instruction's arguments in JSON form: an array of any values. */
export function isJsonArray(text: string): boolean {
    // Almost no text starts like one, and an error with a stack trace takes much longer than this.
    if (!text.trimStart().startsWith("[")) return false;
    try {
        return Array.isArray(JSON.parse(text));
    } catch {
        return false;
    }
}

/** The result of splitting an instruction's text into words. */
interface Scan {
    readonly words: string[];
    /** The words as written. */
    readonly written: string[];
    /** Index after the last word. */
    readonly end: number;
}

/**
 * Splits at whitespace outside of quotes (frontend/dockerfile/parser: parseWords and extractBuilderFlags).
 *
 * @param keep whether quotes and escape characters stay in the words, to be removed by a later expansion
 * @param isWanted decides whether to read the word that starts at an index
 */
function scan(text: string, escape: string, keep: boolean, isWanted: (index: number) => boolean): Scan {
    const words: string[] = [];
    const written: string[] = [];
    let index = 0;
    for (;;) {
        while (isBlank.test(text[index] ?? "")) index++;
        if (index >= text.length || !isWanted(index)) return { words, written, end: index };
        const start = index;
        let word = "";
        let quote: string | undefined;
        for (; index < text.length; index++) {
            const character = text[index] ?? "";
            // Flags allow escapes within single quotes; words don't.
            const escapes = character === escape && !(keep && quote === "'");
            if (quote === undefined && isBlank.test(character)) break;
            if (escapes) word += (keep && index + 1 < text.length ? character : "") + (text[++index] ?? "");
            else if (character === quote || (quote === undefined && /['"]/.test(character))) {
                quote = quote === undefined ? character : undefined;
                if (keep) word += character;
            } else word += character;
        }
        words.push(word);
        written.push(text.slice(start, index));
        if (!keep && word === "--") return { words, written, end: index };
    }
}

/** A flag of an instruction. A flag such as `--link` has no value. */
export interface Flag {
    readonly name: string;
    readonly value: string | undefined;
    /** The whole flag, with its quotes and escape characters. */
    readonly written: string;
}

const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const fromBytes = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");

/**
 * Splits an instruction's text into its flags and the rest; `--` ends the flags. BuildKit treats each byte of a flag as
 * a character (extractBuilderFlags), so the value of `--exclude=é` is "Ã©" here as well, and does not exclude é.
 */
function splitFlags(text: string, escape: string): { readonly flags: readonly Flag[]; readonly rest: string } {
    const bytes = toBytes(text);
    const { words, written, end } = scan(bytes, escape, false, (index) => bytes.startsWith("--", index));
    const flags = words.flatMap((word, index): Flag[] => {
        if (word === "--") return [];
        const equals = word.indexOf("=");
        const [name, value] = equals < 0 ? [word.slice(2)] : [word.slice(2, equals), word.slice(equals + 1)];
        return [{ name, value, written: fromBytes(written[index] ?? word) }];
    });
    return { flags, rest: trimmed(fromBytes(bytes.slice(end))) };
}

/** Returns the words of ARG and ENV, with their quotes. */
export const quotedWords = (text: string, escape: string): string[] => scan(text, escape, true, () => true).words;

/**
 * Returns the arguments of COPY and ADD: the values of a JSON array of strings, otherwise the words between whitespace,
 * even within quotes; undefined for an array of other values, which BuildKit refuses.
 */
export function listArguments(text: string): readonly string[] | undefined {
    if (!isJsonArray(text)) return text.split(/[\t\v\f\r ]+/).filter((word) => word !== "");
    const values = JSON.parse(text) as unknown[];
    return values.every((value) => typeof value === "string") ? values : undefined;
}

/** Splits a comma-separated value, such as that of `--mount`; a quoted field may contain commas. */
export function commaFields(text: string): string[] {
    return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
    );
}

/**
 * Returns the fields of a mount flag as written, by name in lower case; a field without a value, such as `required`, is
 * "".
 */
export const mountFields = (value: string): ReadonlyMap<string, string> =>
    new Map(
        commaFields(value).map((field) => {
            const [key = "", ...rest] = field.split("=");
            return [key.toLowerCase(), rest.join("=")] as const;
        }),
    );

/** An instruction as one line: continuations joined, comments removed. */
export interface LogicalLine {
    /** The line where it starts, from 1. */
    readonly line: number;
    readonly text: string;
    /**
     * The here-documents that follow it as written, each including the line that ends it; "" if it has no
     * here-document.
     */
    readonly hereDocuments: string;
}

/** The logical lines of a Dockerfile, and its parser directives. */
export interface LogicalLines {
    readonly escape: string;
    /** The parser directives by name: syntax, escape, check. */
    readonly directives: ReadonlyMap<string, string>;
    readonly lines: readonly LogicalLine[];
}

/** The longest line that BuildKit reads, in bytes without the line break (parser, handleScannerError). */
export const longestLine = 65_535;

const directives = ["syntax", "escape", "check"];
const directivePattern = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*$/su;
const heredocPattern = /^\d*<<(-?)\s*([^<]*)$/;

/**
 * Parses a comment as a parser directive (parser/directives.go, ParseLine).
 *
 * @param comment its text after the comment mark
 * @returns the directive's name in lower case, and its value; undefined for an ordinary comment
 */
export function directiveOf(comment: string): { readonly name: string; readonly value: string } | undefined {
    const [, name = "", value = ""] = directivePattern.exec(trimStart(comment)) ?? [];
    return directives.includes(name.toLowerCase()) ? { name: name.toLowerCase(), value } : undefined;
}

/** Reads the parser directives, by name (Dockerfile reference, "Parser directives"). */
function readDirectives(physical: readonly string[], path: string): Map<string, string> {
    const seen = new Map<string, string>();
    for (const [index, line] of physical.entries()) {
        const comment = trimStart(line);
        const directive = comment.startsWith("#") ? directiveOf(comment.slice(1)) : undefined;
        if (!directive) break;
        const { name, value } = directive;
        const where = `${path}:${index + 1}`;
        if (seen.has(name))
            throw new InputError({ problem: `the directive ${name} is repeated`, where, next: "remove one of them" });
        if (name === "escape" && value !== "\\" && value !== "`") {
            throw new InputError({
                problem: `escape=${value} is not an escape character`,
                where,
                allowed: ["\\", "`"],
            });
        }
        seen.set(name, value);
    }
    return seen;
}

/** Splits a line into words as a shell does, keeping quotes; empty if a quote is not closed, as in BuildKit. */
function shellWords(line: string): string[] {
    const word = /(?:<<[\t\r ]*|\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+/gsu;
    const rest = line.replace(word, "").replace(/\\$/, "");
    return /['"]/.test(rest) ? [] : (line.match(word) ?? []);
}

/** Returns the here-document that a word opens: its delimiter, and whether tabs before the delimiter are ignored. */
export function heredocOf(word: string): { readonly end: string; readonly tabs: boolean } | undefined {
    const [, dash, rest = ""] = heredocPattern.exec(word) ?? [];
    const words = shellWords(rest);
    if (words.length !== 1) return undefined;
    const end = rest.trim().replace(/\\(.)|'([^']*)'|"([^"]*)"/g, (_all, a?: string, b?: string, c?: string) => {
        return a ?? b ?? c ?? "";
    });
    return { end, tabs: dash === "-" };
}

/** Returns the here-documents of a line. Only ADD, COPY and RUN have them, and not in JSON form. */
function heredocsOf(text: string): { readonly end: string; readonly tabs: boolean }[] {
    const [, rest] = /^\s*(?:onbuild\s+)?(?:add|copy|run)\s+(.*)$/is.exec(text) ?? [];
    if (rest === undefined || !rest.includes("<<") || isJsonArray(rest.replace(/^(?:--\S*\s+)*/, ""))) return [];
    return shellWords(text).flatMap((word) => heredocOf(word) ?? []);
}

/**
 * Joins the lines of a Dockerfile as BuildKit does (frontend/dockerfile/parser).
 *
 * @throws InputError for a line that is too long, an invalid directive or an unterminated here-document
 */
export function logicalLines(dockerfile: string, path: string): LogicalLines {
    const raw = dockerfile.replace(/^\uFEFF/, "").split("\n");
    const physical = raw.map((line) => line.replace(/\r+$/, ""));
    const long = raw.findIndex((line) => Buffer.byteLength(line) > longestLine);
    if (long >= 0) {
        throw new InputError({
            problem: `the line is longer than ${longestLine} bytes, BuildKit's limit`,
            where: `${path}:${long + 1}`,
            next: "split it into continued lines, or copy a file",
        });
    }
    const directives = readDirectives(physical, path);
    const escape = directives.get("escape") ?? "\\";
    const continued = escape === "\\" ? /(^|[^\\])\\[ \t]*$/ : /(^|[^`])`[ \t]*$/;
    const lines: LogicalLine[] = [];
    for (let index = 0; index < physical.length; index++) {
        const start = index;
        let part = trimStart(physical[index] ?? "");
        if (part === "" || part.startsWith("#")) continue;
        let text = "";
        while (continued.test(part)) {
            text += part.replace(continued, "$1");
            do index++;
            while (index < physical.length && /^(?:#|$)/.test(trimStart(physical[index] ?? "")));
            part = physical[index] ?? "";
        }
        text += part;
        let hereDocuments = "";
        for (const { end, tabs } of heredocsOf(text)) {
            index++;
            for (; index < physical.length; index++) {
                if ((physical[index] ?? "").replace(tabs ? /^\t+/ : /^/, "") === end) break;
                hereDocuments += `${raw[index] ?? ""}\n`;
            }
            hereDocuments += `${end}\n`;
            if (index >= physical.length) {
                const next = `end it with the line ${end}`;
                throw new InputError({
                    problem: `the here-document <<${end} does not end`,
                    where: `${path}:${start + 1}`,
                    next,
                });
            }
        }
        lines.push({ line: start + 1, text, hereDocuments });
    }
    return { escape, directives, lines };
}
