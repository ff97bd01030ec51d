import { isUtf8 } from "node:buffer";

/**
 * A name is bytes; in this program it is text, in which each byte that is not UTF-8 stands as a surrogate of its own, U+DC80 to U+DCFF: no
 * valid name has those. To Go's patterns and regular expressions such a byte is one character as well.
 */
const rawByte = /[\uDC80-\uDCFF]/u;
const firstRaw = 0xdc00;

/** How many bytes of a character stand at an index; 0 for a byte that is not UTF-8. */
const lengthAt = (bytes: Buffer, index: number): number =>
    [1, 2, 3, 4].find((length) => index + length <= bytes.length && isUtf8(bytes.subarray(index, index + length))) ?? 0;

/** A name, a path, a link's target or a Dockerfile as text, none of its bytes lost. */
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

/** Whether a text has bytes that are not UTF-8. */
export const isRaw = (text: string): boolean => rawByte.test(text);

/** The path, or content, that a text stands for, as functions of node:fs take it. */
export function pathOf(text: string): string | Buffer {
    if (!isRaw(text)) return text;
    const bytes = Array.from(text, (one) =>
        rawByte.test(one) ? Buffer.from([one.charCodeAt(0) - firstRaw]) : Buffer.from(one),
    );
    return Buffer.concat(bytes);
}

/**
 * A path as it may be shown and stored anywhere: bytes that are not UTF-8 as `\xE9`. Two paths never look the same: where one has such
 * a byte, or letters that look so, its backslashes are doubled.
 */
export function shownPath(text: string): string {
    if (!isRaw(text) && !text.includes("\\x")) return text;
    const hex = (one: string) => (one.charCodeAt(0) - firstRaw).toString(16).toUpperCase();
    return text.replaceAll("\\", "\\\\").replace(/[\uDC80-\uDCFF]/gu, (one) => `\\x${hex(one)}`);
}
