import fc from "fast-check";
import { expect, test } from "../../tests/mocha";
import { pathOf, shownPath, textOf } from "./rawNames";

/** Bytes of names: letters, multi-byte characters, and fragments of these. */
const names = fc
    .array(
        fc.oneof(
            fc.constantFrom("a", "\\", "\\x", "E9", "é", "😀").map((text) => Buffer.from(text)),
            fc.uint8Array({ min: 1, maxLength: 2 }),
        ),
        {
            minLength: 1,
            maxLength: 6,
        },
    )
    .map((parts) => Buffer.concat(parts));

test("a name comes back as the bytes that it was", () => {
    fc.assert(
        fc.property(names, (name) => {
            expect(Buffer.from(pathOf(textOf(name)))).toEqual(name);
        }),
    );
});

test("what is shown of a name is UTF-8, and never the same of two names", () => {
    fc.assert(
        fc.property(names, names, (a, b) => {
            const shown = [a, b].map((name) => shownPath(textOf(name)));
            expect(shown.map((text) => Buffer.from(text).toString())).toEqual(shown);
            expect(shown[0] === shown[1]).toBe(a.equals(b));
        }),
    );
    expect(shownPath(textOf(Buffer.from("caf\xe9\\", "latin1")))).toBe("caf\\xE9\\\\");
    expect(shownPath("a\\b é")).toBe("a\\b é");
});
