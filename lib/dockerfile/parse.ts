import { InputError, placeOf } from "../errors";

/** An instruction of a Dockerfile. */
export interface Statement {
    readonly keyword: string;
    /** Line that it starts in, from 1. */
    readonly line: number;
    readonly flags: readonly Flag[];
    /** Its text after keyword and flags. */
    readonly rest: string;
    /** The whole of it on one line, as written. */
    readonly text: string;
    /** The here-documents that follow it, each with the line that ends it. */
    readonly hereDocuments: string;
    /** File and line, for messages. */
    readonly where: string;
    /** The escape character that it is split by. */
    readonly escape: string;
    /** ONBUILD: the instruction that it leaves to the stages built FROM its own, as written. */
    readonly trigger?: string;
    /** Of an instruction that ONBUILD left: where that stands, for messages. */
    readonly left?: string;
}

const keywords = [
    ...["ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"],
    ...["ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"],
];

/** One instruction, whose line is joined already. */
export function statementOf({ text, line, hereDocuments }: LogicalLine, escape: string, where: string): Statement {
    const [written = ""] = /^[^\t\v\f\r ]*/.exec(trimmed(text)) ?? [];
    const keyword = written.toUpperCase();
    if (!keywords.includes(keyword)) {
        throw new InputError({ problem: `${keyword} is not an instruction`, where, allowed: keywords });
    }
    const { flags, rest } = splitFlags(trimmed(text).slice(keyword.length), escape);
    const split = flags.find(({ written }) => written.includes("\uFFFD"));
    if (split) {
        throw new InputError({
            problem: `${keyword} has a flag that BuildKit ends within a letter: ${split.written}`,
            where,
            next: "write the letter in another way, such as ? in a pattern",
        });
    }
    if (keyword === "ONBUILD") checkTrigger(rest, where);
    // Its here-documents are a part of it, as BuildKit keeps it in the image's configuration (instructions, parseOnBuild).
    const trigger = keyword === "ONBUILD" ? [rest, hereDocuments].filter((one) => one !== "").join("\n") : undefined;
    return {
        ...{ keyword, line, flags, rest, text, hereDocuments, where, escape },
        ...(trigger !== undefined && { trigger }),
    };
}

/** The instructions of a Dockerfile, and what its parser directives say. */
export interface Statements extends Pick<LogicalLines, "escape" | "directives"> {
    readonly statements: readonly Statement[];
}

/** What BuildKit refuses in an ONBUILD itself; all else is read only where it runs (instructions, parseOnBuild). */
function checkTrigger(text: string, where: string): void {
    const [keyword = ""] = /^\S*/.exec(text) ?? [];
    if (keyword !== "" && !["FROM", "MAINTAINER", "ONBUILD"].includes(keyword.toUpperCase())) return;
    throw new InputError({
        problem: `ONBUILD can't leave ${keyword === "" ? "nothing" : keyword} to other images`,
        where,
        next: "write ONBUILD <instruction>",
    });
}

/** An instruction that an image leaves to what is built FROM it. */
export interface Trigger {
    readonly text: string;
    /** File and line of its ONBUILD, or what else says it. */
    readonly where: string;
}

/**
 * Reads an instruction that ONBUILD left, as BuildKit does: by itself, with the usual escape character whatever the Dockerfile's is,
 * as if it stood in the line of FROM (dockerfile2llb, initOnBuildTriggers).
 *
 * @param from the FROM that it runs for
 * @throws InputError for what is no instruction, or several
 */
export function leftStatement({ text, where: left }: Trigger, from: Pick<Statement, "line" | "where">): Statement {
    const where = placeOf(from.where, { left });
    const [line, ...more] = logicalLines(text, where).lines;
    if (!line || more.length > 0) {
        const next = `correct ${left}`;
        throw new InputError({ problem: "ONBUILD leaves nothing, or more than one instruction", where, next });
    }
    return { ...statementOf(line, "\\", where), line: from.line, where, left };
}

/**
 * The instructions of a Dockerfile, and its parser directives.
 *
 * @throws InputError for what is no instruction, a wrong directive or an unterminated here-document
 */
