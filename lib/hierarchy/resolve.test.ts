import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { readDockerfile } from "../dockerfile/read";
import { type ImageDefinition, type ImageDefinitions, declaredPlatforms } from "./definition";
import { resolveHierarchy } from "./resolve";

const digest = `sha256:${"0".repeat(64)}`;

/** Images by key, each with its Dockerfile's text and the differences from an ordinary definition. */
function resolve(images: Readonly<Record<string, readonly [string, Partial<ImageDefinition>?]>>) {
    const definitions: ImageDefinitions = Object.fromEntries(
        Object.entries(images).map(([key, [, changes]]) => [
            key,
            {
                description: key,
                name: `ghcr.io/us/${key.toLowerCase().replace(" ", "-")}:latest`,
                dockerfile: `docker/${key}`,
                platforms: ["linux/amd64"],
                ...changes,
            } as const,
        ]),
    );
    const readings = Object.fromEntries(
        Object.entries(images).map(([key, [text]]) => [
            key,
            readDockerfile(text, {
                path: `docker/${key}`,
                platforms: declaredPlatforms(definitions[key] ?? { description: "", dockerfile: "", platforms: [] }),
            }),
        ]),
    );
    return resolveHierarchy({ images: definitions, readings, isRoot: (name) => name === "ghcr.io/us/shared:1" });
}
const order = (...args: Parameters<typeof resolve>) => resolve(...args).map(({ key }) => key);

test("parents come first, in the order of declaration otherwise", () => {
    const images = {
        leaf: ["FROM ghcr.io/us/middle"],
        other: ["FROM python:3"],
        middle: ["FROM ghcr.io/us/base:latest"],
        base: ["FROM python:3"],
    } as const;
    expect(order(images)).toEqual(["other", "base", "middle", "leaf"]);
});

test("parents and roots are told apart, in every spelling of a name", () => {
    const [, child] = resolve({
        base: ["FROM python:3"],
        child: [`FROM debian AS d\nFROM ghcr.io/us/base\nCOPY --from=d / /\nCOPY --from=busybox:1 / /`],
    });
    expect(child?.parents).toMatchObject([{ key: "base", expanded: "ghcr.io/us/base" }]);
    expect(child?.roots).toEqual(["debian", "busybox:1"]);
});

test("a reference in our own namespace that is known to be a root is one", () => {
    const [base] = resolve({ base: ["FROM ghcr.io/us/shared:1"] });
    expect(base).toMatchObject({ parents: [], roots: ["ghcr.io/us/shared:1"] });
});

