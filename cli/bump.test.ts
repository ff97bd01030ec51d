import { readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../tests/mocha";
import { withPrograms } from "../tests/programs";
import { tree } from "../tests/tree";
import { ageText, type BumpOptions, bumpMarkdown, bumpText, makeBump } from "./bump";

const now = new Date("2026-11-27T12:00:00Z");
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const pin = (repository: string, digit: string) => `${repository}@${digest(digit)}`;

const files: Readonly<Record<string, string>> = {
    "Pulumi.yaml": "name: images\nruntime: nodejs\n",
    "Pulumi.ci.yaml": `config:
  images:roots:
    # Moving this rebuilds everything.
    docker.io/library/python:3.12: ${pin("mirror.example/python", "1")} # all
  images:buildArgs:
    tool:
      VARIANT: edge
`,
    "images.ts": `export const images = {
    base: { description: "", name: "ghcr.io/acme/base:latest", dockerfile: "base.Dockerfile", platforms: ["linux/amd64", "linux/arm64"], rebuild: "weekly" },
    app: { description: "", name: "ghcr.io/acme/app:latest", dockerfile: "app.Dockerfile", platforms: ["linux/amd64"] },
    tool: { description: "", name: "ghcr.io/acme/tool:latest", dockerfile: "tool.Dockerfile", platforms: ["linux/amd64"], rebuild: "monthly" },
};
`,
    "base.Dockerfile": "FROM python:3.12\n",
    "app.Dockerfile": `FROM ghcr.io/acme/base:latest\nCOPY --from=${pin("alpine", "9")} /a /a\n`,
    "tool.Dockerfile":
        "# syntax=docker/dockerfile:1\nARG VARIANT=stable\nFROM debian:${VARIANT}\nCOPY --from=ghcr.io/acme/base /a /a\n",
};

/** The manifests of registries, by reference: of an index with these platforms, or an error. */
const manifest = (...platforms: string[]) =>
    JSON.stringify({
        manifests: platforms.map((platform) => {
            const [os, architecture] = platform.split("/");
            return { digest: digest("a"), platform: { os, architecture } };
        }),
    });
const config = JSON.stringify({ created: "2026-11-20T08:00:00.5Z" });
const image = JSON.stringify({ config: { digest: digest("c"), size: 1 }, layers: [] });
const answers: Readonly<Record<string, string>> = {
    "mirror.example/python:3.12": manifest("linux/amd64", "linux/arm64"),
    "docker.io/docker/dockerfile:1": manifest("linux/amd64"),
    "docker.io/library/debian:edge": image,
};

/** Runs it with a buildx that answers so, and whose every other registry is not there. */
async function bump(
    changes: { files?: Readonly<Record<string, string>>; answers?: Readonly<Record<string, string>> } = {},
    names: readonly string[] = [],
    options: Partial<BumpOptions> = {},
) {
    const found = { ...answers, ...changes.answers };
    const cases = Object.entries(found).map(([ref, text]) => `'${ref}') printf %s '${text}';;`);
    withPrograms({
        buildx: `case "$4" in ${cases.join("\n")}
*@${digest("a")}) printf %s '${image}';;
*@${digest("c")}) printf %s '${config}';;
*@*) printf %s '${image}';;
*) echo "ERROR: failed to do request: no such host" >&2; echo usage >&2; exit 1;; esac`,
    });
    const root = tree({ ...files, ...changes.files });
    const { report } = await makeBump({ root, now, env: process.env }, names, { stack: "ci", ...options });
    return { report, text: readFileSync(path.join(root, "Pulumi.ci.yaml"), "utf8") };
}

/** What moves: by root or image the digest or period, shortened. */
const moves = ({ roots, rebuilds }: Awaited<ReturnType<typeof bump>>["report"]) => [
    ...roots.map(({ root, to, problem }) => [root, problem ?? to?.replace(/@.*/, "")]),
    ...rebuilds.map(({ images, to }) => [images.join(), to]),
];

test("every root that has a tag, and every due rebuild, moves in the stack's file; what it rebuilds is said", async () => {
    const { report, text } = await bump();
    expect(moves(report)).toEqual([
        ["python:3.12", "mirror.example/python"],
        ["debian:edge", "docker.io/library/debian"],
        ["docker/dockerfile:1", "docker.io/docker/dockerfile"],
        ["base", "2026-W48"],
        ["tool", "2026-11"],
    ]);
    expect(report).toMatchObject({ behind: true, written: true });
    const [python, debian] = report.roots;
    expect([python?.images, python?.maybe]).toEqual([["base"], ["app", "tool"]]);
    expect([debian?.from, debian?.images, debian?.maybe]).toEqual([undefined, ["tool"], []]);
    expect(text.replace(/@sha256:[0-9a-f]+/g, "@…")).toBe(
        (files["Pulumi.ci.yaml"] ?? "")
            .replace(/@sha256:1+/, "@…")
            .replace(
                " # all\n",
                " # all\n    debian:edge: docker.io/library/debian@…\n    docker/dockerfile:1: docker.io/docker/dockerfile@…\n",
            ) + '  images:rebuilds:\n    base: 2026-W48\n    tool: "2026-11"\n',
    );
    const said = bumpText(report, now);
    expect(said).toMatch(
        /^python:3\.12 +111111111111 → [0-9a-f]{12}, built 2026-11-20, 7 days ago\n +rebuilds base; maybe app, tool$/m,
    );
    expect(said).toMatch(/^debian:edge +not pinned → /m);
    expect(said).toMatch(/^tool +scheduled rebuild \(monthly\): none yet → 2026-11$/m);
    expect(bumpMarkdown(report, now)).toMatch(/^- `python:3\.12`: 111111111111 → .*; rebuilds base; maybe app, tool$/m);
    const again = await bump({ files: { "Pulumi.ci.yaml": text } });
    expect(again).toMatchObject({ report: { behind: false, written: false }, text });
    expect(bumpText(again.report, now)).toMatch(/everything is up to date\n$/);
});

test("an entry with a matrix has one rebuild in the stack's file, and each of its images that has its own there another", async () => {
    const entry = `{ description: "", matrix: { OS: ["a", "b", "c"] }, name: "ghcr.io/acme/os:{OS}", dockerfile: "tool.Dockerfile", platforms: ["linux/amd64"], rebuild: "weekly" }`;
    const written = (text: string) => text.slice(text.indexOf("rebuilds:"));
    const start = '  images:rebuilds:\n    os-b: "2026-W40"\n';
    const all = {
        ...{ "images.ts": `export const images = { os: ${entry} };\n`, "tool.Dockerfile": "FROM scratch\nARG OS\n" },
        "Pulumi.ci.yaml": `config:\n${start}`,
    };
    const { report, text } = await bump({ files: all });
    expect(report.rebuilds.map(({ name, from, images }) => [name, from, images])).toEqual([
        ["os", undefined, ["os-a", "os-c"]],
        ["os-b", "2026-W40", ["os-b"]],
    ]);
    expect(written(text)).toBe('rebuilds:\n    os-b: "2026-W48"\n    os: 2026-W48\n');
    expect(bumpText(report, now)).toMatch(
        /^os +scheduled rebuild \(weekly\): none yet → 2026-W48\n +rebuilds os-a, os-c$/m,
    );
    expect((await bump({ files: { ...all, "Pulumi.ci.yaml": text } })).report.behind).toBe(false);
});

describe("a root keeps its pin, and the others move,", () => {
    test.each<[string, Readonly<Record<string, string>>, string]>([
        [
            "if its registry does not answer, which is said in one line",
            { "mirror.example/python:3.12": "" },
            "mirror.example/python:3.12 can't be looked up: its response to mirror.example/python:3.12 is not a manifest: SyntaxError: Unexpected end of JSON input",
        ],
        [
            "if it is no longer made for a platform that an image is built for",
            { "mirror.example/python:3.12": manifest("linux/amd64", "linux/s390x") },
            "mirror.example/python:3.12 is no longer made for linux/arm64",
        ],
    ])("%s", async (_why, changed, problem) => {
        const { report, text } = await bump({ answers: changed });
        expect(report.roots.map((one) => one.problem)).toEqual([problem, undefined, undefined]);
        expect(text).toContain(`${pin("mirror.example/python", "1")} # all`);
        expect(text).toContain("debian:edge: docker.io/library/debian@");
    });
});

test("only the named roots move, and nothing where nothing shall be written", async () => {
    const { report } = await bump({}, ["debian:edge"]);
    expect(moves(report)).toEqual([["debian:edge", "docker.io/library/debian"]]);
    for (const options of [{ check: true }, { dryRun: true }]) {
        const { report: looked, text } = await bump({}, [], options);
        expect([looked.behind, looked.written, text]).toEqual([true, false, files["Pulumi.ci.yaml"]]);
    }
    await expect(bump({}, ["debian"])).rejects.toThrow(
        '"debian" is no root of this stack whose tag can move\n  allowed: python:3.12, debian:edge, docker/dockerfile:1',
    );
});

test("the stack of the lab has the lab's roots, except for those that it pins itself", async () => {
    const { report } = await bump({ files: { "Pulumi.local.yaml": files["Pulumi.ci.yaml"] ?? "" } }, [], {
        stack: "local",
        dryRun: true,
    });
    expect(report.roots.map(({ root }) => root)).toEqual(["python:3.12"]);
});

test("a stack that has its roots from another stack's file gets none of its own", async () => {
    const channel = "config:\n  images:buildSettingsOf: ci\n";
    await expect(bump({ files: { "Pulumi.pr-1.yaml": channel } }, [], { stack: "pr-1" })).rejects.toThrow(
        /stack pr-1 has its roots .* from the file of stack ci .*next: .*bump -- --stack ci/s,
    );
});

test("a copy of another stack's file is compared, and not changed", async () => {
    const copy = `# Written by layered-images from Pulumi.preview.yaml, and written anew\n${files["Pulumi.ci.yaml"]}`;
    const changes = { files: { "Pulumi.pr-1.yaml": copy } };
    await expect(bump(changes, ["python:3.12"], { stack: "pr-1" })).rejects.toThrow(
        /next: change Pulumi\.preview\.yaml/,
    );
    const { report } = await bump(changes, ["python:3.12"], { stack: "pr-1", check: true });
    expect(report.behind).toBe(true);
});

test("a name of this repository's own namespace that no image has is an error, and gets no pin", async () => {
    const dockerfile = "FROM ghcr.io/acme/bass:latest\n";
    await expect(bump({ files: { "app.Dockerfile": dockerfile } })).rejects.toThrow(
        /ghcr\.io\/acme\/bass:latest is in the namespace/,
    );
});

test.each([
    ["2026-11-27T11:00:00Z", ", built 2026-11-27"],
    ["2026-11-26T11:00:00Z", ", built 2026-11-26, 1 day ago"],
    ["1980-01-01T00:00:00Z", ""],
    [undefined, ""],
])("an image of %s is described by %j: a constant date is no age", (created, text) => {
    expect(ageText(created, now)).toBe(text);
});
