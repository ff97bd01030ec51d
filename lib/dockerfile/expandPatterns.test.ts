import fc from "fast-check";
import { expect, test } from "../../tests/mocha";
import {
    type ShellPattern,
    expand,
    parseShellPattern,
    replaceAll,
    replaceFirst,
    withoutPrefix,
    withoutSuffix,
} from "./expand";

function parsed(pattern: string): ShellPattern {
    const found = parseShellPattern(pattern);
    if (!found) throw new Error(`${pattern} is refused`);
    return found;
}

test.each([
    ["*a*b", "xxaxxbxb", "", "xb", "", "xx"],
    ["a?", "abab", "ab", "ab", "ab", "ab"],
    ["\\*", "*a*", "a*", "a*", "*a", "*a"],
    ["*", "ab", "", "ab", "", "ab"],
    ["*", "a\nb", "\nb", "a\nb", "a\n", "a\nb"],
    ["é", "éa", "a", "a", "éa", "éa"],
    ["x", "ab", "ab", "ab", "ab", "ab"],
])("%s removes from %j, greedy and not, as prefix and as suffix", (pattern, value, ...rest) => {
    const remove = [
        withoutPrefix(value, parsed(pattern), true),
        withoutPrefix(value, parsed(pattern), false),
        withoutSuffix(value, parsed(pattern), true),
        withoutSuffix(value, parsed(pattern), false),
    ];
    expect(remove).toEqual(rest);
});

// The results are those of a program with BuildKit's regular expressions and Go's ReplaceAllString.
test.each([
    ["*", "abc", "x", "x"],
    ["*", "", "x", "x"],
    ["", "ab", "-", "-a-b-"],
    ["*", "a\nb", "x", "x\nx"],
    ["b", "abcb", "<$0>", "a<b>c<b>"],
    ["b", "abc", "${0}$1$name$$", "ab$c"],
    ["b", "abc", "$", "a$c"],
])("replacing every %s in %j by %j gives %j", (pattern, value, replacement, replaced) => {
    expect(replaceAll(value, parsed(pattern), replacement)).toBe(replaced);
});

test.each(["a\\b", "a\\"])("refuses the escape in %s", (pattern) => {
    expect(parseShellPattern(pattern)).toBeUndefined();
});

test("an expansion names the place of a refused escape", () => {
    expect(() => expand("${V#a\\b}", new Map([["V", "a"]]), "`", "Dockerfile:1")).toThrow("Dockerfile:1");
});

const text = fc.string({ unit: fc.constantFrom("a", "b", "\n", "é", "𝒳"), maxLength: 12 });
const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "é", "𝒳"), maxLength: 6 });

/** The pattern as a regular expression, which gives the same result with more work. */
const regExp = (written: string, star: string, [start, end]: readonly [string, string], flags = "u"): RegExp =>
    new RegExp(start + written.replaceAll("?", "[^\\n]").replaceAll("*", star) + end, flags);

test("prefixes, suffixes and first matches are those of regular expressions", () => {
    fc.assert(
        fc.property(text, pattern, (value, written) => {
            const [greedy, lazy] = ["[^\\n]*", "[^\\n]*?"];
            const machine = parsed(written);
            expect(withoutPrefix(value, machine, true)).toBe(value.replace(regExp(written, greedy, ["^", ""]), ""));
            expect(withoutPrefix(value, machine, false)).toBe(value.replace(regExp(written, lazy, ["^", ""]), ""));
            expect(replaceFirst(value, machine, "<$0>")).toBe(
                value.replace(regExp(written, greedy, ["", ""]), () => "<$0>"),
            );
            const reversed = (of: string) => Array.from(of).reverse().join("");
            expect(withoutSuffix(value, machine, false)).toBe(
                reversed(reversed(value).replace(regExp(reversed(written), lazy, ["^", ""]), "")),
            );
            // Of empty matches, JavaScript replaces more than Go.
            if (!/^\**$/.test(written))
                expect(replaceAll(value, machine, "-")).toBe(
                    value.replace(regExp(written, greedy, ["", ""], "gu"), "-"),
                );
        }),
        { numRuns: 2000 },
    );
});

test.each(["${A//*a*b/c}", "${A##*a*a*b}", "${A%%*b*a*c}", "${A/a*a*a*b/c}"])(
    "%s of a long value takes no longer than its length lets expect",
    (written) => {
        const value = "a".repeat(60_000);
        expect(expand(written, new Map([["A", value]])).text).toBe(value);
    },
);

test("a value that only doubles itself is refused before it fills the memory", () => {
    const variables = new Map([["A", "a".repeat(1 << 22)]]);
    expect(expand("$A$A", variables).text).toHaveLength(1 << 23);
    expect(() => expand("$A$A$A$A$A", variables, "\\", "Dockerfile:3")).toThrow(
        "Dockerfile:3: $A$A$A$A$A is expanded to more than 16777216 characters, which BuildKit can't handle",
    );
});
