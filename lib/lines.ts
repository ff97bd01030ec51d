import { InputError } from "./errors";

/** A Dockerfile's instructions, each as one line: continuations joined, comments and here-documents left out. */
export interface LogicalLines {
    readonly escape: string;
    /** `line` counts from 1, where the instruction starts. */
    readonly lines: readonly { readonly line: number; readonly text: string }[];
}

const directives = ["syntax", "escape", "check"];
const heredocPattern = /^\d*<<(-?)\s*([^<]*)$/;

/** The escape character that the parser directives set (Dockerfile reference, "Parser directives"). */
function readEscape(physical: readonly string[], path: string): string {
    const seen = new Map<string, string>();
    for (const [index, line] of physical.entries()) {
        const [, name = "", value = ""] = /^\s*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
        const directive = name.toLowerCase();
        if (!directives.includes(directive)) break;
        const where = `${path}:${index + 1}`;
        if (seen.has(directive)) throw new InputError({ problem: `the directive ${directive} stands twice`, where });
        if (directive === "escape" && value !== "\\" && value !== "`") {
            throw new InputError({
                problem: `escape=${value} is not an escape character`,
                where,
                allowed: ["\\", "`"],
            });
        }
        seen.set(directive, value);
    }
    return seen.get("escape") ?? "\\";
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

/** Whether BuildKit takes an instruction's arguments in their JSON form: an array of anything. */
export function isJsonArray(text: string): boolean {
    try {
        return Array.isArray(JSON.parse(text));
    } catch {
        return false;
    }
}

/**
 * Joins a Dockerfile's lines as BuildKit does (frontend/dockerfile/parser). dockerfile-ast 0.7.1 alone misses
 * here-documents with a file descriptor (`3<<EOF`) or a space (`<< EOF`) and takes an escaped escape at the end of a
 * line for a continuation: it would take instructions for text, or text for instructions.
 *
 * @throws InputError for a wrong directive or an unterminated here-document
 */
export function logicalLines(dockerfile: string, path: string): LogicalLines {
    const physical = dockerfile
        .replace(/^\uFEFF/, "")
        .split("\n")
        .map((line) => line.replace(/\r+$/, ""));
    const escape = readEscape(physical, path);
    const continued = escape === "\\" ? /(^|[^\\])\\[ \t]*$/ : /(^|[^`])`[ \t]*$/;
    const lines: { line: number; text: string }[] = [];
    for (let index = 0; index < physical.length; index++) {
        const start = index;
        let part = (physical[index] ?? "").trimStart();
        if (part === "" || part.startsWith("#")) continue;
        let text = "";
        while (continued.test(part)) {
            text += part.replace(continued, "$1");
            do index++;
            while (index < physical.length && /^\s*(?:#|$)/.test(physical[index] ?? ""));
            part = physical[index] ?? "";
        }
        text += part;
        for (const { end, tabs } of heredocsOf(text)) {
            do index++;
            while (index < physical.length && (physical[index] ?? "").replace(tabs ? /^\t+/ : /^/, "") !== end);
            if (index >= physical.length) {
                const next = `end it with a line that is ${end}`;
                throw new InputError({
                    problem: `the here-document <<${end} does not end`,
                    where: `${path}:${start + 1}`,
                    next,
                });
            }
        }
        lines.push({ line: start + 1, text });
    }
    return { escape, lines };
}
