import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "../context/checkout";
import { tree } from "../../tests/tree";
import { type Platform, hostPlatform } from "../platform";
import type { ImageDefinition, ImageDefinitions } from "./definition";
import { readHierarchy } from "./prepare";
import { warningsOf } from "./warnings";

const files = { base: "FROM python:3\n", child: "FROM ghcr.io/us/base\n" };
const image = (key: string, platforms: readonly Platform[]) => ({
    description: key,
    name: `ghcr.io/us/${key}:latest`,
    dockerfile: key,
    platforms,
});
const images: ImageDefinitions = {
    base: image("base", ["linux/amd64", "linux/arm64"]),
    child: image("child", ["linux/arm64"]),
};
const warnings = (platforms: readonly Platform[], roots: Record<string, string>) =>
    warningsOf(readHierarchy(openCheckout(tree(files)), { images }, { platforms, roots, buildArgs: {} }), []);
const roots = { "python:3": `docker.io/library/python@sha256:${"0".repeat(64)}` };

test("an image for none of the stack's platforms is said to be left out, with the setting that would build it", () => {
    expect(warnings(["linux/amd64"], roots)).toEqual([
        expect.stringMatching(/^image child is left out: .* pulumi config set platforms all$/),
    ]);
});

test("an image for this machine's platform is said to be left out where the stack or its parent is not for it", () => {
    const [platform] = (["linux/amd64", "linux/arm64"] as const).filter((candidate) => candidate !== hostPlatform());
    const definitions = {
        base: image("base", [platform ?? "linux/amd64"]),
        tools: { ...image("child", []), platforms: "host" },
    } as const;
    const hierarchy = readHierarchy(
        openCheckout(tree(files)),
        { images: definitions },
        { platforms: "all", roots, buildArgs: {} },
    );
    expect(warningsOf(hierarchy, [])).toEqual([
        expect.stringMatching(
            /^image tools is left out: it is for this machine's platform, linux\/\w+, .*platforms all, and declare/,
        ),
    ]);
});

test("a root that nobody pinned is said once, with all the images on it and the command that pins it", () => {
    expect(warnings(["linux/arm64"], {})).toEqual([
        expect.stringMatching(/^root python:3 of base is not pinned: .*roots\["python:3"\]/),
    ]);
});

test("a build argument that no ARG takes is named with image and Dockerfile", () => {
    const hierarchy = readHierarchy(
        openCheckout(tree(files)),
        { images },
        {
            platforms: "all",
            roots,
            buildArgs: { base: { VERSON: "3" } },
        },
    );
    expect(warningsOf(hierarchy, [])).toEqual([
        expect.stringMatching(
            /^build argument VERSON of image base has no effect: the stages that base builds have no ARG VERSON\./,
        ),
    ]);
});

test("a child that is pinned to a digest of an image of ours is named, with what would let it follow", () => {
    const digest = `sha256:${"0".repeat(64)}`;
    const folder = tree({ ...files, child: `FROM ghcr.io/us/base:latest@${digest}\n` });
    const hierarchy = readHierarchy(
        openCheckout(folder),
        { images },
        { platforms: ["linux/arm64"], roots, buildArgs: {} },
    );
    expect(warningsOf(hierarchy, [])).toEqual([
        "image child is pinned to a digest of image base: it is not rebuilt with it, and its smoke tests don't run in it. " +
            `To follow base, remove @${digest} from child:1`,
    ]);
});

test("nothing is said of a hierarchy that is pinned and complete", () => {
    expect(warnings(["linux/amd64", "linux/arm64"], roots)).toEqual([]);
});

