import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { splitArguments } from "./meaning";
import { readDockerfile } from "./read";

const meaning = (text: string, options: { target?: string; buildArgs?: Record<string, string> } = {}) =>
    readDockerfile(text, { path: "Dockerfile", platforms: ["linux/amd64", "linux/arm64"], ...options }).meaning;

// tests/oracle compares it with BuildKit's code; the tests here show its purpose.
describe("the meaning of a Dockerfile", () => {
    test.each<[string, string, string]>([
        ["comments and blank lines", "# a\n\nFROM a\n# b\nUSER 1\n\n", "FROM a\nUSER 1\n"],
        ["the case of keywords and stages", "from a as B\nuser 1", "FROM a AS b\nUSER 1\n"],
        ["continued lines, and comments within", "FROM a\nRUN a \\\n# b\n  && c", "FROM a\nRUN a   && c\n"],
        ["blanks between words", "FROM   a\nCOPY\ta  b   /c\nENV A=1   B=2", "FROM a\nCOPY a b /c\nENV A=1 B=2\n"],
        ["blanks in JSON", 'FROM a\nCMD [ "a",  "b c" ]', 'FROM a\nCMD ["a","b c"]\n'],
        ["a byte order mark and ends of lines", "\uFEFFFROM a\r\nUSER 1\r\n", "FROM a\nUSER 1\n"],
        [
            "quotes around values that need none",
            'FROM a\nENV A="1" B=\'x/y\'\nARG C="2"\nLABEL d.e="f"',
            "FROM a\nENV A=1 B=x/y\nARG C=2\nLABEL d.e=f\n",
        ],
        ["unused stages", "FROM a AS x\nCOPY y /\nFROM b", "FROM b\n"],
        ["unused global ARGs", "ARG A=1 B=2\nARG C=$B\nFROM a:$C", "ARG B=2\nARG C=$B\nFROM a:$C\n"],
        [
            "what describes a stage that is only copied from",
            "FROM a AS x\nLABEL a=b\nCMD c\nFROM b\nCOPY --from=x / /\nLABEL a=b",
            "FROM a AS x\nFROM b\nCOPY --from=x / /\nLABEL a=b\n",
        ],
    ])("is the same with other %s", (_name, text, expected) => {
        expect(meaning(text).text).toBe(expected);
    });

    test.each<[string, string]>([
        ["blanks in a shell's command", "FROM a\nRUN a  b\n"],
        ["here-documents, with what looks like comments in them", "FROM a\nRUN <<EOF\n# a\n\n  b\nEOF\n"],
        ["the text of a trigger", "FROM a\nONBUILD run  a \n"],
        ["quotes around blanks, variables and nothing", 'FROM a\nENV A="b c" D="$A" E=""\n'],
        ["an escape character", "# escape=`\nFROM a\nCOPY a` b /c\n"],
        ["a frontend", "# syntax=docker/dockerfile:1\nFROM a\n"],
        ["flags that end before an argument that looks like one", "FROM a\nRUN --network=none -- --x\n"],
    ])("keeps %s", (_name, text) => {
        expect(meaning(text).text).toBe(text);
    });

    test("is in lines that BuildKit reads where continued ones are longer together", () => {
        const text = `FROM a\nRUN true ${"\\\n  && echo é# ".repeat(9000)}\n`;
        const lines = meaning(text).text.split("\n");
        expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThan(65_536);
        expect(meaning(lines.join("\n")).text).toBe(lines.join("\n"));
        expect(lines.join("\n").replaceAll("\\\n", "")).toBe(text.trimEnd().replaceAll("\\\n", "") + "\n");
    });

    test("counts stages anew where COPY names one by number", () => {
        expect(meaning("FROM a\nFROM b\nFROM c\nCOPY --from=1 / /").text).toBe("FROM b\nFROM c\nCOPY --from=0 / /\n");
    });

    test.each<[string, string, Record<string, string>]>([
        ["a directive", "# check=error=true\nFROM a\nuser 1\n", {}],
        ["a build argument", "FROM a\nuser 1\n", { BUILDKIT_DOCKERFILE_CHECK: "skip=X;error=true" }],
    ])("is its text where style is checked by %s", (_name, text, buildArgs) => {
        expect(meaning(text, { buildArgs })).toEqual({ text, reads: undefined });
    });
});

test("build arguments that no ARG takes are told from those that a build reads", () => {
    const given = { A: "1", B: "2", C: "3", TARGETARCH: "x", http_proxy: "p", BUILDKIT_INLINE_CACHE: "1" };
    const reads = meaning("ARG A=x\nARG C\nFROM a:$A-$TARGETARCH\nARG B\nFROM b\nARG B");
    expect(splitArguments(given, reads).unread).toEqual(["A", "C", "TARGETARCH"]);
    const copies = meaning("ARG A=x\nARG C\nFROM a:$A-$TARGETARCH AS x\nFROM b\nARG B\nCOPY --from=x / /");
    expect(splitArguments(given, copies)).toEqual({
        unread: ["C"],
        read: { A: "1", B: "2", TARGETARCH: "x", http_proxy: "p", BUILDKIT_INLINE_CACHE: "1" },
    });
});
