/* Secrets for tests that look for them in everything that people read: each line of each contains the mark. */

export const mark = "hunter2";

/** Build secrets by name: one of one line, and one of several lines. */
export const canaries = {
    TOKEN: `${mark}/of+one line?`,
    KEY: `-----BEGIN ${mark} KEY-----\n  ${mark} "first" <line> \n${mark}/2nd+line==${"x".repeat(90)}\n-----END ${mark} KEY-----`,
};

/** Returns whether a text contains the mark, as it is or in an encoding, by undoing all encodings. */
export function reveals(text: string): boolean {
    const unescaped = text.replace(/%([0-9a-f]{2})|\\u00([0-9a-f]{2})/gi, (_all, inUrl?: string, inJson?: string) =>
        String.fromCharCode(Number.parseInt(inUrl ?? inJson ?? "", 16)),
    );
    const encoded = text.match(/[\w+/-]{8,}/g) ?? [];
    const decoded = encoded.flatMap((one) =>
        [0, 1, 2, 3].map((from) => Buffer.from(one.slice(from), "base64").toString("latin1")),
    );
    return [text, unescaped, ...decoded].some((one) => one.includes(mark));
}