describe("of an image alone", () => {
    const warn = (text: string, changes: Partial<ImageDefinition> = {}) => {
        const definitions = { app: { ...image("app", ["linux/amd64"]), ...changes } };
        const hierarchy = readHierarchy(
            openCheckout(tree({ app: text })),
            { images: definitions },
            { platforms: "all", roots: pins, buildArgs: {} },
        );
        return warningsOf(hierarchy, []);
    };
    const pins = { a: roots["python:3"], b: roots["python:3"] };
    const builder = "FROM a AS tools\nRUN true\nFROM b\nCOPY --from=tools / /\n";

    test("stages that its cache would publish are named, until images.ts says that they may be, or has no cache", () => {
        expect(warn(builder)).toEqual([
            expect.stringMatching(
                /^the registry cache of image app publishes whole stages .*\(tools\), as ghcr.io\/us\/app:cache-<arch>/,
            ),
        ]);
        expect(warn(builder, { registryCache: true })).toEqual([]);
        expect(warn(builder, { registryCache: false })).toEqual([]);
        expect(warn("FROM a AS x\nFROM x\nCOPY --from=b / /\n")).toEqual([]);
    });

    test.each([
        ["# syntax=docker/dockerfile:1\nFROM a\n", [/^root docker\/dockerfile:1 of app is not pinned/]],
        [
            "# syntax=else/frontend:1\nFROM a\n",
            [
                /^root else\/frontend:1 of app is not pinned/,
                /^app:1: else\/frontend:1 reads .* the whole build context is its input/,
                /^image app reads the whole context \(app: its frontend in line 1\)/,
            ],
        ],
        [
            "FROM Owner/a:1\n",
            [/^root Owner\/a:1 of app is not pinned/, /capital letters, Owner is the host .* Write owner\/a:1$/],
        ],
        ["FROM A.test/a:1\n", [/^root A\.test\/a:1 of app is not pinned/]],
    ])("%j is warned about", (text, expected) => {
        expect(warn(text)).toEqual(expected.map((pattern) => expect.stringMatching(pattern) as string));
    });

    test("nothing is said of the builder's own frontend", () => {
        const definitions = { app: image("app", ["linux/amd64"]) };
        const folder = tree({ app: "# syntax=docker/dockerfile:1\nFROM a\n" });
        const hierarchy = readHierarchy(
            openCheckout(folder),
            { images: definitions },
            {
                ...{ platforms: "all", roots: pins, buildArgs: {} },
                builtinFrontend: true,
            },
        );
        expect(warningsOf(hierarchy, [])).toEqual([]);
        expect(hierarchy.images[0]).toMatchObject({ meaning: "FROM a\n" });
    });

    test("a secret that a step may go without, and that images.ts does not list, is named with the line", () => {
        expect(warn("FROM a\nRUN --mount=type=secret,id=INDEX true\n")).toEqual([
            expect.stringMatching(
                /^app:2 mounts the secret INDEX, which image app does not list: .*buildSecrets\.INDEX/,
            ),
        ]);
    });
});

describe("an image that reads the whole context", () => {
    const one = { one: { ...image("one", ["linux/amd64"]), dockerfile: "one/Dockerfile" } };
    const warningsFor = (dockerfile: string, more: Readonly<Record<string, string>>) => {
        const root = tree({ "one/Dockerfile": `FROM python:3\n${dockerfile}`, ...more });
        return warningsOf(
            readHierarchy(openCheckout(root), { images: one }, { platforms: ["linux/amd64"], roots, buildArgs: {} }),
            [],
        );
    };

    test.each(["COPY . /srv/", "RUN --mount=source=./,target=/srv true"])(
        "is told what that costs, and what of it is left out: %s",
        (line) => {
            const ignore = { ".dockerignore": "one\n.dockerignore" };
            const found = warningsFor(line, {
                ...ignore,
                "data/big": "x".repeat(2_000_000),
                "src/a": "a",
                ".git/HEAD": "",
            });
            expect(found).toEqual([
                `image one reads the whole context (one/Dockerfile: ${line.split(" ")[0] ?? ""} in line 2): 2 files, 2.0 MB, most of it ` +
                    "in data (1 files, 2.0 MB), src (1 files, 1 bytes). A change to any of them rebuilds it. For files " +
                    'that the image does not need, add lines to .dockerignore: "/data", "/src", "/.git"',
                expect.stringMatching(
                    /^image one does not contain \.git, which `docker build` would copy: .* name it in a COPY/,
                ),
            ]);
        },
    );

    test("is told nothing where it names what it reads", () => {
        expect(warningsFor("COPY src /srv/", { "src/a": "a", ".git/HEAD": "" })).toEqual([]);
    });
});
