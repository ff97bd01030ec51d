import fc from "fast-check";

/** An instruction: its keyword, its arguments on one line, and its here-documents. */
interface Instruction {
    readonly keyword: string;
    readonly text: string;
    readonly hereDocuments?: string;
    /** Whether whitespace between the words is insignificant. */
    readonly list?: boolean;
    /** Whether trailing whitespace is significant. */
    readonly exact?: boolean;
}

const one = (keyword: string, ...texts: readonly string[]) =>
    fc.constantFrom(...texts).map((text): Instruction => ({ keyword, text }));
const list = (keyword: string, ...texts: readonly string[]) =>
    fc.constantFrom(...texts).map((text): Instruction => ({ keyword, text, list: true }));
const here = (keyword: string, ...texts: readonly (readonly [string, string])[]) =>
    fc.constantFrom(...texts).map(([text, hereDocuments]): Instruction => ({ keyword, text, hereDocuments }));

/** Names of stages, in order: a stage copies only from earlier stages. */
const stageNames = ["one", "two", "three", "four"];

const instruction = (stage: number) =>
    fc.oneof(
        one("RUN", "true", "echo  $A   b", '["echo", "a b"]', "echo 'a  b' \"c\" \\# d", "echo é\u00a0x", "[ -f a ]"),
        one("RUN", "--mount=type=bind,source=a,target=/b cat /b", "--network=none --mount=type=cache,target=/c true"),
        one("RUN", '--mount="type=bind,source=a b,target=/b" true', "--security=sandbox -- true", "-- --x"),
        here("RUN", ["<<EOF", "echo a\n# no comment\n\n  b \\\nEOF\n"], ["<<-'E F' cat", "\ta\n\tE F\n"]),
        here("RUN", ["cat <<A <<B", "a\r\nA\nb\nB\n"], ["cat 3<<EOF", "EOF\n"], ["a << EOF", "x\nEOF\n"]),
        list("COPY", "a b /to/", "--link --chown=1:2 a /to", "--chmod=755 ./a $A/b /to/", "--exclude=*.md . /to/"),
        one("COPY", '["a b", "/to/"]', '[ "a" , "b" ]', "--parents a/./b /to/"),
        here("COPY", ["<<F /f", "text $A\nF\n"], ['<<"F" <<G /f/', "$A\nF\n\nG\n"], ["a <<F /f/", "# x\nF\n"]),
        ...(stage === 0
            ? []
            : [
                  fc
                      .nat(stage - 1)
                      .chain((from) =>
                          list(
                              "COPY",
                              `--from=${from} /a /b`,
                              `--from=${stageNames[from] ?? ""} /a /b`,
                              `--link --from="${from}" /a /b`,
                          ),
                      ),
                  fc
                      .nat(stage - 1)
                      .chain((from) => one("RUN", `--mount=from=${stageNames[from] ?? ""},target=/x true`)),
              ]),
        one("COPY", "--from=busybox:1 /a /b"),
        list("ADD", "a /to/", "--checksum=sha256:" + "0".repeat(64) + " https://example.org/x /to/"),
        one("ENV", "A=1", `A="1" B='x/y'`, 'A="x  y" B=$A', "OLD  some   value", "A=a\\ b C='d'", "B=${A:-x}"),
        one("LABEL", "a=b", 'a="b"', 'a="b c" d=e', "old   value  here"),
        one("ARG", "A", "A=1", 'B="1"', "A=$B C", "B='x y'", "TARGETARCH", "U"),
        one("WORKDIR", "/a", "b/", "$A"),
        one("USER", "1", "a:b"),
        list("EXPOSE", "80", "80 81/udp"),
        list("VOLUME", "/a /b"),
        one("VOLUME", '["/a"]'),
        one("CMD", "true", '["a", "b"]'),
        one("ENTRYPOINT", "a  b", '[ "a" ]'),
        one("SHELL", '["/bin/bash", "-c"]'),
        one("HEALTHCHECK", "NONE", "--interval=5s CMD true", 'CMD ["a"]'),
        one("STOPSIGNAL", "SIGTERM"),
        one("MAINTAINER", "me  myself"),
        fc
            .constantFrom("COPY . /x", "run  true ", "ARG A", "ENV A=1")
            .map((text): Instruction => ({ keyword: "ONBUILD", text, exact: true })),
    );

