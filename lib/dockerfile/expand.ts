import { InputError } from "../errors";

/**
 * The patterns of `${NAME#pattern}` and its relatives, as BuildKit reads them (frontend/dockerfile/shell,
 * convertShellPatternToRegex). Go matches them in linear time, however many `*` they have; JavaScript's regular expressions
 * try all combinations, which takes minutes for long values. So a pattern is a machine whose states are the numbers of its
 * parts that matched, and all states advance together.
 */
type Part = { readonly kind: "star" | "any" } | { readonly kind: "character"; readonly character: string };

/** A pattern in parts. */
export type ShellPattern = readonly Part[];

/**
 * Parses a pattern: `*` matches any text and `?` any character, but neither of them a line break.
 *
 * @returns undefined for a `\` before anything else than `*`, `?`, `\`, `/` and `}`, which BuildKit refuses
 */
export function parseShellPattern(pattern: string): ShellPattern | undefined {
    const parts: Part[] = [];
    const characters = Array.from(pattern);
    for (let index = 0; index < characters.length; index++) {
        let character = characters[index] ?? "";
        if (character === "*" || character === "?") {
            parts.push({ kind: character === "*" ? "star" : "any" });
            continue;
        }
        if (character === "\\") {
            character = characters[++index] ?? "";
            if (!["*", "?", "\\", "/", "}"].includes(character)) return undefined;
        }
        parts.push({ kind: "character", character });
    }
    return parts;
}

/** Where a pattern matches: indices of the first character and of the one after the last. */
interface Match {
    readonly start: number;
    readonly end: number;
}

/**
 * Finds the first match in a text, from `from` on; of several that start there, the longest, or the shortest.
 *
 * @param anchored whether the match must start at `from`
 */
function find(
    pattern: ShellPattern,
    text: readonly string[],
    from: number,
    { anchored = false, shortest = false }: { readonly anchored?: boolean; readonly shortest?: boolean } = {},
): Match | undefined {
    // By the number of parts that matched, where the earliest such match started; Infinity if there is none.
    let current: number[] = Array.from({ length: pattern.length + 1 }, () => Infinity);
    let found: Match | undefined;
    for (let at = from; ; at++) {
        if (!found && (at === from || !anchored)) current[0] = Math.min(current[0] ?? Infinity, at);
        for (const [index, part] of pattern.entries()) {
            // A star also matches nothing.
            if (part.kind === "star")
                current[index + 1] = Math.min(current[index + 1] ?? Infinity, current[index] ?? Infinity);
        }
        const start = current[pattern.length] ?? Infinity;
        if (start <= (found?.start ?? Number.MAX_SAFE_INTEGER)) found = { start, end: at };
        if (found && shortest) return found;
        if (at >= text.length) return found;
        const character = text[at];
        const limit = found?.start ?? Infinity;
        const next: number[] = Array.from({ length: pattern.length + 1 }, () => Infinity);
        let isActive = false;
        for (const [index, part] of pattern.entries()) {
            const state = current[index] ?? Infinity;
            if (state === Infinity || state > limit) continue;
            const matches = part.kind === "character" ? part.character === character : character !== "\n";
            if (!matches) continue;
            const after = part.kind === "star" ? index : index + 1;
            next[after] = Math.min(next[after] ?? Infinity, state);
            isActive = true;
        }
        if (!isActive && (found || anchored)) return found;
        current = next;
    }
}

/** Removes the shortest (greedy: longest) prefix that a pattern matches. */
export function withoutPrefix(value: string, pattern: ShellPattern, greedy: boolean): string {
    const text = Array.from(value);
    const match = find(pattern, text, 0, { anchored: true, shortest: !greedy });
    return match ? text.slice(match.end).join("") : value;
}

/** Removes the shortest (greedy: longest) suffix that a pattern matches. */
export function withoutSuffix(value: string, pattern: ShellPattern, greedy: boolean): string {
    const text = Array.from(value).reverse();
    const match = find([...pattern].reverse(), text, 0, { anchored: true, shortest: !greedy });
    return match ? text.slice(match.end).reverse().join("") : value;
}

