/** Takes secrets out of a text. */
export type Mask = (text: string) => string;

/** What stands in a secret's place, as where the engine masks. */
const placeholder = "[secret]";

/** Characters from which a text is masked, as the engine does: what is shorter stands in half of all words. */
const shortest = 3;

/** A text as JSON writes it between quotes. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Whether enough of a text is there to be recognised, placeholders apart. The engine leaves these two words out as well. */
const isMaskable = (text: string): boolean =>
    text.replaceAll(placeholder, "").length >= shortest && text !== "true" && text !== "false";

/**
 * What is to be masked of secret values: each whole, each of its lines without the space around it, both as JSON writes them, and
 * all that as the engine leaves it. Output comes line by line; the engine masks whole values only, and may have done so with one that
 * stands in a line of another.
 *
 * @returns each text once; those of fewer than three characters are left out
 */
export function secretTexts(values: readonly string[]): string[] {
    const whole = values.filter(isMaskable);
    const lines = values.flatMap((value) => value.split(/\r?\n/)).map((line) => line.trim());
    const texts = [...values, ...lines].flatMap((text) => [text, inJson(text)]);
    const byEngine = texts.map((text) =>
        masked(
            text,
            whole.filter((value) => value.length < text.length && text.includes(value)),
        ),
    );
    return [...new Set([...texts, ...byEngine])].filter(isMaskable);
}

/** Where secrets stand in a text, from each start to the end behind it; those that touch or overlap are one. */
function spansOf(text: string, secrets: readonly string[]): [start: number, end: number][] {
    const found: [number, number][] = [];
    for (const secret of secrets) {
        for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1))
            found.push([at, at + secret.length]);
    }
    const spans: [number, number][] = [];
    for (const [start, end] of found.sort(([a], [b]) => a - b)) {
        const last = spans.at(-1);
        // Secrets that only touch are two.
        if (last && start < last[1]) last[1] = Math.max(last[1], end);
        else spans.push([start, end]);
    }
    return spans;
}

/**
 * Text without the secrets in it.
 *
 * @param secrets what `secretTexts` returned
 */
export function masked(text: string, secrets: readonly string[]): string {
    let left = "";
    let from = 0;
    for (const [start, end] of spansOf(text, secrets)) {
        left += text.slice(from, start) + placeholder;
        from = end;
    }
    return left + text.slice(from);
}

/**
 * A value with all texts in it masked, those of its lists and objects too; names of properties stay.
 *
 * @param words names of properties whose texts are words of our own: a secret that is one of them must not change their meaning
 */
export function maskedIn<T>(value: T, secrets: readonly string[], words: readonly string[] = []): T {
    const change = (one: unknown): unknown => {
        if (typeof one === "string") return masked(one, secrets);
        if (Array.isArray(one)) return one.map(change);
        if (typeof one !== "object" || one === null) return one;
        return Object.fromEntries(
            Object.entries(one).map(([key, inner]) => [key, words.includes(key) ? inner : change(inner)]),
        );
    };
    return change(value) as T;
}

/** Where the end of a text begins that more text may make a secret of; the text's length where there is none. */
function openFrom(text: string, secrets: readonly string[]): number {
    const starts = secrets.map((secret) => {
        const [first = ""] = secret;
        let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1));
        while (at >= 0 && !secret.startsWith(text.slice(at))) at = text.indexOf(first, at + 1);
        return at < 0 ? text.length : at;
    });
    return Math.min(text.length, ...starts);
}

/** Masks a text that comes in pieces, wherever they are cut. */
export interface MaskStream {
    /** Returns what can be told by now. What may be the beginning of a secret is kept back. */
    readonly write: (piece: string) => string;
    /** Returns what was kept back. */
    readonly end: () => string;
}

/** @param secrets what `secretTexts` returned */
export function maskStream(secrets: readonly string[]): MaskStream {
    let pending = "";
    return {
        write: (piece) => {
            pending += piece;
            const open = openFrom(pending, secrets);
            // A secret that reaches into what is kept back is kept back as a whole.
            const cut = spansOf(pending, secrets).find(([start, end]) => start < open && open < end)?.[0] ?? open;
            const told = masked(pending.slice(0, cut), secrets);
            pending = pending.slice(cut);
            return told;
        },
        end: () => {
            const told = masked(pending, secrets);
            pending = "";
            return told;
        },
    };
}
