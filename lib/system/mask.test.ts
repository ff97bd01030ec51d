import fc from "fast-check";
import { expect, test } from "../../tests/mocha";
import { maskStream, masked, maskedIn, secretTexts } from "./mask";

const key = '-----BEGIN KEY-----\n  first "line"  \r\nab\nsecond line\n-----END KEY-----';

test.each([
    ["a whole value", "hunter2", "the hunter2!", "the [secret]!"],
    [
        "each line of a value with several",
        key,
        '#5 0.1 second line\n#5 0.1 first "line"',
        "#5 0.1 [secret]\n#5 0.1 [secret]",
    ],
    ["a value with several lines, as it is", key, `a ${key} b`, "a [secret] b"],
    ["the same as JSON writes it", key, `{"a": ${JSON.stringify(key)}}`, '{"a": "[secret]"}'],
    ["a line of it as JSON writes it", key, String.raw`{"a": "x first \"line\" y"}`, '{"a": "x [secret] y"}'],
    ["nothing that the engine leaves out as well", "true", "it is true", "it is true"],
    ["nothing of two characters or fewer", "ab\ncd", "abcd", "abcd"],
])("masks %s", (_what, value, text, told) => {
    expect(masked(text, secretTexts([value]))).toBe(told);
});

const odd = "p4ss/w?rd&+ <ü>'\"";
const encode: readonly (readonly [string, (text: string) => string])[] = [
    ["base64", (text) => Buffer.from(text).toString("base64")],
    ["base64 after one byte", (text) => Buffer.from(`a${text}`).toString("base64")],
    ["base64 in a login", (text) => Buffer.from(`me:${text}`).toString("base64")],
    ["base64 between other bytes", (text) => Buffer.from(`user:${text}\n`).toString("base64")],
    ["base64 for URLs", (text) => Buffer.from(text).toString("base64url")],
    ["a URL", encodeURIComponent],
    ["a whole URL", encodeURI],
    ["the path of a URL", (text) => encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("'", "%27")],
    ["the query of a URL", (text) => new URLSearchParams({ value: text }).toString()],
    ["JSON", (text) => JSON.stringify(text)],
    [
        "JSON as Go writes it",
        (text) => JSON.stringify(text).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026"),
    ],
];

test.each(encode)("masks a secret in %s", (_name, encoded) => {
    for (const value of ["hunter2!", "0123456789abcdef", odd, `${odd}${odd}`]) {
        const told = masked(encoded(value), secretTexts([value]));
        expect(told).toContain("[secret]");
        // Of base64 the first and last characters also depend on the neighbouring bytes.
        const left = told.replace("[secret]", "").replace(/^value=/, "");
        expect(left.length).toBeLessThanOrEqual(12);
    }
});

test.each([
    ["as the command `base64` wraps it", 76],
    ["as PEM wraps it", 64],
])("masks the base64 of a value with several lines %s", (_name, width) => {
    const value = Array.from({ length: 12 }, (_, line) => `line ${line.toString()} of a long private key`).join("\n");
    const lines =
        Buffer.from(value)
            .toString("base64")
            .match(new RegExp(`.{1,${width.toString()}}`, "g")) ?? [];
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(masked(`#7 0.1 ${line}`, secretTexts([value]))).toBe("#7 0.1 [secret]");
});

test("an encoding of a secret that is short enough to be part of other words is left alone", () => {
    expect(masked("YWJj is abc", secretTexts(["abc"]))).toBe("YWJj is [secret]");
});

test("of secrets that begin alike the longer one is masked as a whole, and of those that overlap all of both", () => {
    expect(masked("abcdef", secretTexts(["abc", "abcdef"]))).toBe("[secret]");
    expect(masked("1abcde2", secretTexts(["abc", "cde"]))).toBe("1[secret]2");
    expect(masked("abcabc", secretTexts(["abc"]))).toBe("[secret][secret]");
});

test("a line is masked as the engine leaves it: with another secret in it masked already", () => {
    const secrets = secretTexts(["deploy", "[global]\nextra-index-url = https://deploy:token@index.example/\n"]);
    expect(masked("extra-index-url = https://[secret]:token@index.example/", secrets)).toBe("[secret]");
    expect(masked("extra-index-url = https://deploy:token@index.example/", secrets)).toBe("[secret]");
    // If another secret is the whole line, no part of the line remains to be recognised.
    expect(secretTexts(["deploy", "deploy\nx"])).not.toContain("[secret]");
});

test("what is not a secret is told at once, also the end of a line that waits for more", () => {
    const stream = maskStream(secretTexts(["hunter2"]));
    expect(stream.write("updating ... hun")).toBe("updating ... ");
    expect(stream.write("ter2...")).toBe("[secret]...");
    expect([stream.write(" h"), stream.end()]).toEqual([" ", "h"]);
});

test("of a value all texts are masked, wherever they stand, and nothing else changes", () => {
    const value = { hunter2: ["a hunter2", 7, null, undefined, { deep: "hunter2" }], ok: true };
    const told = { hunter2: ["a [secret]", 7, null, undefined, { deep: "[secret]" }], ok: true };
    expect(maskedIn(value, secretTexts(["hunter2"]))).toEqual(told);
    const plan = { action: "rebuild", name: "rebuild" };
    expect(maskedIn(plan, secretTexts(["rebuild"]), ["action"])).toEqual({ action: "rebuild", name: "[secret]" });
});

const letter = fc.constantFrom("a", "b", "c", "\n", '"');
const word = (most: number) => fc.array(letter, { maxLength: most }).map((letters) => letters.join(""));

test("wherever a text is cut into pieces, what is told of it is what is told of the whole", () => {
    fc.assert(
        fc.property(fc.array(word(6), { maxLength: 4 }), fc.array(word(5), { maxLength: 12 }), (values, pieces) => {
            const secrets = secretTexts(values);
            const stream = maskStream(secrets);
            const told = [...pieces.map((piece) => stream.write(piece)), stream.end()].join("");
            expect(told).toBe(masked(pieces.join(""), secrets));
        }),
        { numRuns: 2000 },
    );
});

test("no secret is left in what is told", () => {
    fc.assert(
        fc.property(fc.array(word(6), { minLength: 1, maxLength: 4 }), word(30), (values, text) => {
            const secrets = secretTexts(values);
            const told = masked(text, secrets).replaceAll("[secret]", "|");
            for (const secret of secrets) expect(told).not.toContain(secret);
        }),
        { numRuns: 2000 },
    );
});