/** Replaces the first match of a pattern. */
export function replaceFirst(value: string, pattern: ShellPattern, replacement: string): string {
    const text = Array.from(value);
    const match = find(pattern, text, 0);
    return match ? text.slice(0, match.start).join("") + replacement + text.slice(match.end).join("") : value;
}

/**
 * Replaces all matches of a pattern as Go's ReplaceAllString does: an empty match directly after a match does not count, and the
 * replacement is a template in which `$0` is the match, any other name is empty, and `$$` is a dollar sign.
 */
export function replaceAll(value: string, pattern: ShellPattern, replacement: string): string {
    const text = Array.from(value);
    const filled = (match: Match) =>
        replacement.replace(
            /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu,
            (whole: string, name?: string, braced?: string) => {
                if (whole === "$$") return "$";
                return (name ?? braced) === "0" ? text.slice(match.start, match.end).join("") : "";
            },
        );
    const replaced: string[] = [];
    let copied = 0;
    let last = -1;
    for (let at = 0; at <= text.length;) {
        const match = find(pattern, text, at);
        if (!match) break;
        const isEmpty = match.start === match.end;
        if (!isEmpty || match.start !== last) {
            replaced.push(...text.slice(copied, match.start), filled(match));
            copied = match.end;
            last = match.end;
        }
        at = isEmpty ? match.end + 1 : match.end;
    }
    return [...replaced, ...text.slice(copied)].join("");
}

/**
 * The longest text that is expanded, in UTF-16 units: BuildKit can't hand on a longer one, because it and its clients accept messages
 * of 16 MiB (google.golang.org/grpc, as set in util/appdefaults). A few lines of `ENV A=$A$A` make a text that fills the memory.
 */
const longestText = 1 << 24;

/**
 * Values of the variables in scope. An absent variable is unset; `undefined` means that it is set but its value is
 * unknown.
 */
export type Variables = ReadonlyMap<string, string | undefined>;

/** The result of an expansion, and the variables without a value: unset and used without a default, or unknown. */
export interface Expansion {
    readonly text: string;
    readonly unset: readonly string[];
}

const name = /[0-9]+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;

/**
 * Reads a word from left to right. A class, because nested forms share the position and the list of unset variables.
 */
class Expander {
    readonly unset: string[] = [];
    private at = 0;
    private inserted = 0;

    constructor(
        private readonly text: string,
        private readonly variables: Variables,
        private readonly escape: string,
        private readonly where: string | undefined,
    ) {}

    /** Expands up to `end`, which is consumed, or to the end of the text if `end` is undefined. */
    until(end?: string, rawEscapes = false): string {
        let result = "";
        while (this.at < this.text.length) {
            const character = this.next();
            if (character === end) return result;
            if (character === "'") result += this.singleQuoted();
            else if (character === '"') result += this.doubleQuoted(rawEscapes);
            else if (character === "$") result += this.variable();
            else if (character === this.escape) result += (rawEscapes ? character : "") + this.next();
            else result += character;
        }
        return end === undefined ? result : this.fail(`"${end}" is missing`);
    }

    private next(): string {
        const character = String.fromCodePoint(
            ...(this.at < this.text.length ? [this.text.codePointAt(this.at) ?? 0] : []),
        );
        this.at += character.length;
        return character;
    }

    private fail(reason: string): never {
        throw new InputError({
            problem: `${this.text} can't be expanded: ${reason}`,
            ...(this.where !== undefined && { where: this.where }),
            next: "close every quote and brace",
        });
    }

    private singleQuoted(): string {
        const end = this.text.indexOf("'", this.at);
        if (end < 0) this.fail("a single quote is not closed");
        const quoted = this.text.slice(this.at, end);
        this.at = end + 1;
        return quoted;
    }

