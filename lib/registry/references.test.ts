import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import {
    byImage,
    digestOf,
    formatReference,
    isDigest,
    isPinned,
    namespaceOf,
    parseReference,
    pushedRepository,
    referenceProblem,
    repositoryOf,
    sameImage,
    sameRepository,
    shortDigest,
    withDigest,
} from "./references";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("parseReference", () => {
    test.each([
        ["python", "docker.io/library/python:latest"],
        ["python:3.12-slim", "docker.io/library/python:3.12-slim"],
        ["index.docker.io/library/python", "docker.io/library/python:latest"],
        ["owner/image", "docker.io/owner/image:latest"],
        ["ghcr.io/cs24-1/bot:v1", "ghcr.io/cs24-1/bot:v1"],
        ["localhost/image", "localhost/image:latest"],
        ["registry.localhost:5443/a/b/c", "registry.localhost:5443/a/b/c:latest"],
        ["[::1]:5000/a", "[::1]:5000/a:latest"],
        ["GHCR.IO/owner/image", "GHCR.IO/owner/image:latest"],
        ["Owner/image", "Owner/image:latest"],
        [`python@${digest}`, `docker.io/library/python@${digest}`],
        [`python:3@${digest}`, `docker.io/library/python:3@${digest}`],
    ])("completes %s to %s", (text, full) => {
        expect(formatReference(parseReference(text))).toBe(full);
    });

    test.each([
        "",
        ":latest",
        "Python",
        "a//b",
        "a/",
        "ghcr.io/A/b",
        "a:",
        "a:b:c",
        "a@sha256:12",
        "a b",
        "-a",
        "a:-x",
        "${V}",
    ])("refuses %j and says how a reference is written", (text) => {
        expect(() => parseReference(text)).toThrow(`"${text}" is not an image reference`);
        expect(() => parseReference(text)).toThrow("next: write [registry/]repository[:tag][@digest]");
    });
});

test.each([
    ["Python:3.12", "python:3.12"],
    ["library/Python", "library/python"],
    ["ghcr.io/Owner/X:Tag", "ghcr.io/owner/x:Tag"],
    ["GHCR.IO/Owner/x", "GHCR.IO/owner/x"],
    [`Owner/Image@${digest}`, `Owner/image@${digest}`],
])("%s is told in lower case", (text, lower) => {
    expect(referenceProblem(text)).toBe(
        `"${text}" is not an image reference: a repository must be in lower case: write ${lower}`,
    );
});

test("values are found by any spelling of a reference, as by comparing with each", () => {
    const spelling = fc.constantFrom(
        ...[
            "python",
            "docker.io/library/python:latest",
            "index.docker.io/python",
            "python:3",
            "ghcr.io/us/a",
            "GHCR.IO/us/a",
        ],
        `ghcr.io/us/a@sha256:${"0".repeat(64)}`,
    );
    fc.assert(
        fc.property(fc.array(spelling), spelling, (names, reference) => {
            const index = names.findIndex((name) => sameImage(name, reference));
            const find = byImage(names.map((name, position) => [name, position]));
            expect(find(reference)).toBe(index < 0 ? undefined : index);
        }),
    );
    expect(() => byImage([["python", 1]])("Not A Reference")).toThrow("is not an image reference");
});

test("a host is the same in capitals", () => {
    expect(sameImage("GHCR.IO/us/a", "ghcr.io/us/a:latest")).toBe(true);
    expect(sameRepository("GHCR.IO/us/a:1", `ghcr.io/us/a@${digest}`)).toBe(true);
    expect(sameRepository("ghcr.io/us/a", "ghcr.io/us/b")).toBe(false);
    expect(namespaceOf("GHCR.IO/us/a")).toBe("ghcr.io/us");
});

const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const reference = fc
    .record({
        registry: fc.constantFrom("ghcr.io", "docker.io", "registry.localhost:5443"),
        repository: fc.array(part, { minLength: 2, maxLength: 4 }).map((parts) => parts.join("/")),
        tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}$/), { nil: undefined }),
        digest: fc.option(fc.constant(digest), { nil: undefined }),
    })
    .filter(({ tag, digest: pinned }) => tag !== undefined || pinned !== undefined);

test("a formatted reference reads back as itself", () => {
    fc.assert(
        fc.property(reference, ({ tag, digest: pinned, ...rest }) => {
            const full = {
                ...rest,
                ...(tag !== undefined && { tag }),
                ...(pinned !== undefined && { digest: pinned }),
            };
            expect(parseReference(formatReference(full))).toEqual(full);
        }),
    );
});

test.each([
    ["python", "docker.io/library/python:latest", true],
    ["ghcr.io/o/i", "ghcr.io/o/i:latest", true],
    ["ghcr.io/o/i:1", "ghcr.io/o/i:latest", false],
    [`ghcr.io/o/i@${digest}`, "ghcr.io/o/i", false],
])("sameImage(%s, %s) is %s", (a, b, same) => {
    expect(sameImage(a, b)).toBe(same);
});

test.each([
    [undefined, "ghcr.io/cs24-1/bot"],
    ["ghcr.io", "ghcr.io/cs24-1/bot"],
    ["registry.localhost:5443", "registry.localhost:5443/cs24-1/bot"],
    ["registry.example/mirror/", "registry.example/mirror/cs24-1/bot"],
])("with registry %s an image is pushed to %s", (registry, repository) => {
    expect(pushedRepository("ghcr.io/cs24-1/bot:latest", registry)).toBe(repository);
});

test("a namespace is registry and owner, a repository has neither tag nor digest", () => {
    expect(namespaceOf("ghcr.io/cs24-1/bot:latest")).toBe("ghcr.io/cs24-1");
    expect(repositoryOf(`ghcr.io/cs24-1/bot:v1@${digest}`)).toBe("ghcr.io/cs24-1/bot");
});

describe("a digest", () => {
    test("is what stands behind a reference's @", () => {
        expect(digestOf(withDigest("r.io/us/bot", digest))).toBe(digest);
        expect(digestOf("r.io/us/bot:latest")).toBeUndefined();
    });

    test.each([
        [digest, true],
        [digest.toUpperCase(), false],
        [digest.slice(0, -1), false],
        [`${digest}0`, false],
        [`sha512:${"0".repeat(128)}`, false],
        ["", false],
    ])("as builders make them: %s is one: %s", (text, expected) => {
        expect(isDigest(text)).toBe(expected);
        expect(isPinned(withDigest("r.io/us/bot", text))).toBe(expected);
    });

    test.each(["", " ", "a b", "a@b"])("pins nothing of repository %j", (repository) => {
        expect(isPinned(withDigest(repository, digest))).toBe(false);
    });

    test("is told by its first twelve digits", () => {
        expect(shortDigest(withDigest("r.io/us/bot", digest))).toBe("0123456789ab");
        expect(shortDigest("r.io/us/bot:latest")).toBe("r.io/us/bot:latest");
    });
});
