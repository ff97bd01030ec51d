import { describe, expect, test } from "vitest";
import { type ReadOptions, readDockerfile } from "./dockerfile";
import { hostPlatform } from "./images";

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
        ["COPY --from and mounts from scratch", "FROM a:1\nCOPY --from=scratch / /", ["a:1"]],
        ["a mount's from is no number", "FROM a:1\nRUN --mount=from=0,target=/x true", ["a:1", "0"]],
        ["a cache mount from an image", "FROM a:1\nRUN --mount=type=cache,from=b:1,target=/c true", ["a:1", "b:1"]],
        ["quotes around it", 'FROM "a:1"', ["a:1"]],
        ["an ARG with a suffix taken off", "ARG V=3.12.1\nFROM a:${V%.*}", ["a:3.12"]],
        ["an unneeded stage may lack a variable", "FROM a:$V AS x\nFROM b:1", ["b:1"]],
        ["a here-document is no instruction", "FROM a:1\nRUN cat 3<<EOF << E2\nFROM b:1\nEOF\nFROM c:1\nE2", ["a:1"]],
        ["an escaped escape continues nothing", "FROM a:1\nRUN echo \\\\\nCOPY --from=b:1 / /", ["a:1", "b:1"]],
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

    test.each<[string, string, Readonly<Record<string, readonly string[]>>]>([
        ["the target's", "FROM a:1\nCOPY --from=b:1 / /", { "a:1": ["linux/arm64"], "b:1": [] }],
        ["a stage's that is copied from", "FROM a:1 AS x\nFROM scratch\nCOPY --from=x / /", { "a:1": ["linux/arm64"] }],
        [
            "no stage's that nobody needs",
            "FROM a:1 AS x\nFROM b:1\nCOPY --from=a:1 / /",
            { "b:1": ["linux/arm64"], "a:1": [] },
        ],
        [
            "also where it was copied from before",
            "FROM b:1 AS x\nCOPY --from=a:1 / /\nFROM a:1 AS y\nFROM x\nCOPY --from=y / /",
            { "b:1": ["linux/arm64"], "a:1": ["linux/arm64"] },
        ],
        ["for its own platform", "FROM --platform=linux/386 a:1\nCOPY --from=a:1 / /", { "a:1": ["linux/386"] }],
        [
            "for whichever the builder is of",
            "FROM --platform=$BUILDPLATFORM a:1",
            { "a:1": [...new Set([hostPlatform(), "linux/arm64"])] },
        ],
    ])("an image that a stage is built FROM is told: %s", (_name, text, expected) => {
        const { references: found } = read(text, { platforms: ["linux/arm64"] });
        const from = found.map((one) => [one.expanded, one.from["linux/arm64"] ?? []]);
        expect(Object.fromEntries(from)).toEqual(expected);
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
        ["COPY --from reads no context", "FROM scratch\nCOPY --from=0 a /d", []],
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
        ["a later ARG or ENV of a name wins", "ENV A=x\nARG A=y\nCOPY $A /d", ["y"]],
        [
            "a flag in quotes",
            'RUN --mount="type=bind,source=a b,target=/x" --mount=source=c,target=/d true',
            ["a b", "c"],
        ],
        ["a bind mount's source is no pattern", "RUN --mount=source=a[1],target=/x true", ["a[1]"]],
        [
            "what ADD downloads is no input, whatever its address holds",
            "ARG V\nADD https://example.org/$V.tgz a.txt /d/",
            ["a.txt"],
        ],
        ["a variable in a mount's type", "ARG T=bind\nRUN --mount=type=$T,source=a,target=/x true", ["a"]],
        ["an escape that stays", "COPY a\\\\*b /d", ["a\\*b"]],
        ["several ARGs in one", 'ARG A=x B="y z" C\nCOPY ["$A", "$B", "c$C", "/d"]', ["x", "y z", "c"]],
        ["COPY --parents from its pivot", "COPY --parents ./a/./b/**/*.py /d", ["a"]],
        ["a RUN here-document is no instruction", "RUN <<EOF\nCOPY a /d\nEOF", []],
    ])("%s", (_name, lines, expected) => {
        expect(sources(`FROM scratch\n${lines}`)).toEqual(expected);
    });

    test("a global ARG needs to be declared in the stage", () => {
        expect(sources("ARG A=x\nFROM scratch\nARG A\nCOPY $A /d")).toEqual(["x"]);
        expect(sources("ARG A=x\nFROM scratch\nCOPY ${A:-none} /d")).toEqual(["none"]);
    });

    test("ENV and ARG are inherited by stages built on the stage", () => {
        expect(sources("FROM scratch AS a\nENV E=e\nARG A=a\nFROM a\nCOPY $E${A:-none} /d")).toEqual(["ea"]);
    });

    test("ONBUILD is for the stages built on its own", () => {
        expect(sources("FROM scratch AS a\nONBUILD COPY a /d\nFROM a\nCOPY b /d")).toEqual(["a", "b"]);
        expect(sources("FROM scratch AS a\nONBUILD COPY a /d")).toEqual([]);
    });

    test("--exclude goes with its sources, --parents lets ** cross folders", () => {
        expect(read("FROM scratch\nCOPY --exclude=*.md --exclude='b c' a /d").sources).toEqual([
            { pattern: "a", exclude: ["*.md", "b c"], line: 2, instruction: "COPY" },
        ]);
        const { sources } = read("FROM scratch\nADD a /d\nCOPY --parents --exclude=x a/./**/b c/ /d");
        expect(sources.slice(1)).toMatchObject([
            { pattern: "a", include: "**/b", exclude: ["x"] },
            { pattern: "", include: "c", exclude: ["x"] },
        ]);
    });

    test("a variable that only the base image could set is refused, declared or not, with how to set it", () => {
        expect(() => sources("FROM a:1\nCOPY x$V /d")).toThrow("docker/Dockerfile:2: x$V uses V");
        expect(() => sources("FROM a:1\nARG V\nCOPY x$V /d")).toThrow(
            /x\$V uses V, .*\n\s+next: write ARG V=<default>/,
        );
        expect(sources("FROM a:1\nARG V\nCOPY x$V /d", { buildArgs: { V: "" } })).toEqual(["x"]);
        expect(sources("FROM a:1\nARG V=\nCOPY x$V /d")).toEqual(["x"]);
        expect(sources("FROM scratch\nARG V\nCOPY x$V /d")).toEqual(["x"]);
    });

    test("what is made of a variable that only the base image could set is not known either", () => {
        expect(() => sources("FROM a:1\nENV V=$W/x\nCOPY $V /d")).toThrow("docker/Dockerfile:3: $V uses V");
        expect(() => sources("FROM a:1\nARG V=$W\nCOPY $V /d")).toThrow("docker/Dockerfile:3: $V uses V");
        expect(sources("FROM a:1\nENV PATH=/x:$PATH\nCOPY y /d")).toEqual(["y"]);
    });

    test.each([
        ["FROM scratch AS Last", {}, "last"],
        ["FROM scratch", {}, "default"],
        ["FROM scratch AS one\nFROM scratch AS two", { target: "one" }, "one"],
    ])("TARGETSTAGE of %j, %j is %s", (from, options, stage) => {
        const [first = "", ...rest] = from.split("\n");
        const text = [first, "ARG TARGETSTAGE", "COPY $TARGETSTAGE /d", ...rest].join("\n");
        expect(sources(text, options)).toEqual([stage]);
    });

    test("sources of stages that the target does not need are left out", () => {
        expect(sources("FROM scratch AS a\nCOPY a /d\nFROM scratch AS b\nCOPY b /d")).toEqual(["b"]);
    });

    test("the escape directive changes the line continuation", () => {
        expect(sources("# escape=`\nFROM scratch\nCOPY a `\n b /d/")).toEqual(["a", "b"]);
    });
});

