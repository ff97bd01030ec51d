import { describe, expect, test } from "vitest";
import { readDockerfile } from "./dockerfile";
import type { ReadOptions } from "./stages";

const read = (text: string, options: Partial<ReadOptions> = {}) =>
    readDockerfile(text, { path: "docker/Dockerfile", platforms: ["linux/amd64"], ...options });
const references = (text: string, options?: Partial<ReadOptions>) =>
    read(text, options).references.map(({ expanded }) => expanded);
const sources = (text: string, options?: Partial<ReadOptions>) =>
    read(text, options).sources.map(({ pattern }) => pattern);

describe("references", () => {
    test.each<[string, string, string[]]>([
        ["a plain FROM", "FROM python:3.12-slim", ["python:3.12-slim"]],
        ["lower-case instructions", "from a:1", ["a:1"]],
        ["an ARG default", "ARG V=3.12\nFROM python:${V}", ["python:3.12"]],
        ["an ARG that uses another", "ARG A=3\nARG B=$A.12\nFROM python:$B", ["python:3.12"]],
        ["a constant platform", "FROM --platform=linux/amd64 a:1", ["a:1"]],
        ["scratch is none", "FROM scratch", []],
        ["a stage is none", "FROM a:1 AS one\nFROM one", ["a:1"]],
        ["stage names ignore case", "FROM a:1 AS One\nFROM oNE", ["a:1"]],
        ["an unneeded stage does not count", "FROM a:1 AS unused\nFROM b:1", ["b:1"]],
        ["COPY --from an image", "FROM a:1\nCOPY --from=b:1 /x /y", ["a:1", "b:1"]],
        ["COPY --from a stage by index", "FROM a:1\nFROM b:1\nCOPY --from=0 /x /y", ["a:1", "b:1"]],
        ["RUN --mount from an image", "FROM a:1\nRUN --mount=type=bind,from=b:1,target=/b true", ["a:1", "b:1"]],
        ["a digest stays", `FROM a@sha256:${"0".repeat(64)}`, [`a@sha256:${"0".repeat(64)}`]],
        ["twice named is once meant", "FROM a:1 AS x\nFROM a:1\nCOPY --from=x / /", ["a:1"]],
        ["a stage ARG does not reach FROM", "ARG V=1\nFROM a:$V AS x\nARG V=2\nFROM a:$V\nCOPY --from=x / /", ["a:1"]],
    ])("%s", (_name, text, expected) => {
        expect(references(text)).toEqual(expected);
    });

    test("build arguments win over defaults", () => {
        expect(references("ARG V=1\nFROM a:$V", { buildArgs: { V: "2" } })).toEqual(["a:2"]);
    });

    test("the union over platforms is read, by BuildKit's own arguments", () => {
        const platforms = ["linux/amd64", "linux/arm64"] as const;
        expect(references("FROM base-$TARGETARCH:1", { platforms })).toEqual(["base-amd64:1", "base-arm64:1"]);
    });

    test("only stages that the target needs count", () => {
        const text = "FROM a:1 AS one\nFROM b:1 AS two\nFROM one AS three\nCOPY --from=c:1 / /";
        expect(references(text, { target: "two" })).toEqual(["b:1"]);
        expect(references(text, { target: "three" })).toEqual(["a:1", "c:1"]);
    });

    test("the image that the target is built FROM is marked, through stages", () => {
        const { references: found } = read("FROM a:1 AS one\nFROM b:1 AS tools\nFROM one\nCOPY --from=tools / /");
        expect(found.map(({ expanded, base }) => [expanded, base])).toEqual([
            ["a:1", true],
            ["b:1", false],
        ]);
    });
});

describe("sources", () => {
    test.each<[string, string, string[]]>([
        ["COPY and ADD", "COPY a b /d/\nADD c /d", ["a", "b", "c"]],
        ["JSON form", 'COPY ["a b", "/d"]', ["a b"]],
        ["flags are none", "COPY --chown=1:1 --chmod=755 --link a /d", ["a"]],
        ["continued lines with comments", "COPY a \\\n  # why\n  b \\\n  /d/", ["a", "b"]],
        ["addresses are none", "ADD https://example.com/x git@example.com:o/r.git /d/", []],
        ["here-documents are none", "COPY <<EOF /etc/x\ncopy this text\nEOF", []],
        ["COPY --from reads no context", "COPY --from=0 a /d", []],
        ["bind mounts", "RUN --mount=type=bind,source=r.txt,target=/r.txt cat /r.txt", ["r.txt"]],
        ["bind is the default type, src a short name", "RUN --mount=target=/r,src=r.txt true", ["r.txt"]],
        ["a bind mount without source reads everything", "RUN --mount=type=bind,target=/src true", ["."]],
        [
            "cache, secret and ssh mounts read nothing",
            "RUN --mount=type=cache,target=/c --mount=type=secret,id=s true",
            [],
        ],
        ["ENV and ARG in a source", "ARG A=x\nENV B=y\nCOPY $A/${B} /d", ["x/y"]],
        ["ENV wins over ARG", "ARG A=x\nENV A=y\nCOPY $A /d", ["y"]],
        ["ENV with spaces in quotes", 'ENV A="b c"\nCOPY ["$A", "/d"]', ["b c"]],
        ["a RUN here-document is no instruction", "RUN <<EOF\nCOPY a /d\nEOF", []],
    ])("%s", (_name, lines, expected) => {
        expect(sources(`FROM scratch\n${lines}`)).toEqual(expected);
    });

    test("a global ARG needs to be declared in the stage", () => {
        expect(sources("ARG A=x\nFROM scratch\nARG A\nCOPY $A /d")).toEqual(["x"]);
        expect(sources("ARG A=x\nFROM scratch\nCOPY ${A:-none} /d")).toEqual(["none"]);
    });

    test("ENV is inherited by stages built on the stage, ARG is not", () => {
        expect(sources("FROM scratch AS a\nENV E=e\nARG A=a\nFROM a\nCOPY $E${A:-none} /d")).toEqual(["enone"]);
    });

    test("sources of stages that the target does not need are left out", () => {
        expect(sources("FROM scratch AS a\nCOPY a /d\nFROM scratch AS b\nCOPY b /d")).toEqual(["b"]);
    });

    test("the escape directive changes the line continuation", () => {
        expect(sources("# escape=`\nFROM scratch\nCOPY a `\n b /d/")).toEqual(["a", "b"]);
    });
});

describe("bad Dockerfiles", () => {
    test.each<[string, string, string]>([
        ["without FROM", "# nothing", "docker/Dockerfile: no FROM"],
        ["with an unset ARG in FROM", "\nFROM a:$V", "docker/Dockerfile:2: FROM a:$V uses V, which has no value"],
        ["with an unknown instruction", "FROM a\nCOPPY a b", "docker/Dockerfile:2: COPPY is not an instruction"],
        [
            "with an instruction before FROM",
            "RUN true\nFROM a",
            "docker/Dockerfile:1: RUN stands before the first FROM",
        ],
    ])("%s are refused with file and line", (_name, text, message) => {
        expect(() => read(text)).toThrow(message);
    });

    test("a target that does not exist is refused with the stages that do", () => {
        expect(() => read("FROM a AS one\nFROM b AS two", { target: "three" })).toThrow(
            /no stage "three"[\s\S]*one, two/,
        );
    });
});
