import { createHash } from "node:crypto";
import { after, before, beforeEach, describe } from "mocha";
import { Response } from "undici";
import { labToken } from "../../lab/github/defaults";
import { type TestStandIn, startTestStandIn } from "../../lab/github/testing";
import { expect, test } from "../../tests/mocha";
import type { RegistryClient } from "../registry/blobs";
import { packageRepository, packagesOf } from "./packages";

/* The real client of GitHub's API against the stand-in; the registry beside it answers for manifests only. */

const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const manifestOf = (name: string) =>
    JSON.stringify({
        config: { digest: digestOf(name), size: 10 },
        layers: [{ digest: digestOf(`${name} layer`), size: 1000 }],
    });
const manifests = new Map(
    Array.from({ length: 130 }, (_, index) => manifestOf(index.toString())).map((text) => [digestOf(text), text]),
);
const digests = [...manifests.keys()];
const [first = "", second = "", third = ""] = digests;

const client: RegistryClient = {
    request: (_repository, path) => {
        const text = manifests.get(path.replace("manifests/", ""));
        return Promise.resolve(new Response(text ?? "{}", { status: text === undefined ? 404 : 200 }));
    },
    close: () => Promise.resolve(),
};

let github: TestStandIn;
before(async () => {
    github = await startTestStandIn();
});
after(async () => {
    await github.remove();
});
const versions = (all: readonly string[], more: object = {}) => ({
    versions: all.map((digest, index) => ({
        digest,
        createdAt: "2026-09-01T10:00:00Z",
        tags: [`b-${index.toString()}`],
        ...more,
    })),
});
beforeEach(async () => {
    await github.control("PUT", "tokens/cleaner", { login: "cleaner", permissions: { packages: "write" } });
    await github.control("PUT", "packages/acme/team%2Fapp", versions(digests));
});

const open = (token = "cleaner") => packageRepository(client, "ghcr.io/acme/team/app", { ...github.target, token }, 0);
const named = new Set<string>();
const left = async () => (await open().list(named)).map(({ digest }) => digest);
const failure = async (work: Promise<unknown>) => {
    const error = await work.then(
        () => new Error("it did not fail"),
        (reason: unknown) => reason as Error,
    );
    return error.message;
};

describe("a package on GitHub", () => {
    test("is listed over all pages, with tags and dates", async () => {
        const all = await open().list(named);
        expect(all.length).toBe(130);
        expect(all[0]).toEqual({
            digest: first,
            tags: ["b-0"],
            since: Date.parse("2026-09-01T10:00:00Z"),
            children: [],
            blobs: [
                { digest: digestOf("0"), size: 10 },
                { digest: digestOf("0 layer"), size: 1000 },
            ],
            bytes: manifests.get(first)?.length,
        });
    });

    test("loses the version that is removed, and removing it again is no error", async () => {
        const repository = open();
        const [one] = await repository.list(named);
        if (!one) throw new Error("no version");
        expect([await repository.remove(one), await repository.remove(one)]).toEqual(["removed", "removed"]);
        expect(await left()).toEqual(digests.slice(1));
    });

    test("loses a version that no list has shown: it was pushed just now", async () => {
        const manifest = { digest: first, tags: [], children: [], blobs: [], bytes: 0 };
        expect(await open().remove(manifest)).toBe("removed");
        expect(await left()).toEqual(digests.slice(1));
    });

    test("keeps what GitHub never removes, with GitHub's words", async () => {
        await github.control("PUT", "packages/acme/team%2Fapp", versions([first, second], { downloads: 5001 }));
        const repository = open();
        const [popular] = await repository.list(named);
        expect(popular && (await repository.remove(popular))).toEqual({
            refused: expect.stringContaining("5000 downloads"),
        });
        await github.control("PUT", "packages/acme/team%2Fapp", versions([third]));
        const last = open();
        const [only] = await last.list(named);
        expect(only && (await last.remove(only))).toEqual({ refused: expect.stringContaining("last tagged version") });
    });

    test("names the permission that a token lacks", async () => {
        await github.control("PUT", "tokens/reader", { login: "reader", permissions: { packages: "read" } });
        const repository = open("reader");
        const [one] = await repository.list(named);
        if (!one) throw new Error("no version");
        expect(await failure(repository.remove(one))).toMatch(
            /may not remove ghcr.io\/acme\/team\/app@sha256:.*\n.*packages: write/s,
        );
        expect(await failure(open(labToken).list(named))).toMatch(
            /may not list the versions of package team\/app.*\n.*read:packages/s,
        );
        // A classic token without the scope learns only that there is nothing.
        await github.control("PUT", "tokens/classic", { login: "classic", scopes: ["read:packages"] });
        const classic = open("classic");
        const [same] = await classic.list(named);
        expect(await failure(same ? classic.remove(same) : Promise.resolve())).toMatch(/may not remove/);
        expect((await left()).length).toBe(130);
    });

    test("is not read if the registry lacks one of its manifests", async () => {
        await github.control("PUT", "packages/acme/team%2Fapp", versions([first, digestOf("lost")]));
        expect(await failure(open().list(named))).toMatch(/has no manifest for it/);
    });

    test("of a user has other paths", async () => {
        await github.control("PUT", "tokens/person", { login: "person", permissions: { packages: "write" } });
        await github.control("PUT", "packages/person/app", versions([first, second]));
        const repository = packageRepository(
            client,
            "ghcr.io/person/app",
            { ...github.target, owner: "person", token: "person" },
            0,
        );
        const [one] = await repository.list(named);
        expect(one && (await repository.remove(one))).toBe("removed");
        expect((await repository.list(named)).map(({ digest }) => digest)).toEqual([second]);
    });
});

test.each([
    ["ghcr.io", "https://api.github.com/"],
    ["containers.github.example", "https://github.example/"],
    ["registry.example:5000", undefined],
    ["docker.io", undefined],
] as const)("the packages of %s are those of %s", (registry, expected) => {
    expect(packagesOf(registry, "https://api.github.com/")).toBe(expected);
});
