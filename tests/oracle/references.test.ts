import fc from "fast-check";
import { after, before } from "mocha";
import { detectSyntax } from "../../lib/dockerfile/frontends";
import { formatReference, parseReference, referenceProblem } from "../../lib/registry/references";
import { expect, test } from "../mocha";
import { type Oracle, runs, startOracle } from "./oracle";

let oracle: Oracle;

before(async () => {
    oracle = await startOracle();
});

after(() => {
    oracle.stop();
});

interface Normal {
    readonly full: string;
    /** The key of a named build context. */
    readonly context: string;
}

const hosts = [
    "ghcr.io",
    "GHCR.IO",
    "docker.io",
    "DOCKER.IO",
    "index.docker.io",
    "localhost",
    "LOCALHOST",
    "Owner",
    "owner",
];
const rare = [
    "registry.localhost:5443",
    "a.b:5",
    "[::1]:5000",
    "[::1]",
    "a-.b",
    "a..b",
    "-a.b",
    "a_b.c",
    "1.2",
    ":5",
    "a:",
    ".",
];
const paths = [
    "library",
    "python",
    "Python",
    "owner",
    "a",
    "a.b",
    "a__b",
    "a___b",
    "a-b",
    "a--b",
    "-a",
    "a.",
    "a_.b",
    "é",
    "",
    "A",
];
const tags = ["latest", "3.12-slim", "X", "_a", "-a", ".a", "", "a:b", "a".repeat(128), "a".repeat(129)];
const hex = "0123456789abcdef".repeat(8);
const digests = [
    ...[32, 63, 64, 65, 96, 128].map((length) => `sha256:${hex.slice(0, length)}`),
    ...[
        `SHA256:${hex.slice(0, 64)}`,
        `sha256:${hex.slice(0, 64).toUpperCase()}`,
        `sha512:${hex}`,
        `sha384:${hex.slice(0, 96)}`,
    ],
    ...[`md5:${hex.slice(0, 32)}`, `sha256+b64:${hex.slice(0, 64)}`, "sha256:", ""],
];
const some = (values: readonly string[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 1 });

const likely = fc
    .tuple(
        some([...hosts, ...hosts, ...rare]),
        fc.array(fc.constantFrom(...paths), { minLength: 1, maxLength: 3 }),
        some(tags),
        some(digests),
    )
    .map(([host, path, tag, digest]) =>
        [
            host === undefined ? "" : `${host}/`,
            path.join("/"),
            tag === undefined ? "" : `:${tag}`,
            digest === undefined ? "" : `@${digest}`,
        ].join(""),
    );
const unlikely = fc
    .array(fc.constantFrom("a", "A", "0", ".", "_", "-", "/", ":", "@", "[", "]", " ", "\n", "é", "$", "sha256"), {
        maxLength: 9,
    })
    .map((all) => all.join(""));
/** References that are not read as names, and names at and above the maximum length. */
const table = [
    hex.slice(0, 64),
    `${hex.slice(0, 64)}:a`,
    `a/${"b".repeat(253)}`,
    `a/${"b".repeat(254)}`,
    "b".repeat(247),
    "b".repeat(248),
];

/** Returns BuildKit's short form of a reference, from the program's parsed parts. */
function familiar(text: string): string {
    const { registry, repository, tag, digest } = parseReference(text);
    const written = digest === undefined && !/:[^/]*$/.test(text.slice(text.indexOf("/") + 1)) ? undefined : tag;
    const short = registry !== "docker.io" ? `${registry}/${repository}` : repository.replace(/^library\/(?!.*\/)/, "");
    return `${short}${written === undefined ? "" : `:${written}`}${digest === undefined ? "" : `@${digest}`}`;
}

test("a reference is what BuildKit takes it for, and one that it refuses is refused", async () => {
    const outcomes = { read: 0, refused: 0 };
    await fc.assert(
        fc.asyncProperty(
            fc.oneof({ weight: 4, arbitrary: likely }, unlikely, fc.constantFrom(...table)),
            async (text) => {
                const { answer } = await oracle.ask<Normal>("references", { reference: text });
                const ours =
                    referenceProblem(text) === undefined
                        ? { full: formatReference(parseReference(text)), context: familiar(text) }
                        : undefined;
                expect(ours).toEqual(answer);
                outcomes[answer ? "read" : "refused"]++;
            },
        ),
        runs(4000),
    );
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100);
});

test("a reference that is refused for its capitals alone is told in lower case", async () => {
    await fc.assert(
        fc.asyncProperty(likely, async (text) => {
            const lower = /a repository must be in lower case: write (.*)$/.exec(referenceProblem(text) ?? "")?.[1];
            fc.pre(lower !== undefined);
            const { answer } = await oracle.ask<Normal>("references", { reference: lower });
            expect(lower.toLowerCase()).toBe(text.toLowerCase());
            // The tag or digest may be invalid too.
            expect(answer === undefined).toBe(referenceProblem(lower) !== undefined);
            expect(referenceProblem(lower) ?? "").not.toContain("lower case: write");
        }),
        runs(400),
    );
});

const directive = fc
    .tuple(
        fc.constantFrom("#", "# ", "//", "// ", " # ", "#\t", "#\u00a0", "#\ufeff", "##", "", "#!"),
        fc.constantFrom("syntax", "SYNTAX", "escape", "check", "other", "sy ntax", ""),
        fc.constantFrom("=", " = ", "\t=", "==", "\u00a0=", ""),
        fc.constantFrom("docker/dockerfile:1", "a b c", "a\tb", " a ", "é\u2028", "\u00a0a", "`", "", "skip=all"),
        fc.constantFrom("\n", "\r\n", " \n", "\r\r\n", ""),
    )
    .map((all) => all.join(""));
const field = fc
    .tuple(
        fc.constantFrom("", "#!/bin/x\n", " \n", "\ufeff"),
        fc.oneof(
            fc.json(),
            fc.constantFrom(
                '{"syntax":"a b"}',
                '{"syntax":1}',
                '["syntax"]',
                '{"syntax":""}',
                '{"Syntax":"a"}',
                "{}",
                "null",
            ),
        ),
        fc.constantFrom("", "\n", "x"),
    )
    .map((all) => all.join(""));
const dockerfiles = fc.oneof(
    fc
        .tuple(fc.constantFrom("", "", "\ufeff", "#!/usr/bin/x\n", "\n"), fc.array(directive, { maxLength: 4 }))
        .map(([start, all]) => start + all.join("")),
    field,
);

test("what reads a Dockerfile is what BuildKit detects", async () => {
    let found = 0;
    await fc.assert(
        fc.asyncProperty(dockerfiles, async (text) => {
            const { answer } = await oracle.ask<{ found: boolean; reference: string; cmdline: string; line: number }>(
                "syntax",
                { text },
            );
            const ours = detectSyntax(text);
            expect(
                ours
                    ? { found: true, reference: ours.reference, cmdline: ours.reference + ours.rest }
                    : { found: false, reference: "", cmdline: "" },
            ).toEqual({ found: answer?.found, reference: answer?.reference, cmdline: answer?.cmdline });
            if (ours) found++;
        }),
        runs(4000),
    );
    expect(found).toBeGreaterThan(100);
});
