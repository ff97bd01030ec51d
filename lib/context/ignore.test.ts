import { symlinkSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "./checkout";
import { tree } from "../../tests/tree";
import { readIgnore } from "./checkout";
import { ignoring, patternMatcher } from "./ignore";

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
    [" #a", "#a", true],
    ["a^b*", "a^bc", false],
    ["\\d", "1", true],
    ["**/.env\n!config", "config/.env", true],
    ["**/.env\n!config/.env", "config/.env", false],
    ["*\n!config\n**/.env", "config/.env", true],
    ["!a/b\na", "a/b", true],
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
    expect(() => ignoring("a\n[", ".dockerignore")).toThrow('.dockerignore: the pattern "[" is invalid');
    expect(() => ignoring("!", ".dockerignore")).toThrow('.dockerignore: the pattern "!" is invalid');
    // Go detects the error only when it matches a path.
    expect(() => ignoring("a*[").ignores("b")).toThrow('the pattern "a*[" is invalid');
});

test.each([
    ["/html", "html", false],
    ["html", "html/index.html", true],
    ["#a", "#a", true],
    [" html ", "html", true],
])("--exclude=%j against %s is %s: no ignore file", (pattern, file, excluded) => {
    expect(patternMatcher([pattern]).matches(file)).toBe(excluded);
});

test("a file that BuildKit would copy without its content is refused", () => {
    const { ignores, checkContent } = ignoring("build\n!build/out.txt\nbuild", ".dockerignore");
    expect(ignores("build/out.txt")).toBe(false);
    expect(() => {
        checkContent("build/out.txt");
    }).toThrow(".dockerignore: build/out.txt is included by a ! pattern");
    expect(() => {
        ignoring("build\n!build/out.txt").checkContent("build/out.txt");
    }).not.toThrow();
});

describe("an ignore file that is a link", () => {
    const ignoreOf = (target: string, files: Readonly<Record<string, string>> = {}) => {
        const root = tree({ "x/a": "", ...files });
        symlinkSync(target, path.join(root, "x/.dockerignore"));
        return readIgnore(openCheckout(root), path.join(root, "x"), "Dockerfile");
    };

    test("is followed within its folder", () => {
        expect(ignoreOf("rules", { "x/rules": "a\n" }).ignores("a")).toBe(true);
    });

    test.each(["../rules", "nowhere", ".dockerignore"])("is refused where BuildKit would not find it: %s", (target) => {
        expect(() => ignoreOf(target, { rules: "a\n" })).toThrow(
            /^x\/\.dockerignore: the ignore file is a symbolic link to a file outside its folder, or to a missing file/,
        );
    });
});