export function readStatements(text: string, path: string): Statements {
    const { escape, directives, lines } = logicalLines(text, path);
    return { escape, directives, statements: lines.map((one) => statementOf(one, escape, `${path}:${one.line}`)) };
}

/** What Go's unicode.IsSpace takes for a blank: \s without the byte order mark, and with U+0085. */
const blank = "[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const isBlank = new RegExp(`^${blank}`, "u");
const firstBlanks = new RegExp(`^${blank}+`, "u");

/** A text without the blanks before it. */
export const trimStart = (text: string): string => text.replace(firstBlanks, "");

/** A text without the blanks around it (Go's strings.TrimSpace). */
export function trimmed(text: string): string {
    let end = text.length;
    // A pattern would try every run of blanks to its end.
    while (end > 0 && isBlank.test(text[end - 1] ?? "")) end--;
    return trimStart(text.slice(0, end));
}

/** Whether BuildKit takes an instruction's arguments in their JSON form: an array of anything. */
export function isJsonArray(text: string): boolean {
    try {
        return Array.isArray(JSON.parse(text));
    } catch {
        return false;
    }
}

/** Where a scan of an instruction's text stands: in blanks, in a word, or in quotes. */
interface Scan {
    readonly words: string[];
    /** The words as they are written. */
    readonly written: string[];
    /** Index after the last word. */
    readonly end: number;
}

/**
 * Splits at blanks outside of quotes (frontend/dockerfile/parser: parseWords and extractBuilderFlags).
 *
 * @param keep whether quotes and escapes stay, for a later expansion to remove
 * @param goOn whether the word that starts at an index still belongs to what is wanted
 */