test("the stages that the target needs are told, and which of them the image holds", () => {
    const text =
        "FROM a AS one\nFROM b AS tools\nFROM c\nFROM one AS two\nCOPY --from=tools / /\nFROM two\nCOPY --from=1 / /";
    expect(read(text).stages).toEqual([
        { name: "one", number: 0, line: 1, base: true },
        { name: "tools", number: 1, line: 2, base: false },
        { name: "two", number: 3, line: 4, base: true },
        { name: undefined, number: 4, line: 6, base: true },
    ]);
});

describe("build secrets", () => {
    test.each([
        ["id=A", "A", false],
        ["source=A,target=/x/B", "A", false],
        ["src=A", "A", false],
        ["id=B,src=A", "A", false],
        ["target=/root/.netrc", ".netrc", false],
        ["dst=$HOME/.netrc", ".netrc", false],
        ["id=A,env=TOKEN", "A", false],
        ["id=$NAME", "N", false],
        ["id=A,required", "A", true],
        ["id=A,required=true", "A", true],
        ["id=A,required=1,target=/x", "A", true],
        ["id=A,required=False", "A", false],
    ])("of %s", (fields, id, required) => {
        const text = `FROM a\nARG NAME=N\nRUN --mount=type=secret,${fields} true`;
        expect(read(text).secrets).toEqual([{ id, required, line: 3 }]);
    });

    test("of stages that the target does not need, and of other mounts, are none", () => {
        const text =
            "FROM a AS x\nRUN --mount=type=secret,id=A true\nFROM b\nRUN --mount=type=ssh,id=B --mount=type=cache,id=C,target=/c true";
        expect(read(text).secrets).toEqual([]);
    });

    test("without a name are refused", () => {
        expect(() => read("FROM a\nRUN --mount=type=secret,env=A true")).toThrow(
            "docker/Dockerfile:2: a secret mount names no secret",
        );
    });
});

describe("bad Dockerfiles", () => {
    test.each<[string, string, string]>([
        ["without FROM", "# nothing", "docker/Dockerfile: no FROM"],
        ["with an unset ARG in FROM", "\nFROM a:$V", "docker/Dockerfile:2: FROM a:$V uses V, which has no value"],
        [
            "with an unset ARG in --platform",
            "FROM --platform=$P a:1",
            "docker/Dockerfile:1: FROM $P uses P, which has no value",
        ],
        ["with a text that is no reference", "FROM A b", "docker/Dockerfile:1: FROM A b"],
        ["with an open quote", "FROM 'a", "docker/Dockerfile:1: 'a can't be expanded: a single quote is not closed"],
        [
            "with a variable in --from",
            "ARG V=b\nFROM a\nCOPY --from=$V / /",
            "docker/Dockerfile:3: COPY takes no variable",
        ],
        [
            "with --from of a later stage",
            "FROM a AS t\nCOPY --from=x / /\nFROM b AS x\nFROM t",
            'docker/Dockerfile:2: "x" is not a stage before',
        ],
        ["with a wrong escape", "# escape=x\nFROM a", "docker/Dockerfile:1: escape=x"],
        [
            "with an open here-document",
            "FROM a\nRUN <<EOF\nx",
            "docker/Dockerfile:2: the here-document <<EOF does not end",
        ],
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
        expect(() => read("FROM a AS one\nFROM b", { target: "0" })).toThrow('no stage "0"');
    });
});
