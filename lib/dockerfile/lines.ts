import { InputError } from "../errors";
import { isJsonArray, trimStart } from "./words";

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