test("a key that ends like the name of a smoke test is refused", () => {
    expect(() => resolve({ "bot-test": ["FROM scratch"] })).toThrow(/image bot-test: a key can't end in "-test"/);
});

test("a smoke test or registry cache of an image that is never pushed is refused: it would pass unheard", () => {
    const unnamed = (changes: object) => () =>
        resolve({ dev: ["FROM scratch", { name: undefined, ...changes } as object] });
    expect(unnamed({ smokeTest: "dev.sh" })).toThrow(
        /image dev has no name, .*its smokeTest dev\.sh is never run: .*the last step of its Dockerfile/,
    );
    expect(unnamed({ registryCache: true })).toThrow(
        /image dev has no name, so it has no repository for a registryCache/,
    );
    expect(unnamed({ registryCache: false })).not.toThrow();
    expect(unnamed({ tags: ["v-{commit}"] })).toThrow(/image dev has no name, so it is never pushed and gets no tags/);
});

test.each<[string, string[], string | undefined]>([
    ["a commit", ["{commit}"], undefined],
    ["a commit and a date", ["v-{date}-{commit}.1"], undefined],
    ["none", [], undefined],
    ["one without a placeholder, which moves", ["stable"], undefined],
    ["a release and a build argument", ["{ARG:VERSION}-{release}"], undefined],
    ["the tag of its name", ["latest"], 'its tag "latest" is the tag of its name ghcr.io/us/app:latest'],
    [
        "an unknown placeholder",
        ["{date}-{branch}"],
        '"{date}-{branch}" has {branch}: a tag can have {commit}, {date}, {release}, {ARG:<build argument>}',
    ],
    ["a text that is no tag", ["a/{date}"], '"a/{date}" gives a/2026-01-31, which is no tag'],
    ["a brace that is left open", ["{commit}{"], "which is no tag"],
    ["a dash first", ["-{date}"], "which is no tag"],
    ["one that is too long", [`${"x".repeat(111)}{commit}`], "up to 128 letters"],
    ["the longest", [`${"x".repeat(110)}{commit}`], undefined],
    ["one that looks like a build's", ["b-{commit}"], "begins like the tags of builds, releases and caches"],
    ["one twice", ["{date}", "{date}"], "image app lists a tag twice: {date}"],
])("tags of releases: %s", (_name, tags, problem) => {
    const resolved = () => resolve({ app: ["FROM scratch", { tags }] });
    if (problem === undefined) expect(resolved).not.toThrow();
    else expect(resolved).toThrow(problem);
});

test.each<[string, string[], string | undefined]>([
    ["another registry", ["quay.io/us/app:latest", "docker.io/us/app"], undefined],
    ["no reference", ["quay.io/US/app"], "a repository must be in lower case: write quay.io/us/app"],
    ["a digest", [`quay.io/us/app@${digest}`], "has a digest: write the tag to promote"],
    ["the repository of its name", ["ghcr.io/us/app:stable"], "repeats a repository: write the tag in `tags`"],
    ["one repository twice", ["quay.io/us/app:1", "quay.io/us/app:2"], "repeats a repository"],
])("additional names: %s", (_name, additionalNames, problem) => {
    const resolved = () => resolve({ app: ["FROM scratch", { additionalNames }] });
    if (problem === undefined) expect(resolved).not.toThrow();
    else expect(resolved).toThrow(problem);
});

test("a Dockerfile may write any name of its parent", () => {
    const [, child] = resolve({
        base: ["FROM python:3", { additionalNames: ["docker.io/us/base:stable"] }],
        child: ["FROM us/base:stable"],
    });
    expect(child).toMatchObject({ parents: [{ key: "base", expanded: "us/base:stable" }], roots: [] });
});

test("capitals in a host change nothing: the parent is found, under the name that BuildKit sees", () => {
    const [, child] = resolve({ base: ["FROM python:3"], child: ["FROM GHCR.IO/us/base"] });
    expect(child).toMatchObject({ parents: [{ key: "base", expanded: "GHCR.IO/us/base" }], roots: [] });
});

describe("images of one repository", () => {
    const named = (tag: string, changes: Partial<ImageDefinition> = {}) => ({
        name: `ghcr.io/us/py:${tag}`,
        ...changes,
    });

    test("differ by their tags, also from those of each other's releases", () => {
        const images = {
            old: ["FROM x", named("3.11", { tags: ["3.11-{date}", "{commit}"] })],
            new: ["FROM x", named("3.12", { tags: ["3.12-{date}", "{commit}.1"] })],
            date: ["FROM x", named("2026-01-31")],
        } as const;
        expect(order(images)).toEqual(["old", "new", "date"]);
    });

    test("are told apart as parents, and a reference to none of them is refused with their names", () => {
        const images = {
            old: ["FROM x", named("3.11")],
            new: ["FROM x", named("3.12")],
            app: ["FROM ghcr.io/us/py:3.12"],
        } as const;
        expect(resolve(images)[2]?.parents).toMatchObject([{ key: "new" }]);
        expect(() => resolve({ ...images, app: ["FROM ghcr.io/us/py"] })).toThrow(
            /docker\/app:1: ghcr.io\/us\/py is in the namespace .*allowed: ghcr.io\/us\/py:3.11, ghcr.io\/us\/py:3.12/,
        );
    });

    test.each([
        ["the one of the tag", `ghcr.io/us/py:3.12@${digest}`, ["new"]],
        ["any of them without a tag", `ghcr.io/us/py@${digest}`, ["old", "new"]],
        ["any of them with the tag of a release", `ghcr.io/us/py:2026-01-31@${digest}`, ["old", "new"]],
    ])("are what a digest is a release of: %s", (_name, reference, keys) => {
        const images = { old: ["FROM x", named("3.11")], new: ["FROM x", named("3.12")], app: [`FROM ${reference}`] };
        expect(resolve(images as never)[2]?.pinned).toEqual([{ keys, expanded: reference, where: "docker/app:1" }]);
    });

    test("may be built on an earlier release of one of them, which is then not told to be out of date", () => {
        const images = { old: ["FROM x", named("3.11")], new: [`FROM ghcr.io/us/py@${digest}`, named("3.12")] };
        expect(resolve(images as never)[1]).toMatchObject({ parents: [], pinned: [] });
    });
});

describe("a digest makes a root of an image of ours", () => {
    test.each([
        ["beside its tag", `ghcr.io/us/base:latest@${digest}`],
        ["beside another tag", `ghcr.io/us/base:1.2@${digest}`],
        ["without a tag", `ghcr.io/us/base@${digest}`],
        ["with capitals in its host", `GHCR.IO/us/base@${digest}`],
    ])("%s", (_name, reference) => {
        const [child, base] = resolve({ child: [`# hello\nFROM ${reference}`], base: ["FROM python:3"] });
        expect(child).toMatchObject({
            key: "child",
            parents: [],
            roots: [reference],
            pinned: [{ keys: ["base"], expanded: reference, where: "docker/child:2" }],
        });
        expect(base?.pinned).toEqual([]);
    });

    test("also where it would close a circle, and of the image itself: that release was built before", () => {
        const images = { a: [`FROM ghcr.io/us/b@${digest}`], b: ["FROM ghcr.io/us/a"] } as const;
        expect(order(images)).toEqual(["a", "b"]);
        const [itself] = resolve({ a: [`FROM ghcr.io/us/a:latest@${digest}`] });
        expect(itself).toMatchObject({ parents: [], roots: [`ghcr.io/us/a:latest@${digest}`], pinned: [] });
    });

    test("and of one in our namespace that no entry has", () => {
        const [a] = resolve({ a: [`FROM ghcr.io/us/gone@${digest}`] });
        expect(a).toMatchObject({ roots: [`ghcr.io/us/gone@${digest}`], pinned: [] });
    });

    test("while what it is copied from by its tag stays a parent", () => {
        const text = `FROM ghcr.io/us/base@${digest}\nCOPY --from=ghcr.io/us/base / /`;
        const prepared = resolve({ base: ["FROM python:3"], child: [text] });
        expect(prepared[1]).toMatchObject({ parents: [{ key: "base", base: false }], pinned: [{ keys: ["base"] }] });
    });
});

describe("what reads a Dockerfile", () => {
    test("is neither parent nor root that anything is built on", () => {
        const [a] = resolve({ a: ["# syntax=docker/dockerfile:1\nFROM python:3"] });
        expect(a).toMatchObject({ frontend: "docker/dockerfile:1", parents: [], roots: ["python:3"] });
    });

    test("may be in our own namespace where it is pinned, in the Dockerfile or the stack", () => {
        const text = (reference: string) => ({ a: ["FROM x"], b: [`# syntax=${reference}\nFROM x`] }) as const;
        for (const reference of ["ghcr.io/us/a", "ghcr.io/us/frontend:1"]) {
            expect(() => resolve(text(reference))).toThrow(
                /docker\/b:1: the frontend ghcr\.io\/us\/\w+\S* is in the namespace of this repository's images.*Pin a release/,
            );
        }
        expect(order(text(`ghcr.io/us/a@${digest}`))).toEqual(["a", "b"]);
        expect(order(text("ghcr.io/us/shared:1"))).toEqual(["a", "b"]);
    });
});

test("the image that another is built FROM is its first parent", () => {
    const prepared = resolve({
        tools: ["FROM python:3"],
        base: ["FROM python:3"],
        child: ["FROM ghcr.io/us/tools AS t\nFROM ghcr.io/us/base\nCOPY --from=t / /"],
    });
    expect(prepared.at(-1)?.parents.map(({ key }) => key)).toEqual(["base", "tools"]);
});

describe("bad hierarchies are refused", () => {
    test.each<[string, Parameters<typeof resolve>[0], string | RegExp]>([
        [
            "an undeclared name in our namespace, listing the known",
            { base: ["FROM ghcr.io/us/bse:latest"] },
            /docker\/base:1: ghcr.io\/us\/bse:latest is in the namespace of this repository's images[\s\S]*allowed: ghcr.io\/us\/base:latest.*roots\["ghcr.io\/us\/bse:latest"\]/,
        ],
        [
            "a cycle, shown as a path",
            { a: ["FROM ghcr.io/us/c"], b: ["FROM ghcr.io/us/a"], c: ["FROM ghcr.io/us/b"] },
            "a → c → b → a",
        ],
        ["an image on itself", { a: ["FROM ghcr.io/us/a:latest"] }, "docker/a:1: image a is its own parent"],
        [
            "a name that is the tag of a registry cache",
            { a: ["FROM x", { name: "ghcr.io/us/a:cache-amd64" }] },
            "image a: the tag of its name ghcr.io/us/a:cache-amd64 is reserved for registry caches and builds",
        ],
        [
            "a platform that the parent lacks",
            { a: ["FROM x"], b: ["FROM ghcr.io/us/a", { platforms: ["linux/arm64"] }] },
            "image b needs its parent a for linux/arm64, but a is only built for linux/amd64. Change `platforms`",
        ],
        [
            "two platforms of a parent in one build",
            {
                a: ["FROM x", { platforms: ["linux/amd64", "linux/arm64"] }],
                b: ["FROM --platform=linux/arm64 ghcr.io/us/a:latest AS t\nFROM ghcr.io/us/a\nCOPY --from=t / /"],
            },
            /image b names its parent a for linux\/arm64 and linux\/amd64 in one build.*Remove --platform/,
        ],
        [
            "a platform that a FROM asks for and the parent lacks",
            { a: ["FROM x"], b: ["FROM --platform=linux/arm64 ghcr.io/us/a"] },
            "image b needs its parent a for linux/arm64, but a is only built for linux/amd64",
        ],
        [
            "a parent for whatever machine builds it",
            {
                a: ["FROM x", { platforms: "host" }],
                b: ["FROM ghcr.io/us/a", { platforms: ["linux/riscv64"] }],
            },
            "image b needs its parent a for linux/riscv64",
        ],
        [
            "a text that is no platform",
            { a: ["FROM x", { platforms: ["linux/AMD"] }] },
            '"linux/AMD" is not a platform',
        ],
        [
            "a mistyped architecture",
            { a: ["FROM x", { platforms: ["linux/amd46"] }] },
            /image a: "linux\/amd46" is not a platform: write one of .*linux\/amd64, /,
        ],
        [
            "one platform in two spellings",
            { a: ["FROM x", { platforms: ["linux/arm64", "linux/arm64/v8"] }] },
            "image a lists a platform twice: linux/arm64/v8",
        ],
        ["no platforms", { a: ["FROM x", { platforms: [] }] }, "image a has no platforms"],
        ["a key that can't be a resource's name", { "A b": ["FROM x"] }, '"A b" is not a key'],
        [
            "a name that is no reference",
            { a: ["FROM x", { name: "ghcr.io/Us/a" }] },
            '"ghcr.io/Us/a" is not an image reference: a repository must be in lower case: write ghcr.io/us/a',
        ],
        [
            "a name with capitals in its host",
            { a: ["FROM x", { name: "GHCR.IO/us/a" }] },
            "image a: its name GHCR.IO/us/a has capital letters in its host: write ghcr.io/us/a",
        ],
        [
            "an owner with capitals, which is a host then",
            { a: ["FROM x", { name: "Owner/a" }] },
            "image a: its name Owner/a has capital letters in its host: write owner/a",
        ],
    ])("%s", (_name, images, message) => {
        expect(() => resolve(images)).toThrow(message);
    });

    test("independent problems are told at once", () => {
        const images = { a: ["FROM x", { platforms: [] }], B: ["FROM x"] } as const;
        expect(() => resolve(images)).toThrow(/image a has no platforms[\s\S]*"B" is not a key/);
    });
});

test("in any forest every image comes after all it is built on", () => {
    const parents = fc.array(fc.nat(), { minLength: 1, maxLength: 12 });
    fc.assert(
        fc.property(parents, (choices) => {
            const images = choices.map((choice, index): [string, [string]] => {
                const parent = choice % (index + 1);
                return [`i${String(index)}`, [parent === index ? "FROM x" : `FROM ghcr.io/us/i${String(parent)}`]];
            });
            const prepared = resolve(Object.fromEntries(images.reverse()));
            const keys = prepared.map(({ key }) => key);
            expect(keys).toHaveLength(choices.length);
            for (const { key, parents: below } of prepared) {
                for (const parent of below) expect(keys.indexOf(parent.key)).toBeLessThan(keys.indexOf(key));
            }
        }),
        { numRuns: 50 },
    );
});
