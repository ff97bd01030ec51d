import { createHash } from "node:crypto";
import { describe } from "mocha";
import { Response } from "undici";
import { expect, test } from "../../tests/mocha";
import type { RegistryClient } from "./blobs";
import { parseContent, plainRepository } from "./inventory";
import type { StoredManifest } from "./retention";

const name = "registry.test/us/app";
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const blob = (text: string, size: number) => ({ digest: digestOf(text), size });
const image = (text: string, more: object = {}) =>
    JSON.stringify({ config: blob(text, 5), layers: [blob(`${text}!`, 7)], ...more });
const indexOf = (...texts: readonly string[]) =>
    JSON.stringify({ manifests: texts.map((text) => blob(text, text.length)) });

type Route = readonly [status: number, body?: string, headers?: Record<string, string>];

/** A registry that answers these requests, "METHOD path", and 404 for all others; it notes what is removed. */
function registry(routes: Readonly<Record<string, Route>>) {
    const removals: string[] = [];
    const client: RegistryClient = {
        request: (_repository, path, { method = "GET" } = {}) => {
            if (method === "DELETE") removals.push(path.replace("manifests/", ""));
            const [status, body = "", headers = {}] = routes[`${method} ${path}`] ?? [404, "{}"];
            return Promise.resolve(new Response(status === 204 ? null : body, { status, headers }));
        },
        close: () => Promise.resolve(),
    };
    return { repository: plainRepository(client, name), removals };
}

/** Routes for manifests by their digest and by tags. */
const manifests = (...all: readonly (readonly [text: string, ...tags: string[]])[]) =>
    Object.fromEntries(
        all.flatMap(([text, ...tags]) =>
            [digestOf(text), ...tags].map((one) => [`GET manifests/${one}`, [200, text] as Route]),
        ),
    );
const tagList = (...tags: readonly string[]): Route => [200, JSON.stringify({ name: "us/app", tags })];

const [amd64, arm64] = [image("amd64"), image("arm64")];
const release = indexOf(amd64, arm64);
const failure = async (work: Promise<unknown>) =>
    await work.then(
        () => "it did not fail",
        (error: unknown) => (error as Error).message,
    );

describe("a repository is listed", () => {
    test("over all pages, with what its indexes hold", async () => {
        const { repository } = registry({
            "GET tags/list?n=1000": [
                200,
                JSON.stringify({ tags: ["latest"] }),
                { link: '</v2/us/app/tags/list?last=latest&n=1000>; rel="next"' },
            ],
            "GET tags/list?last=latest&n=1000": tagList("r-0123456789ab"),
            ...manifests([release, "latest", "r-0123456789ab"], [amd64], [arm64]),
        });
        const found = await repository.list(new Set());
        expect(found.map(({ digest, tags }) => [digest, tags])).toEqual([
            [digestOf(release), ["latest", "r-0123456789ab"]],
            [digestOf(amd64), []],
            [digestOf(arm64), []],
        ]);
        expect(found[0]?.children).toEqual([digestOf(amd64), digestOf(arm64)]);
    });

    test("with what is only named elsewhere, and with what is about a manifest", async () => {
        const signature = image("signature", { subject: blob(amd64, amd64.length) });
        const { repository } = registry({
            "GET tags/list?n=1000": tagList(),
            [`GET referrers/${digestOf(amd64)}`]: [200, indexOf(signature)],
            [`GET referrers/${digestOf(signature)}`]: [200, indexOf()],
            ...manifests([amd64], [signature]),
        });
        const found = await repository.list(new Set([digestOf(amd64), digestOf("elsewhere")]));
        expect(found.map(({ digest, subject }) => [digest, subject])).toEqual([
            [digestOf(amd64), undefined],
            [digestOf(signature), digestOf(amd64)],
        ]);
    });

    const tagged = (route: Route) => ({ "GET tags/list?n=1000": tagList("latest"), "GET manifests/latest": route });
    test.each([
        ["a tag without a manifest", tagged([404]), /lists the tag registry.test\/us\/app:latest, and has no manifest/],
        [
            "a format that is not known",
            tagged([200, '{"schemaVersion": 1, "fsLayers": []}']),
            /us\/app:latest is no manifest that is known/,
        ],
        ["a manifest that is cut", tagged([200, release.slice(0, 40)]), /is no manifest that is known/],
        ["an error of the registry", tagged([503]), /answered 503/],
        ["tags that can't be read", { "GET tags/list?n=1000": [500] as Route }, /answered 500 for the tags/],
    ])("or not at all: %s", async (_, routes, message) => {
        expect(await failure(registry(routes).repository.list(new Set()))).toMatch(message);
    });

    test("as empty if there is no such repository", async () => {
        expect(await registry({}).repository.list(new Set())).toEqual([]);
    });
});

describe("a manifest is removed", () => {
    const stored = (tags: readonly string[]): StoredManifest => ({ ...parseContent(Buffer.from(amd64)), tags });
    const byDigest = `DELETE manifests/${digestOf(amd64)}`;

    test.each([202, 204, 404])("by its digest (%s)", async (status) => {
        const { repository, removals } = registry({ [byDigest]: [status] });
        expect([await repository.remove(stored(["b-0123456789ab-amd64"])), removals]).toEqual([
            "removed",
            [digestOf(amd64)],
        ]);
    });

    test("by its tags where the registry takes no digest, and only if they still name it", async () => {
        const routes = {
            [byDigest]: [405] as Route,
            "DELETE manifests/one": [202] as Route,
            "DELETE manifests/two": [202] as Route,
        };
        const { repository, removals } = registry({ ...routes, ...manifests([amd64, "one"], [arm64, "two"]) });
        expect([await repository.remove(stored(["one", "two"])), removals]).toEqual([
            "removed",
            [digestOf(amd64), "one"],
        ]);
        expect(await registry(routes).repository.remove(stored([]))).toEqual({
            refused: expect.stringContaining("removes tags only"),
        });
    });

    test.each([
        [
            "removal is off",
            { [byDigest]: [405], "DELETE manifests/one": [405] },
            /does not allow to remove images \(405\)\n.*next: allow it/s,
        ],
        ["the login may not", { [byDigest]: [403] }, /may not remove images \(403\)\n.*docker login registry.test/s],
        ["the registry fails", { [byDigest]: [500] }, /answered 500/],
    ] as const)("or an error says why not: %s", async (_, routes, message) => {
        const all = { ...manifests([amd64, "one"]), ...routes };
        expect(await failure(registry(all).repository.remove(stored(["one"])))).toMatch(message);
    });
});