    private doubleQuoted(rawEscapes: boolean): string {
        let result = "";
        while (this.at < this.text.length) {
            const character = this.next();
            if (character === '"') return result;
            if (character === "$") result += this.variable();
            else if (character === this.escape) {
                const escapable = ['"', "$", this.escape].includes(this.text[this.at] ?? "");
                // At the end of the text an escape character has no effect.
                if (rawEscapes || (!escapable && this.at < this.text.length)) result += character;
                if (escapable) result += this.next();
            } else result += character;
        }
        return this.fail("a double quote is not closed");
    }

    private name(): string {
        name.lastIndex = this.at;
        const matched = name.exec(this.text)?.[0] ?? "";
        this.at += matched.length;
        return matched;
    }

    private variable(): string {
        if (this.text[this.at] === "{") return this.braced();
        const variable = this.name();
        return variable === "" ? "$" : this.value(variable);
    }

    private value(variable: string): string {
        const value = this.variables.get(variable);
        if (value === undefined) this.unset.push(variable);
        this.inserted += value?.length ?? 0;
        if (this.inserted <= longestText) return value ?? "";
        throw new InputError({
            problem: `${this.text.slice(0, 100)} is expanded to more than ${longestText} characters, which BuildKit can't handle`,
            ...(this.where !== undefined && { where: this.where }),
            next: `shorten the value of ${variable}, or copy a file`,
        });
    }

    private pattern(written: string): ShellPattern {
        return (
            parseShellPattern(written) ??
            this.fail(`the pattern ${written} has a \\ before something else than *, ?, \\, / or }`)
        );
    }

    /** `${NAME}` and its forms, starting at the brace. */
    private braced(): string {
        this.at++;
        const variable = this.name();
        if (variable === "" && /^[{}:]?$/.test(this.text[this.at] ?? "")) this.fail("bad substitution");
        let operator = this.next();
        if (operator === "}") return this.value(variable);
        if (operator === "/") return this.replaced(variable);
        const colon = operator === ":";
        if (colon) operator = this.next();
        const trims = operator === "#" || operator === "%";
        if (!/^[-+?#%]$/.test(operator) || (colon && trims)) this.fail(`unsupported modifier in \${${variable}…}`);
        const before = this.unset.length;
        const word = this.until("}", trims);
        if (trims) return this.trimmed(operator, variable, word);
        const value = this.variables.get(variable);
        if (value === undefined && this.variables.has(variable)) return this.value(variable);
        const filled = colon ? value !== undefined && value !== "" : value !== undefined;
        if (operator !== "?" && filled === (operator === "+")) return word;
        // An unused default may contain unset variables.
        this.unset.length = before;
        if (!filled && operator === "?") this.fail(`${variable} ${word || "must be set"}`);
        return operator === "+" ? "" : (value ?? "");
    }

    private trimmed(operator: string, variable: string, word: string): string {
        const greedy = word.startsWith(operator);
        const remove = operator === "#" ? withoutPrefix : withoutSuffix;
        return remove(this.value(variable), this.pattern(word.slice(Number(greedy))), greedy);
    }

    private replaced(variable: string): string {
        const all = this.text[this.at] === "/";
        if (all) this.at++;
        const pattern = this.pattern(this.until("/", true));
        const replace = all ? replaceAll : replaceFirst;
        return replace(this.value(variable), pattern, this.until("}", true));
    }
}

/**
 * Expands `$NAME`, `${NAME}` and the forms of the latter (`:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/`,
 * `//`), and removes quotes and escapes, as BuildKit does with a word of an instruction (frontend/dockerfile/shell;
 * Dockerfile reference, "Environment replacement").
 *
 * @param escape the Dockerfile's escape character
 * @param where file and line, for messages
 * @throws InputError for quotes and braces that are not closed, and for forms that don't exist
 */
export function expand(text: string, variables: Variables, escape = "\\", where?: string): Expansion {
    const expander = new Expander(text, variables, escape, where);
    return { text: expander.until(), unset: expander.unset };
}