const bases = ["busybox", "scratch", "python:${V}", "${R}alpine", "--platform=$BUILDPLATFORM busybox"];

const stage = (number: number) =>
    fc
        .record({
            base: fc.oneof(fc.constantFrom(...bases), fc.constantFrom(...stageNames.slice(0, number), "busybox")),
            isNamed: fc.boolean(),
            instructions: fc.array(instruction(number), { maxLength: 4 }),
        })
        .map(({ base, instructions }): Instruction[] => [
            { keyword: "FROM", text: `${base} AS ${stageNames[number] ?? ""}`, list: true },
            ...instructions,
        ]);

const globals = fc.array(one("ARG", "V=3", "V=$W R=docker.io/", "W=3.12", "A=global", "R", "UNUSED=1", "B"), {
    maxLength: 3,
});

/** Dockerfiles with up to four stages, as lists of instructions. */
export const dockerfiles = fc
    .tuple(globals, fc.integer({ min: 1, max: stageNames.length }))
    .chain(([before, count]) =>
        fc
            .tuple(...Array.from({ length: count }, (_one, number) => stage(number)))
            .map((stages): readonly Instruction[] => [...before, ...stages.flat()]),
    );

/** The spelling of an instruction of a Dockerfile: it does not change the meaning. */
const spelling = fc.record({
    upper: fc.boolean(),
    before: fc.constantFrom("", "", "# a comment\n", "\n", "  \n#\n"),
    start: fc.constantFrom("", "", "  ", "\t"),
    between: fc.constantFrom(" ", " ", "  ", "\t "),
    behind: fc.constantFrom("", "", " ", "\t"),
    /** Position of a line continuation, as a fraction of the line's length. */
    cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    within: fc.constantFrom("", "", "# a comment\n", "   # another\n"),
    end: fc.constantFrom("\n", "\n", "\n", "\r\n"),
});

type Spelling = typeof spelling extends fc.Arbitrary<infer T> ? T : never;

/** The plainest spelling. */
export const plain: Spelling = {
    ...{ upper: true, before: "", start: "", between: " ", behind: "", cut: null, within: "", end: "\n" },
};

function spell(
    { keyword, text, list, exact, hereDocuments = "" }: Instruction,
    style: Spelling,
    escape: string,
): string {
    const { upper, before, start, between, behind, cut, within, end } = style;
    const words = list ? text.split(" ").join(between) : text;
    const line = (upper ? keyword : keyword.toLowerCase()) + between + words + (exact ? "" : behind);
    const at = Math.floor((cut ?? 1) * line.length);
    const [head, tail] = [line.slice(0, at), line.slice(at)];
    // A cut before a comment or whitespace, or after an escape character, would change the meaning.
    const canCut = cut !== null && head.trim() !== "" && /^[^#\s]/.test(tail) && !head.endsWith(escape);
    const lines = canCut ? `${head}${escape}${end}${within}${tail}` : line;
    return before + start + lines + end + hereDocuments;
}

/** Writes instructions as a Dockerfile with an escape character; the instructions use the styles in turn. */
export const write = (instructions: readonly Instruction[], styles: readonly Spelling[], escape: string): string =>
    (escape === "\\" ? "" : `# escape=${escape}\n`) +
    instructions
        .map((instruction, index) => spell(instruction, styles[index % styles.length] ?? plain, escape))
        .join("");

/** Spellings for the instructions of a Dockerfile. */
export const spellings = fc.array(spelling, { minLength: 1, maxLength: 12 });
