import { expect, test } from "vitest";
import { ignoring } from "./ignore";

test.each([
    ["c++", "c++", true],
    ["c++/*", "c++/a", true],
    ["(a)", "(a)", true],
    ["a^b", "a^b", true],
    ["**.pyc", "app/a.pyc", true],
    ["**/x", "x", true],
    ["Build", "build", false],
    ["/a", "a", true],
    ["a/", "a/b", true],
    ["\uFEFFa", "a", true],
    [" a ", "a", true],
    ["#a", "#a", false],
    ["a\n!a/b", "a/b", false],
    ["a\n!a/b", "a/c", true],
    ["\\#a", "#a", true],
])("%j against %s is %s, as in moby/patternmatcher", (patterns, file, ignored) => {
    expect(ignoring(patterns).ignores(file)).toBe(ignored);
});

test.each([
    ["!a/b", "a", true],
    ["!a/b", "c", false],
    ["!*/b", "c", true],
    ["!a", "a/b", true],
])("%s may let something in below %s: %s", (pattern, folder, may) => {
    expect(ignoring(`*\n${pattern}`).mayReenter(folder)).toBe(may);
});

test("a pattern that can't be read is refused with its file", () => {
    expect(() => ignoring("[", ".dockerignore")).toThrow(".dockerignore: a pattern can't be read: [");
});
