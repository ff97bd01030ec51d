import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "../context/checkout";
import { tree } from "../../tests/tree";
import { readHierarchy } from "../hierarchy/prepare";
import { frontendOf, withoutSyntax } from "./frontends";
import { logicalLines } from "./parse";
import { readDockerfile } from "./read";

const of = (text: string, options: Partial<Parameters<typeof frontendOf>[1]> = {}) =>
    frontendOf(text, { path: "Dockerfile", ...options });

// tests/oracle/references.test.ts compares the detection of directives with BuildKit's code.
describe("what reads a Dockerfile", () => {
    test.each<[string, string, readonly [reference: string, rest: string, where: string] | undefined]>([
        ["nothing but the builder", "FROM a\n", undefined],
        ["a directive", "# syntax=docker/dockerfile:1\nFROM a\n", ["docker/dockerfile:1", "", "Dockerfile:1"]],
        ["one after another", "# escape=`\n#SYNTAX = a/b c d\nFROM a\n", ["a/b", " c d", "Dockerfile:2"]],
        ["one after a shebang", "#!/usr/bin/x\n# syntax=a\nFROM a\n", ["a", "", "Dockerfile:2"]],
        ["another language's comment", "// syntax=a/b\n", ["a/b", "", "Dockerfile:1"]],
        ["a field", '{"syntax": "a/b"}\n', ["a/b", "", "Dockerfile:1"]],
        ["a comment that follows another", "# hello\n# syntax=a/b\nFROM a\n", undefined],
        ["a comment that is indented", " # syntax=a/b\nFROM a\n", undefined],
    ])("%s", (_name, text, found) => {
        const frontend = of(text);
        expect(frontend && [frontend.reference, frontend.rest, frontend.where]).toEqual(found);
    });

    test("is what the build argument names, over what the text says", () => {
        const buildArgs = { BUILDKIT_SYNTAX: " a/b:2 x " };
        expect(of("# syntax=docker/dockerfile:1\nFROM a\n", { buildArgs })).toEqual({
            ...{ reference: "a/b:2", rest: " x", where: "Dockerfile, build argument BUILDKIT_SYNTAX", official: false },
        });
    });

    test.each([
        ["docker/dockerfile:1", true],
        ["docker.io/docker/dockerfile:1.7-labs", true],
        [`docker/dockerfile@sha256:${"0".repeat(64)}`, true],
        ["docker/dockerfile-upstream:master", true],
        ["ghcr.io/docker/dockerfile:1", false],
        ["docker/dockerfiles", false],
        ["dockerfile", false],
    ])("%s is BuildKit's own: %s", (reference, official) => {
        expect(of(`# syntax=${reference}\n`)?.official).toBe(official);
        const builtin = of(`# syntax=${reference}\n`, { builtinFrontend: true });
        expect(builtin?.reference).toBe(official ? undefined : reference);
    });

    test.each([
        ["# syntax=Docker.io/docker/Dockerfile:1", {}, /^Dockerfile:1: .*write Docker\.io\/docker\/dockerfile:1/],
        ['{"syntax":""}', {}, /^Dockerfile:1: its frontend: "" is not/],
        ["FROM a", { BUILDKIT_SYNTAX: " " }, /^Dockerfile, build argument BUILDKIT_SYNTAX: /],
    ])("%s with %j is refused as BuildKit does", (text, buildArgs, message) => {
        expect(() => of(text, { buildArgs: buildArgs })).toThrow(message);
    });
});

