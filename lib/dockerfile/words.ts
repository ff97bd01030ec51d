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
