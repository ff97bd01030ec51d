const quote = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** A shell pattern (`*`, `?`, and `\` before what stands for itself) as a regular expression. */
function shellPattern(pattern: string, anchors: readonly [start: string, end: string], flags = ""): RegExp {
    const source = pattern.replace(/\\(.)|[^]/gu, (all: string, escaped?: string) => {
        if (escaped !== undefined) return quote(escaped);
        return { "*": ".*", "?": "." }[all] ?? quote(all);
    });
    return new RegExp(anchors[0] + source + anchors[1], `u${flags}`);
}

const lengths = (text: string, greedy: boolean): number[] => {
    const ascending = Array.from({ length: text.length + 1 }, (_one, index) => index);
    return greedy ? ascending.reverse() : ascending;
};

/** `${value#pattern}`: without the shortest (greedy: longest) start that matches. */
export function trimPrefix(value: string, pattern: string, greedy: boolean): string {
    const whole = shellPattern(pattern, ["^", "$"]);
    const length = lengths(value, greedy).find((one) => whole.test(value.slice(0, one)));
    return value.slice(length ?? 0);
}

/** `${value%pattern}`: without the shortest (greedy: longest) end that matches. */
export function trimSuffix(value: string, pattern: string, greedy: boolean): string {
    const whole = shellPattern(pattern, ["^", "$"]);
    const length = lengths(value, greedy).find((one) => whole.test(value.slice(value.length - one)));
    return value.slice(0, value.length - (length ?? 0));
}

/** `${value/pattern/replacement}`, `//` for all of them. */
export const replacePattern = (value: string, pattern: string, replacement: string, all: boolean): string =>
    value.replace(shellPattern(pattern, ["", ""], all ? "g" : ""), () => replacement);
