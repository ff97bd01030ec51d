/** Values of the variables in scope; one that is absent is unset. */
export type Variables = ReadonlyMap<string, string>;

/** The result of an expansion, and the variables without a default that were not set. */
export interface Expansion {
    readonly text: string;
    readonly unset: readonly string[];
}

const name = /^[A-Za-z_][A-Za-z0-9_]*/;

/** Index of the brace that closes the one before `start`, heeding nested ones; -1 without one. */
function closingBrace(text: string, start: number): number {
    let depth = 1;
    for (let index = start; index < text.length; index++) {
        if (text[index] === "{") depth++;
        if (text[index] === "}" && --depth === 0) return index;
    }
    return -1;
}

/** `${NAME<operator>word}` by the rules of the Dockerfile reference, "Environment replacement". */
function substitute(body: string, variables: Variables, escape: string, unset: string[]): string {
    const variable = name.exec(body)?.[0] ?? "";
    const value = variables.get(variable);
    const [, operator, word] = /^(:?[-+?])?(.*)$/s.exec(body.slice(variable.length)) ?? [];
    const filled = operator?.startsWith(":") ? value !== undefined && value !== "" : value !== undefined;
    const expandedWord = () => {
        const inner = expand(word ?? "", variables, escape);
        unset.push(...inner.unset);
        return inner.text;
    };
    if (operator?.endsWith("-")) return filled ? (value ?? "") : expandedWord();
    if (operator?.endsWith("+")) return filled ? expandedWord() : "";
    if (!filled) unset.push(variable);
    return value ?? "";
}

/**
 * Expands `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}` and their forms without colon, and removes quotes and
 * escapes, as BuildKit does for the words of an instruction (Dockerfile reference, "Environment replacement").
 *
 * @param escape the Dockerfile's escape character
 */
export function expand(text: string, variables: Variables, escape = "\\"): Expansion {
    const unset: string[] = [];
    let result = "";
    let quote: string | undefined;
    for (let index = 0; index < text.length; index++) {
        const character = text[index] ?? "";
        if (character === escape && quote !== "'") {
            result += text[++index] ?? "";
        } else if (character === quote) {
            quote = undefined;
        } else if (quote === undefined && (character === "'" || character === '"')) {
            quote = character;
        } else if (character === "$" && quote !== "'") {
            const braced = text[index + 1] === "{";
            const end = braced
                ? closingBrace(text, index + 2)
                : index + 1 + (name.exec(text.slice(index + 1))?.[0].length ?? 0);
            if (end < 0 || end === index + 1) {
                result += character;
                continue;
            }
            result += substitute(text.slice(index + (braced ? 2 : 1), end), variables, escape, unset);
            index = braced ? end : end - 1;
        } else {
            result += character;
        }
    }
    return { text: result, unset };
}
