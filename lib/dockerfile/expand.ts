import { InputError } from "../errors";
import {
    type ShellPattern,
    parseShellPattern,
    replaceAll,
    replaceFirst,
    withoutPrefix,
    withoutSuffix,
} from "./shellPattern";

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