function scan(text: string, escape: string, keep: boolean, goOn: (index: number) => boolean): Scan {
    const words: string[] = [];
    const written: string[] = [];
    let index = 0;
    for (;;) {
        while (isBlank.test(text[index] ?? "")) index++;
        if (index >= text.length || !goOn(index)) return { words, written, end: index };
        const start = index;
        let word = "";
        let quote: string | undefined;
        for (; index < text.length; index++) {
            const character = text[index] ?? "";
            // Flags know escapes within single quotes, words don't.
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

/** A flag of an instruction: `--link` has no value. */
export interface Flag {
    readonly name: string;
    readonly value: string | undefined;
    /** The whole of it, with its quotes and escapes. */
    readonly written: string;
}

const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const fromBytes = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");

/**
 * Splits an instruction's text into its flags and the rest; `--` ends the flags. BuildKit takes each byte of them for a letter
 * (extractBuilderFlags), so the value of `--exclude=é` is "Ã©" here as well, and excludes no é.
 */
export function splitFlags(text: string, escape: string): { readonly flags: readonly Flag[]; readonly rest: string } {
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

/** The words of ARG and ENV, with their quotes. */
export const quotedWords = (text: string, escape: string): string[] => scan(text, escape, true, () => true).words;

/**
 * The arguments of COPY and ADD: a JSON array of strings, otherwise whatever stands between blanks, quotes or not;
 * undefined for an array of anything else, which BuildKit refuses.
 */
export function listArguments(text: string): readonly string[] | undefined {
    if (!isJsonArray(text)) return text.split(/[\t\v\f\r ]+/).filter((word) => word !== "");
    const values = JSON.parse(text) as unknown[];
    return values.every((value) => typeof value === "string") ? values : undefined;
}

/** Fields of a comma-separated value, as `--mount` has them; a quoted field may hold commas. */
export function commaFields(text: string): string[] {
    return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
    );
}

/** The fields of a mount flag by name in lower case, as written; one without a value, such as `required`, has "". */
export const mountFields = (value: string): ReadonlyMap<string, string> =>
    new Map(
        commaFields(value).map((field) => {
            const [key = "", ...rest] = field.split("=");
            return [key.toLowerCase(), rest.join("=")] as const;
        }),
    );

/** An instruction as one line: continuations joined, comments left out. */
export interface LogicalLine {
    /** Where it starts, from 1. */
    readonly line: number;
    readonly text: string;
    /** The here-documents that follow it, as written, each with the line that ends it; "" where there are none. */
    readonly hereDocuments: string;
}

/** What a Dockerfile's lines are. */
export interface LogicalLines {
    readonly escape: string;
    /** The parser directives by name: syntax, escape, check. */
    readonly directives: ReadonlyMap<string, string>;
    readonly lines: readonly LogicalLine[];
}

/** The longest line that BuildKit reads, in bytes without its end (parser, handleScannerError). */
export const longestLine = 65_535;

const directives = ["syntax", "escape", "check"];
const directivePattern = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*$/su;
const heredocPattern = /^\d*<<(-?)\s*([^<]*)$/;

/**
 * The parser directive that a comment is (parser/directives.go, ParseLine).
 *
 * @param comment without the mark that makes it one
 * @returns its name in lower case, and its value; undefined for any other comment
 */
export function directiveOf(comment: string): { readonly name: string; readonly value: string } | undefined {
    const [, name = "", value = ""] = directivePattern.exec(trimStart(comment)) ?? [];
    return directives.includes(name.toLowerCase()) ? { name: name.toLowerCase(), value } : undefined;
}

/** The parser directives by name (Dockerfile reference, "Parser directives"). */
function readDirectives(physical: readonly string[], path: string): Map<string, string> {
    const seen = new Map<string, string>();
    for (const [index, line] of physical.entries()) {
        const comment = trimStart(line);
        const found = comment.startsWith("#") ? directiveOf(comment.slice(1)) : undefined;
        if (!found) break;
        const { name, value } = found;
        const where = `${path}:${index + 1}`;
        if (seen.has(name)) throw new InputError({ problem: `the directive ${name} stands twice`, where });
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

/** Words as a shell sees them, quotes kept; none when a quote is left open, as in BuildKit. */
function shellWords(line: string): string[] {
    const word = /(?:<<[\t\r ]*|\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+/gsu;
    const rest = line.replace(word, "").replace(/\\$/, "");
    return /['"]/.test(rest) ? [] : (line.match(word) ?? []);
}

/** The here-document that a word opens: what ends it, and whether tabs before that count. */
export function heredocOf(word: string): { readonly end: string; readonly tabs: boolean } | undefined {
    const [, dash, rest = ""] = heredocPattern.exec(word) ?? [];
    const words = shellWords(rest);
    if (words.length !== 1) return undefined;
    const end = rest.trim().replace(/\\(.)|'([^']*)'|"([^"]*)"/g, (_all, a?: string, b?: string, c?: string) => {
        return a ?? b ?? c ?? "";
    });
    return { end, tabs: dash === "-" };
}

/** Only these instructions take here-documents, and not in their JSON form. */
function heredocsOf(text: string): { readonly end: string; readonly tabs: boolean }[] {
    const [, rest] = /^\s*(?:onbuild\s+)?(?:add|copy|run)\s+(.*)$/is.exec(text) ?? [];
    if (rest === undefined || !rest.includes("<<") || isJsonArray(rest.replace(/^(?:--\S*\s+)*/, ""))) return [];
    return shellWords(text).flatMap((word) => heredocOf(word) ?? []);
}

/**
 * Joins a Dockerfile's lines as BuildKit does (frontend/dockerfile/parser).
 *
 * @throws InputError for a line that is too long, a wrong directive or an unterminated here-document
 */
export function logicalLines(dockerfile: string, path: string): LogicalLines {
    const raw = dockerfile.replace(/^\uFEFF/, "").split("\n");
    const physical = raw.map((line) => line.replace(/\r+$/, ""));
    const long = raw.findIndex((line) => Buffer.byteLength(line) > longestLine);
    if (long >= 0) {
        throw new InputError({
            problem: `the line is longer than ${longestLine} bytes, which BuildKit does not read`,
            where: `${path}:${long + 1}`,
            next: "continue it in other lines, or copy a file",
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
                const next = `end it with a line that is ${end}`;
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