test.each([
    ["# syntax=a\nFROM a\n", "\nFROM a\n"],
    ["# syntax=a\n# escape=`\n# check=skip=all\nFROM a `\n\n", "# escape=`\n# check=skip=all\n\nFROM a `\n\n"],
    ["# escape=`\r\n# Syntax = a\r\nFROM a `\r\n  AS b\r\n", "# escape=`\r\n\r\nFROM a `\r\n  AS b\r\n"],
    ["\uFEFF# syntax=a\n#\nFROM a", "\n#\nFROM a"],
    ["# a\n# syntax=a\nFROM a", "# a\n# syntax=a\nFROM a"],
    ["# syntax=a", ""],
])("without its syntax %j is %j: lines and other directives stay", (text, left) => {
    expect(withoutSyntax(text)).toBe(left);
    expect(of(left)).toBeUndefined();
    const { escape, lines } = logicalLines(text, "Dockerfile");
    expect(logicalLines(left, "Dockerfile")).toMatchObject({ escape, lines });
});

describe("a file that a frontend of somebody else's reads", () => {
    const read = (text: string, target?: string) =>
        readDockerfile(`# syntax=ghcr.io/else/frontend:1\n${text}`, {
            path: "Dockerfile",
            platforms: ["linux/amd64"],
            ...(target !== undefined && { target }),
        });
    const whole = [{ pattern: "", exclude: [], line: 1, instruction: "its frontend" }];
    const named = (text: string, target?: string) =>
        read(text, target).references.map(
            ({ expanded, base, line }) => `${line.toString()} ${expanded}${base ? " base" : ""}`,
        );

    test.each<[string, string, readonly string[]]>([
        ["unknown instructions", "INCLUDE ./common\nFROM a AS x\nPKG curl\nCOPY --from=b / /\n", ["3 a base", "5 b"]],
        [
            "stages that it may take from elsewhere",
            "ARG V=1\nFROM a:$V AS x\nFROM x\nRUN --mount=from=c true\n",
            ["3 a:1 base", "5 c"],
        ],
        ["stages that nothing seems to need", "FROM a AS x\nFROM b\n", ["2 a", "3 b base"]],
        ["a variable that it may set", "FROM ${NAME}\nFROM ${A:?no} AS c\nFROM b\n", ["4 b base"]],
        ["a FROM of its own kind", "FROM a WITH b\nFROM c\n", ["3 c base"]],
        ["a here-document of its own kind", "FROM a\nPKG <<X\nRUN <<Y\nCOPY --from=b / /\n", ["2 a base", "5 b"]],
        ["no Dockerfile at all", "name: x\nfrom: a\n", []],
        ["what is no reference", "FROM A B\nFROM Python\nFROM a\n", ["4 a base"]],
    ])("%s: what is like a Dockerfile is read, the rest is no error", (_name, text, references) => {
        expect(named(text)).toEqual(references);
        expect(read(text)).toMatchObject({ sources: whole, frontend: { official: false } });
    });

    test("is built from its target, where that can be seen", () => {
        expect(named("FROM a AS x\nFROM b AS y\n", "X")).toEqual(["2 a base", "3 b"]);
        expect(named("FROM a AS x\nFROM b AS y\n", "included")).toEqual(["2 a", "3 b base"]);
    });

    test("is its own meaning, and may read every build argument", () => {
        const text = "# syntax=ghcr.io/else/frontend:1\nINCLUDE x\nFROM a\n";
        expect(read("INCLUDE x\nFROM a\n").meaning).toEqual({ text, reads: undefined });
    });

    test("leaves what ONBUILD there says", () => {
        const image = (key: string) => ({
            ...{
                description: key,
                name: `ghcr.io/us/${key}:1`,
                dockerfile: `docker/${key}`,
                platforms: ["linux/amd64"] as const,
            },
        });
        const root = tree({
            "docker/base": "# syntax=ghcr.io/else/frontend:1\nINCLUDE x\nFROM a\nONBUILD COPY left /\n",
            "docker/child": "FROM ghcr.io/us/base:1\n",
            left: "",
        });
        const images = { base: image("base"), child: image("child") };
        const prepared = readHierarchy(
            openCheckout(root),
            { images },
            { platforms: "all", roots: {}, buildArgs: {} },
        ).images;
        expect(prepared[1]?.inputs.map((input) => input.path)).toEqual(["left"]);
    });
});
