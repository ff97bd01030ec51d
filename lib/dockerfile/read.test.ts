import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { hostPlatform } from "../platform";
import { readDockerfile } from "./read";
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
        ["stages have names in lower case", "FROM a:1 AS One\nFROM one\nCOPY --from=oNE / /", ["a:1"]],
        ["an unneeded stage does not count", "FROM a:1 AS unused\nFROM b:1", ["b:1"]],
        ["COPY --from an image", "FROM a:1\nCOPY --from=b:1 /x /y", ["a:1", "b:1"]],
        ["COPY --from a stage by index", "FROM a:1\nFROM b:1\nCOPY --from=0 /x /y", ["a:1", "b:1"]],
        ["RUN --mount from an image", "FROM a:1\nRUN --mount=type=bind,from=b:1,target=/b true", ["a:1", "b:1"]],
        ["COPY --from and mounts from scratch", "FROM a:1\nCOPY --from=scratch / /", ["a:1"]],
        ["a mount's from is no number", "FROM a:1\nRUN --mount=from=0,target=/x true", ["a:1", "0"]],
        ["a cache mount from an image", "FROM a:1\nRUN --mount=type=cache,from=b:1,target=/c true", ["a:1", "b:1"]],
        ["quotes around it", 'FROM "a:1"', ["a:1"]],
        ["an ARG with a suffix taken off", "ARG V=3.12.1\nFROM a:${V%.*}", ["a:3.12"]],
        ["an ARG without a value is empty", "ARG REGISTRY\nFROM ${REGISTRY}python:3.12-slim", ["python:3.12-slim"]],
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

    test("ENV of a stage comes before its ARG in a stage built on it", () => {
        const text = "FROM scratch AS a\nENV V=env\nARG V=arg\nCOPY $V /d\nFROM a\nCOPY $V /d";
        expect(sources(text)).toEqual(["arg", "env"]);
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
        // It is set, to an unknown value.
        for (const word of ["${V+x}", "${V:-x}", "${V:+x}", "${V-x}"])
            expect(() => sources(`FROM a:1\nENV V=$W\nCOPY ${word} /d`)).toThrow(`${word} uses V`);
        expect(sources("FROM a:1\nENV V=$W\nARG V\nENV V=b\nCOPY ${V+x} /d")).toEqual(["x"]);
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

describe("ONBUILD", () => {
    /** Reads a Dockerfile whose image `base` has these ONBUILD triggers. */
    const below = (triggers: readonly string[], text: string, options: Partial<ReadOptions> = {}) =>
        read(text, {
            triggersOf: (from) =>
                from === "base" ? triggers.map((text, index) => ({ text, where: `docker/base:${index + 2}` })) : [],
            ...options,
        });
    const patterns = ({ sources }: ReturnType<typeof read>) => sources.map(({ pattern }) => pattern);

    test.each<[string, readonly string[], string, readonly string[]]>([
        [
            "of a stage is for those built on it",
            [],
            "FROM scratch AS a\nONBUILD COPY a /d\nFROM a\nCOPY b /d",
            ["a", "b"],
        ],
        ["is not for the stage that it stands in", [], "FROM scratch\nONBUILD COPY a /d", []],
        [
            "is not for the next but one",
            [],
            "FROM scratch AS a\nONBUILD COPY a /d\nFROM a AS b\nCOPY b /d\nFROM b",
            ["a", "b"],
        ],
        [
            "is not for what is copied from a stage",
            [],
            "FROM scratch AS a\nONBUILD COPY a /d\nFROM scratch\nCOPY --from=a / /",
            [],
        ],
        ["of an image runs first", ["COPY a /d"], "FROM base\nCOPY b /d", ["a", "b"]],
        [
            "of an image runs in every stage FROM it",
            ["COPY a /d"],
            "FROM base AS x\nFROM base\nCOPY --from=x / /\nCOPY b /d",
            ["a", "a", "b"],
        ],
        ["of an image that is copied from does not run", ["COPY a /d"], "FROM scratch\nCOPY --from=base / /", []],
        [
            "of an image is not for a stage built on a stage of it",
            ["COPY a /d"],
            "FROM base AS x\nFROM x\nCOPY b /d",
            ["a", "b"],
        ],
        ["of an unused stage is not read", ["COPY a /d"], "FROM base\nFROM scratch\nCOPY b /d", ["b"]],
        ["in ADD", ["ADD a https://example.test/x /d/"], "FROM base", ["a"]],
        ["in a mount", ["RUN --mount=type=bind,source=a,target=/a true"], "FROM base", ["a"]],
        ["in an ARG for a later COPY", ["ARG V=a"], "FROM base\nCOPY $V /d", ["a"]],
        ["in an ENV for a later COPY", ['ENV V="a b" W=c'], "FROM base\nCOPY $V$W /d", ["a bc"]],
        ["in an ARG that has a global value", ["ARG V", "COPY $V /d"], "ARG V=a\nFROM base", ["a"]],
        ["in words of other case", ["copy a /d"], "FROM base", ["a"]],
        ["in a here-document", ["COPY <<EOF a /d/\nCOPY b /d/\nEOF"], "FROM base", ["a"]],
        ["splits by the usual escape", ["ENV V=a\\ b W=c", "COPY $W /d"], "# escape=`\nFROM base", ["c"]],
        ["expands by the Dockerfile's escape", ["COPY a`*b /d"], "# escape=`\nFROM base", ["a*b"]],
    ])("%s", (_name, left, text, expected) => {
        expect(patterns(below(left, text))).toEqual(expected);
    });

    test("may read a global ARG, which the meaning keeps", () => {
        expect(below(["ARG V"], "ARG V=a\nARG W=b\nFROM base").meaning.text).toBe("ARG V=a\nFROM base\n");
    });

    test("names the line of FROM, and where it stands", () => {
        const text = "FROM scratch AS build\nFROM base";
        const left = ["COPY a /d", "COPY --from=tools:1 / /", "RUN --mount=type=secret,id=T true"];
        const { sources, references, secrets, triggers } = below(left, text);
        expect(sources).toEqual([
            { pattern: "a", exclude: [], line: 2, triggeredBy: "docker/base:2", instruction: "COPY" },
        ]);
        expect(references).toMatchObject([
            { expanded: "base", line: 2, base: true, from: { "linux/amd64": ["linux/amd64"] } },
            { expanded: "tools:1", line: 2, triggeredBy: "docker/base:3", base: false, from: {} },
        ]);
        expect(secrets).toEqual([{ id: "T", required: false, line: 2, triggeredBy: "docker/base:4" }]);
        expect(Object.keys(triggers)).toEqual(["base"]);
    });

    test("may need a stage of the Dockerfile that it runs in, by name or number, its own among them", () => {
        const text = "FROM scratch AS build\nCOPY a /d\nFROM scratch AS other\nCOPY c /d\nFROM base AS own\nCOPY b /d";
        for (const from of ["build", "Build", "0"]) {
            const reading = below([`COPY --from=${from} /d /d`], text);
            expect(patterns(reading)).toEqual(["a", "b"]);
            expect(reading.stages.map(({ number }) => number)).toEqual([0, 2]);
            // The meaning is built in its place, so the numbers of its stages must be the same.
            expect(reading.meaning.text.match(/^FROM .*/gm)).toEqual(
                text.match(/^FROM .*/gm)?.filter((line) => from === "0" || !line.includes("other")),
            );
        }
        expect(patterns(below(["COPY --from=own /d /d"], text))).toEqual(["b"]);
        expect(() => below(["COPY --from=later /d /d"], `${text}\nFROM scratch AS later`, { target: "own" })).toThrow(
            'docker/Dockerfile:5 (ONBUILD in docker/base:2): "later" is not a stage before this one',
        );
    });

    test.each([
        [
            "that is no instruction",
            "COPPY a b",
            "docker/Dockerfile:1 (ONBUILD in docker/base:2): COPPY is not an instruction",
        ],
        [
            "of two lines",
            "RUN a\nRUN b",
            "docker/Dockerfile:1 (ONBUILD in docker/base:2): an ONBUILD trigger must be exactly one instruction",
        ],
        [
            "with a variable in --from",
            "COPY --from=$X / /",
            "docker/Dockerfile:1 (ONBUILD in docker/base:2): COPY does not expand variables",
        ],
    ])("%s is refused where it runs", (_name, left, message) => {
        expect(() => below([left], "FROM base")).toThrow(message);
        expect(() => below([left], "FROM base\nFROM scratch")).not.toThrow();
    });

    test.each(["ONBUILD RUN true", "from scratch", "MAINTAINER me", ""])("can't leave %j", (left) => {
        expect(() => read(`FROM scratch\nONBUILD ${left}`)).toThrow("docker/Dockerfile:2: ONBUILD can't trigger");
    });

    test("that no stage runs may be anything", () => {
        expect(read("FROM scratch\nONBUILD COPPY a b").sources).toEqual([]);
    });
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
        [
            "with an unset ARG that a FROM needs to be a reference",
            "\nFROM a:$V",
            'docker/Dockerfile:2: "a:" is not an image reference: "" is not a tag (V has no value)',
        ],
        ["with an unset ARG as a FROM", "ARG V\nFROM $V", "docker/Dockerfile:2: FROM $V is empty: V has no value"],
        [
            "with an unset ARG in --platform",
            "FROM --platform=$P a:1",
            "docker/Dockerfile:1: FROM $P is empty: P has no value",
        ],
        [
            "with a stage in upper case in FROM, which only from= may have",
            "FROM a AS One\nFROM One",
            'docker/Dockerfile:2: "One" is not an image reference',
        ],
        ["with a text that is no reference", "FROM A b", "docker/Dockerfile:1: FROM A b"],
        ["with an open quote", "FROM 'a", "docker/Dockerfile:1: 'a can't be expanded: a single quote is not closed"],
        [
            "with a variable in --from",
            "ARG V=b\nFROM a\nCOPY --from=$V / /",
            "docker/Dockerfile:3: COPY does not expand variables",
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
        [
            "with a flag that BuildKit, a byte at a time, ends within a letter",
            "FROM a\nCOPY --exclude=à . /",
            "docker/Dockerfile:2: COPY has a flag that BuildKit ends within a multi-byte character",
        ],
        ["that is no text", "FROM a\n\0\0", 'docker/Dockerfile:2: "\\u0000\\u0000" is not an instruction'],
        ["with an unknown instruction", "FROM a\nCOPPY a b", "docker/Dockerfile:2: COPPY is not an instruction"],
        ["with an instruction before FROM", "RUN true\nFROM a", "docker/Dockerfile:1: RUN must follow a FROM"],
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

test("an instruction ends at the blanks that BuildKit knows, a file's name may look like a login, and no platform is none", () => {
    expect(references("FROM\v--platform= a:1\n\u0085RUN\ftrue")).toEqual(["a:1"]);
    expect(sources("FROM a\nCOPY a.b@c:d x@y_z:1 /\nADD a.b@c:d a@b:c /")).toEqual(["a.b@c:d", "x@y_z:1", "a.b@c:d"]);
});

test("an image from scratch has the PATH that BuildKit gives it", () => {
    expect(sources("FROM scratch AS a\nFROM a\nCOPY ${PATH:+x} /")).toEqual(["x"]);
});

test("a line that BuildKit does not read is refused", () => {
    expect(() => read(`FROM a\n# ${"é".repeat(32_767)}`)).toThrow(/Dockerfile:2: the line is longer than 65535 bytes/);
    expect(references(`FROM a\n# ${"x".repeat(65_533)}`)).toEqual(["a"]);
});

test("long runs of blanks and many variables are read, which took minutes where time grew with their square", () => {
    const variables = Array.from({ length: 20_000 }, (_one, n) => `ENV A${n}=b${n}\n`).join("");
    expect(sources(`FROM scratch\nRUN a${" ".repeat(60_000)}b\n${variables}COPY $A19999 /`)).toEqual(["b19999"]);
});

test("long chains of stages are read without deep recursion", () => {
    const numbers = Array.from({ length: 10_000 }, (_one, index) => index);
    const chain = numbers.map((index) => `FROM s${index} AS s${index + 1}\n`).join("");
    const read = readDockerfile(`FROM scratch AS s0\n${chain}`, { path: "Dockerfile", platforms: ["linux/amd64"] });
    expect(read.stages).toHaveLength(10_001);
    const copies = numbers.map((index) => `FROM scratch AS s${index + 1}\nCOPY --from=s${index} / /\n`).join("");
    const copied = readDockerfile(`FROM scratch AS s0\n${copies}`, { path: "Dockerfile", platforms: ["linux/amd64"] });
    expect(copied.stages.filter(({ base }) => base)).toHaveLength(1);
    expect(copied.stages).toHaveLength(10_001);
});

describe("a file for another frontend with many", () => {
    const numbers = Array.from({ length: 4000 }, (_one, index) => index);
    const lines = (line: (index: number) => string) => numbers.map((index) => `${line(index)}\n`).join("");

    test.each([
        ["images", lines((index) => `COPY --from=busybox:${index} / /`), 4000],
        ["stages", lines((index) => `FROM s${index} AS s${index + 1}\nCOPY --from=s${index} / /`), 0],
        [
            "lines that can't be read",
            lines((index) => `FROM\nFROM python:${index} AS 1\nCOPY --from=a:${index} / /`),
            4000,
        ],
    ])("%s is read, which took minutes where time grew with their square", (_many, text, images) => {
        const read = readDockerfile(`# syntax=example.com/other\nFROM scratch AS s0\n${text}FROM b\n`, {
            ...{ path: "Dockerfile", platforms: ["linux/amd64"] },
        });
        expect(read.references.map(({ expanded }) => expanded).filter((one) => one !== "b")).toHaveLength(images);
    });
});
