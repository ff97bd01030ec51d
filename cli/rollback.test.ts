import { readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import type { ImageReleases } from "../lib/status/releases";
import { expect, spyOn, test } from "../tests/mocha";
import { withPrograms } from "../tests/programs";
import { tree } from "../tests/tree";
import {
    type RollbackReport,
    type UnpinOptions,
    releasesText,
    rollbackText,
    runUnpin,
    wantedRelease,
} from "./rollback";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const pin = (image: string, digit: string) => ({
    ...{ image, from: "r-222222222222", release: `r-${digit.repeat(12)}`, digest: digest(digit) },
    platforms: { "linux/amd64": digest(digit) } as RollbackReport["pins"][number]["platforms"],
});
const report: RollbackReport = {
    ...{ stack: "ci", file: "/r/Pulumi.ci.yaml", written: true },
    pins: [{ ...pin("base", "1"), date: "2026-11-20T08:00:00.000Z", commit: "0123456789abcdef" }, pin("app", "3")],
    ...{ stay: ["worker"], rebuilt: [{ image: "tool", reason: "it is never pushed" }] },
    ...{ variables: ["BASE_IMAGE"], deployments: ["bot"] },
};

test("a rollback says where each image goes, what is built again, what follows, and the next step", () => {
    const text = rollbackText(report, ["npm run review"]);
    expect(text)
        .toBe(`stack ci: image base goes back from r-222222222222 to r-111111111111 (2026-11-20 08:00, commit 0123456789)

  base    pinned to r-111111111111 (2026-11-20 08:00, commit 0123456789): nothing is built, its tags move
  app     pinned to r-333333333333, which was built on that
  worker  stays as it is
  tool    is BUILT AGAIN on that: it is never pushed

variables BASE_IMAGE and deployments bot follow

wrote /r/Pulumi.ci.yaml
next:
  npm run review
`);
});

test("a dry run says that it wrote nothing, and no next step", () => {
    const text = rollbackText({ ...report, written: false }, ["npm run review"]);
    expect(text).toContain("wrote nothing; without --dry-run it writes /r/Pulumi.ci.yaml");
    expect(text).not.toContain("npm run review");
});

test("releases are a table for each image, with what is gone or not known", () => {
    const users = { tags: ["ghcr.io/us/base:latest"], children: ["app"], variables: ["BASE_IMAGE"], deployments: [] };
    const nobody = { tags: [], children: [], variables: [], deployments: [] };
    const one = { release: "r-111111111111", digest: digest("1"), current: true, pinned: true, present: true, users };
    const text = releasesText({
        stack: "ci",
        images: [
            {
                ...{ image: "base", repository: "ghcr.io/us/base" },
                releases: [
                    { ...one, date: "2026-11-20T08:00:00.000Z", commit: "0123456789abcdef" },
                    { ...one, digest: digest("2"), current: false, pinned: false, present: false, users: nobody },
                ],
            },
        ],
    });
    expect(text.split("\n").slice(2)).toEqual([
        "base  ghcr.io/us/base",
        "  release         promoted           commit      digest                         used by",
        "  r-111111111111  2026-11-20 08:00Z  0123456789  111111111111  current, pinned  tags: latest; children: app; variables: BASE_IMAGE",
        "  r-111111111111  not recorded                   222222222222  GONE",
        "",
    ]);
});

describe("the release to go back to", () => {
    const base: ImageReleases = {
        ...{ image: "base", repository: "registry.test/us/base", parents: [], platforms: ["linux/amd64"] },
        current: digest("1"),
        releases: [
            { release: "r-aaaa11111111", digest: digest("1"), date: "2026-11-26T08:00:00.000Z" },
            {
                release: "r-aaaa22222222",
                digest: digest("2"),
                date: "2026-11-20T08:00:00.000Z",
                commit: "0123456789abcdef",
            },
            { release: "r-bbbb33333333", digest: digest("3") },
        ],
    };
    const wanted = (to: string | undefined, from = base.current) => {
        withPrograms({
            buildx: `case "$4" in *r-cccc*) echo "ERROR: $4: not found" >&2;; *) echo "ERROR: no such host" >&2;; esac; exit 1`,
        });
        return wantedRelease(base, from, { stack: "ci", ...(to !== undefined && { to }) }, process.env);
    };

    test.each<[string, string | undefined, string]>([
        ["is the one before, where none is named", undefined, "2"],
        ["is named by the beginning of its tag", "r-bbbb", "3"],
        ["is named by the beginning of its digest", "sha256:222222", "2"],
        ["is the last until the end of a day", "2026-11-20", "2"],
        ["is the last until a time", "2026-11-26T07:59:59Z", "2"],
    ])("%s", async (_how, to, found) => {
        expect((await wanted(to)).digest).toBe(digest(found));
    });

    test.each<[string, string | undefined, RegExp]>([
        [
            "a text that is none",
            "latest",
            /^--to latest names no release\n +allowed: r-<hex>, [^]*next: .*releases -- base --stack ci$/,
        ],
        [
            "a beginning of several",
            "r-aaaa",
            /^--to r-aaaa names several releases of image base\n +allowed: r-aaaa11111111 \(2026-11-26 08:00\), r-aaaa22222222 \(.*, commit 0123456789\)\n +next: write more of it$/,
        ],
        [
            "a beginning of none",
            "r-dddd",
            /^no recorded release of image base begins with r-dddd\n +allowed: r-aaaa11111111 [^]*next: choose one of them, .*releases -- base --stack ci$/,
        ],
        [
            "a day before all",
            "2026-11-19",
            /^no recorded release of image base was promoted until 2026-11-19T23:59:59\.999Z\n +allowed: r-aaaa1/,
        ],
        [
            "a whole tag that the registry does not have",
            "r-cccc44444444",
            /^image base can't go back to r-cccc44444444: the registry has no registry\.test\/us\/base:r-cccc44444444\n +next: choose another release: .*releases -- base --stack ci$/,
        ],
        [
            "a whole digest, and the registry does not answer",
            digest("9"),
            /^whether the registry has sha256:9+ of image base can't be found out: [^]*next: give this machine access/,
        ],
    ])("is not %s", async (_what, to, message) => {
        await expect(wanted(to)).rejects.toThrow(message);
    });

    test.each([
        ["the oldest", digest("3")],
        ["one that is not recorded", digest("8")],
    ])("has to be named where the image is at %s", async (_which, from) => {
        await expect(wanted(undefined, from)).rejects.toThrow(
            /^stack ci records no release of image base before \w{12}\n +allowed: r-aaaa1[^]*next: .*rollback -- base --to <release> --stack ci$/,
        );
    });
});

describe("unpin", () => {
    const image = (key: string, dockerfile = key) =>
        `${key}: { description: "", name: "ghcr.io/us/${key}:latest", dockerfile: "${dockerfile}.Dockerfile", platforms: ["linux/amd64"] }`;
    const pinOf = (key: string, digit: string) => `
    ${key}:
      release: r-${digit.repeat(12)}
      digest: ${digest(digit)}
      platforms:
        linux/amd64: ${digest(digit)}`;
    const rest = "config:\n  images:platforms: host # stays\n";
    const files = {
        "Pulumi.yaml": "name: images\nruntime: nodejs\n",
        "Pulumi.ci.yaml": `${rest}  images:pins:${pinOf("base", "1")}${pinOf("app", "2")}${pinOf("tool", "3")}\n`,
        "images.ts": `export const images = { ${image("base")}, ${image("app")}, ${image("tool")} };\n`,
        "base.Dockerfile": "FROM scratch\n",
        "app.Dockerfile": "FROM ghcr.io/us/base:latest\n",
        "tool.Dockerfile": "FROM scratch\n",
    };

    /** Runs it; returns what it printed, and the images that are still pinned. */
    function unpin(
        names: readonly string[],
        options: UnpinOptions = {},
        changes: Readonly<Record<string, string>> = {},
    ) {
        const root = tree({ ...files, ...changes });
        spyOn(process, "cwd").mockReturnValue(root);
        const said = spyOn(process.stdout, "write").mockReturnValue(true);
        const text = () => readFileSync(path.join(root, "Pulumi.ci.yaml"), "utf8");
        try {
            expect(runUnpin(names, { stack: "ci", ...options })).toBe(0);
            const pinned = [...text().matchAll(/^ {4}(\w+):$/gm)].map(([, key]) => key);
            return { pinned, text: text(), said: said.mock.calls.flat().join("") };
        } finally {
            said.mockRestore();
            expect(text().startsWith(rest)).toBe(true);
        }
    }

    test.each<[string, string[], UnpinOptions, string[]]>([
        ["an image with those below it", ["base"], {}, ["tool"]],
        ["an image alone", ["base"], { only: true }, ["app", "tool"]],
        ["several", ["app", "tool"], {}, ["base"]],
        ["all", [], { all: true }, []],
        ["nothing in a dry run", [], { all: true, dryRun: true }, ["base", "app", "tool"]],
    ])("removes the pins of %s", (_what, names, options, left) => {
        expect(unpin(names, options).pinned).toEqual(left);
    });

    test("says which pins are gone and the next steps, and leaves no empty setting", () => {
        const { said, text } = unpin([], { all: true });
        expect(text).toBe(rest);
        expect(said).toMatch(
            /^image base is no longer pinned to r-1{12}\n[^]*wrote .*Pulumi\.ci\.yaml\nnext:\n +.*review -- --stack ci/,
        );
        expect(JSON.parse(unpin(["tool"], { json: true, dryRun: true }).said)).toMatchObject({
            ...{ stack: "ci", written: false, unpinned: [{ image: "tool", release: "r-333333333333" }] },
        });
    });

    test("with --all and no pin there is nothing to do", () => {
        expect(unpin([], { all: true }, { "Pulumi.ci.yaml": rest })).toEqual({
            ...{ pinned: [], text: rest, said: "nothing is pinned\nwrote nothing\n" },
        });
    });

    test.each<[string, string[], Readonly<Record<string, string>>, RegExp]>([
        ["no image", [], {}, /Pulumi\.ci\.yaml: unpin needs an image, or --all\n +allowed: base, app, tool, --all$/],
        [
            "an image that is not pinned",
            ["base", "nope"],
            {},
            /Pulumi\.ci\.yaml: image "nope" is not pinned\n +allowed: base, app, tool, --all$/,
        ],
        [
            "an image where nothing is pinned",
            ["base"],
            { "Pulumi.ci.yaml": rest },
            /image "base" is not pinned\n +allowed: none$/,
        ],
        [
            "pins that the program refuses",
            ["base"],
            { "Pulumi.ci.yaml": `${rest}  images:pins: { base: { release: latest } }\n` },
            /Pulumi\.ci\.yaml: pins \(at base\.release\): not the tag of a release[^]*next: correct it: /,
        ],
    ])("refuses %s, and writes nothing", (_what, names, changes, message) => {
        expect(() => unpin(names, {}, changes)).toThrow(message);
    });

    test("refuses to change a copy of another stack's file", () => {
        const copy = `# Written by layered-images from Pulumi.preview.yaml, and written anew\n${files["Pulumi.ci.yaml"]}`;
        expect(() => unpin(["base"], { stack: "pr-1" }, { "Pulumi.pr-1.yaml": copy })).toThrow(
            /is a copy of Pulumi\.preview\.yaml/,
        );
    });

    test("refuses a stack without a file", () => {
        expect(() => unpin(["base"], { stack: "nope" })).toThrow(/next: pulumi stack init nope/);
    });
});
