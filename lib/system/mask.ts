/** Removes secrets from a text. */
export type Mask = (text: string) => string;

/** Replaces a secret; the same text as in Pulumi's own output. */
const placeholder = "[secret]";

/** Characters of the shortest text that is masked, as in Pulumi: a shorter text is part of too many words. */
const shortest = 3;

/** Returns a text as it appears between the quotes of a JSON string. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Returns a text as Go writes it in JSON (encoding/json, HTMLEscape). */
const inGoJson = (text: string): string =>
    inJson(text).replace(/[<>&]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * Characters that programs leave as they are in URLs, although others escape them: encodeURI, encodeURIComponent, Python's quote for paths,
 * Go's PathEscape, and everything that leaves only letters, digits and "-._~" (RFC 3986, unreserved).
 */
const leftInUrls = [";,/?:@&=+$#!'()*", "!'()*", "/", "$&+:=@", ""] as const;

/** Returns a text as it appears in URLs. Forms write a space as "+". */
function inUrls(text: string): string[] {
    // Half of a surrogate pair has no UTF-8 encoding.
    const wellFormed = text.replace(/\p{Surrogate}/gu, "\uFFFD");
    const escaped = leftInUrls.map((left) =>
        wellFormed.replace(/[^\w.~-]/gu, (sign) =>
            left.includes(sign)
                ? sign
                : [...Buffer.from(sign)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
        ),
    );
    return [...escaped, ...escaped.map((one) => one.replaceAll("%20", "+"))];
}

/** Length of the lines in which programs wrap base64: PEM (RFC 7468), and MIME (RFC 2045) and the command `base64`. */
const wrapped = [64, 76] as const;

/**
 * Returns the characters of the base64 encodings that a text has wherever it stands in a longer text, such as `user:password`. The
 * encoding depends on the position of its first byte modulo 3. Characters that also depend on the neighbouring bytes are left out.
 */
function inBase64(text: string): string[] {
    const bytes = Buffer.from(text);
    const whole = bytes.toString("base64");
    const shifted = [0, 1, 2].map((before) => {
        const encoded = Buffer.concat([Buffer.alloc(before), bytes])
            .toString("base64")
            .replace(/=+$/, "");
        return encoded.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3));
    });
    const lines = wrapped.flatMap((width) => whole.match(new RegExp(`.{1,${width.toString()}}`, "g")) ?? []);
    return [whole, ...shifted, ...lines].flatMap((one) => [one, one.replaceAll("+", "-").replaceAll("/", "_")]);
}

/** Characters of the shortest encoding that is masked: a shorter one is part of too many words, digests and paths. */
const shortestEncoded = 8;

/** Returns a text as it is, and in the encodings in which programs print texts. */
const encodings = (text: string): string[] => [
    ...[text, inJson(text), inGoJson(text)],
    ...[...inUrls(text), ...inBase64(text)].filter((encoded) => encoded.length >= shortestEncoded),
];

/** Whether a text, apart from placeholders, is long enough to be masked. Pulumi does not mask these two words either. */
const isMaskable = (text: string): boolean =>
    text.replaceAll(placeholder, "").length >= shortest && text !== "true" && text !== "false";

/**
 * Returns the texts to mask for the given secret values: each value, each of its lines without surrounding space, both of these in JSON, in
 * URLs and in base64, and all of these as Pulumi prints them. Output arrives line by line, while Pulumi masks whole values only, and a secret
 * value may be part of a line of another one.
 *
 * @returns each text once, without texts of fewer than three characters
 */
export function secretTexts(values: readonly string[]): string[] {
    const whole = values.filter(isMaskable);
    const lines = values.flatMap((value) => value.split(/\r?\n/)).map((line) => line.trim());
    const texts = [...new Set([...values, ...lines])].filter(isMaskable).flatMap(encodings);
    const byEngine = texts.map((text) =>
        masked(
            text,
            whole.filter((value) => value.length < text.length && text.includes(value)),
        ),
    );
    return [...new Set([...texts, ...byEngine])].filter(isMaskable);
}

/** Finds secrets in a text. Secrets that overlap give one span; secrets that only touch give two. */
function spansOf(text: string, secrets: readonly string[]): [start: number, end: number][] {
    const found: [number, number][] = [];
    for (const secret of secrets) {
        for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1))
            found.push([at, at + secret.length]);
    }
    const spans: [number, number][] = [];
    for (const [start, end] of found.sort(([a], [b]) => a - b)) {
        const last = spans.at(-1);
        if (last && start < last[1]) last[1] = Math.max(last[1], end);
        else spans.push([start, end]);
    }
    return spans;
}

/**
 * Replaces the secrets in a text.
 *
 * @param secrets as `secretTexts` returns them
 * @param by what stands in their place
 */
export function masked(text: string, secrets: readonly string[], by: string = placeholder): string {
    let result = "";
    let from = 0;
    for (const [start, end] of spansOf(text, secrets)) {
        result += text.slice(from, start) + by;
        from = end;
    }
    return result + text.slice(from);
}

/**
 * Replaces the secrets in every text of a value, including its lists and objects. Property names stay.
 *
 * @param words names of properties that hold fixed words of this program: a secret with the same text must not change their meaning
 */
export function maskedIn<T>(value: T, secrets: readonly string[], words: readonly string[] = []): T {
    const change = (part: unknown): unknown => {
        if (typeof part === "string") return masked(part, secrets);
        if (Array.isArray(part)) return part.map(change);
        if (typeof part !== "object" || part === null) return part;
        return Object.fromEntries(
            Object.entries(part).map(([key, inner]) => [key, words.includes(key) ? inner : change(inner)]),
        );
    };
    return change(value) as T;
}

/** Returns the index at which a text may end in the first part of a secret; the text's length if it does not. */
function openFrom(text: string, secrets: readonly string[]): number {
    const starts = secrets.map((secret) => {
        const [first = ""] = secret;
        let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1));
        while (at >= 0 && !secret.startsWith(text.slice(at))) at = text.indexOf(first, at + 1);
        return at < 0 ? text.length : at;
    });
    return Math.min(text.length, ...starts);
}

/** Masks a text that arrives in pieces, even if a secret is cut between two of them. */
export interface MaskStream {
    /** Returns the masked text so far, except an end that may be the beginning of a secret. */
    readonly write: (piece: string) => string;
    /** Returns the rest. */
    readonly end: () => string;
}

/**
 * Creates a `MaskStream`.
 *
 * @param secrets as `secretTexts` returns them
 * @param by what stands in their place
 */
export function maskStream(secrets: readonly string[], by: string = placeholder): MaskStream {
    let pending = "";
    return {
        write: (piece) => {
            pending += piece;
            const open = openFrom(pending, secrets);
            // A complete secret that overlaps the uncertain end waits with it.
            const cut = spansOf(pending, secrets).find(([start, end]) => start < open && open < end)?.[0] ?? open;
            const safe = masked(pending.slice(0, cut), secrets, by);
            pending = pending.slice(cut);
            return safe;
        },
        end: () => {
            const rest = masked(pending, secrets, by);
            pending = "";
            return rest;
        },
    };
}
