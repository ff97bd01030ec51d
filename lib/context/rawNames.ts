import { isUtf8 } from "node:buffer";

/**
 * File names are bytes. This program represents them as text, with each byte that is not valid UTF-8 as a surrogate,
 * U+DC80 to U+DCFF, which does not occur in valid names. Go's patterns and regular expressions also treat such a byte
 * as one character.
 */
const rawByte = /[\uDC80-\uDCFF]/u;
const firstRaw = 0xdc00;

/** Returns the length in bytes of the character at an index; 0 for a byte that is not UTF-8. */
const lengthAt = (bytes: Buffer, index: number): number =>
    [1, 2, 3, 4].find((length) => index + length <= bytes.length && isUtf8(bytes.subarray(index, index + length))) ?? 0;

/** Converts a name, a path, a link's target or a Dockerfile to text without losing any byte. */
export function textOf(bytes: Buffer): string {
    if (isUtf8(bytes)) return bytes.toString("utf8");
    let text = "";
    for (let index = 0; index < bytes.length;) {
        const length = lengthAt(bytes, index);
        text +=
            length > 0
                ? bytes.toString("utf8", index, index + length)
                : String.fromCharCode(firstRaw + (bytes[index] ?? 0));
        index += Math.max(length, 1);
    }
    return text;
}

/** Checks whether a text contains bytes that are not UTF-8. */
export const isRaw = (text: string): boolean => rawByte.test(text);

/** Converts a text back to a path, or to file content, for functions of node:fs. */
export function pathOf(text: string): string | Buffer {
    if (!isRaw(text)) return text;
    const bytes = Array.from(text, (char) =>
        rawByte.test(char) ? Buffer.from([char.charCodeAt(0) - firstRaw]) : Buffer.from(char),
    );
    return Buffer.concat(bytes);
}

/**
 * Returns a path in a form that can be displayed and stored anywhere: bytes that are not UTF-8 become `\xE9`. The form
 * is unique: the backslashes are doubled in a path that contains such a byte, or text that looks like one.
 */
export function shownPath(text: string): string {
    if (!isRaw(text) && !text.includes("\\x")) return text;
    const hex = (char: string) => (char.charCodeAt(0) - firstRaw).toString(16).toUpperCase();
    return text.replaceAll("\\", "\\\\").replace(/[\uDC80-\uDCFF]/gu, (char) => `\\x${hex(char)}`);
}
