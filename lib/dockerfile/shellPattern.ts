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
