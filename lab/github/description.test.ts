import { readFileSync } from "node:fs";
import { before } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type Description, readDescription } from "./description";
import { operations } from "./operations";
import { descriptionFile, source } from "./source";

const text = readFileSync(descriptionFile, "utf8");
const pruned = JSON.parse(text) as {
    info: Record<string, string>;
    paths: Record<string, Record<string, { operationId: string }>>;
    components: Record<string, Record<string, unknown>>;
};

let description: Description;
before(async () => {
    description = await readDescription();
});

const matched = (method: string, path: string, body?: unknown) => {
    const found = description.match({
        method,
        path,
        body,
        headers: body === undefined ? {} : { "content-type": "application/json" },
    });
    if (!found) throw new Error(`${method} ${path} is not in the description`);
    return found;
};

test("the checked-in description is of the pinned version and holds just the operations of the list", () => {
    // If the file is stale: npx ts-node --transpile-only lab/github/prune.ts
    const { package: title, version, integrity } = source;
    expect(pruned.info).toEqual({ title, version, "x-integrity": integrity });
    const ids = Object.values(pruned.paths).flatMap((item) => Object.values(item).map((one) => one.operationId));
    expect(ids.sort()).toEqual(Object.keys(operations).sort());
});

test("the checked-in description holds what it refers to, and nothing else", () => {
    const used = new Set(
        [...text.matchAll(/"\$ref": "#\/components\/(\w+)\/([^"]+)"/g)].map(
            ([, kind, name]) => `${kind ?? ""}/${name ?? ""}`,
        ),
    );
    const held = Object.entries(pruned.components).flatMap(([kind, all]) =>
        Object.keys(all).map((name) => `${kind}/${name}`),
    );
    expect(held.sort()).toEqual([...used].sort());
});

test.each([
    ["/repos/o/r/contents/.github/workflows/a.yml", "path", ".github/workflows/a.yml"],
    ["/repos/o/r/contents/.github%2Fworkflows%2Fa%20b.yml", "path", ".github/workflows/a b.yml"],
    ["/repos/o/r/branches/topic/one", "branch", "topic/one"],
    ["/repos/o/r/branches/topic%2Fone", "branch", "topic/one"],
    ["/repos/o/r/git/ref/heads/topic/one", "ref", "heads/topic/one"],
])("slashes in the last parameter of %s belong to it", (path, name, value) => {
    expect(matched("GET", path).params).toMatchObject({ owner: "o", repo: "r", [name]: value });
});

test("what is outside the list is not matched", () => {
    expect(description.match({ method: "GET", path: "/repos/o/r/releases", headers: {} })).toBeUndefined();
    expect(description.match({ method: "DELETE", path: "/repos/o/r", headers: {} })).toBeUndefined();
});

test.each([
    ["a missing property", "PUT", "/repos/o/r/contents/a", { content: "" }, /message/],
    [
        "a property of another type",
        "POST",
        "/repos/o/r/actions/variables",
        { name: "A", value: 1 },
        /\/value must be string/,
    ],
    [
        "a value outside its pattern",
        "PUT",
        "/repos/o/r/actions/secrets/A",
        { encrypted_value: "*", key_id: "1" },
        /encrypted_value/,
    ],
    ["a number that is none", "GET", "/repos/o/r/issues/first", undefined, /issue_number/],
] as const)("a request with %s is refused", (_, method, path, body, message) => {
    expect(() => {
        description.checkRequest(matched(method, path, body));
    }).toThrow(message);
});

test("an answer that is not as described is found", () => {
    const one = matched("GET", "/repos/o/r/actions/variables/A");
    const variable = { name: "A", value: "b", created_at: "2026-01-02T03:04:05Z", updated_at: "2026-01-02T03:04:05Z" };
    expect(description.answerProblem(one, 200, variable)).toBeUndefined();
    expect(description.answerProblem(one, 200, { ...variable, value: 1 })).toMatch(/must be string/);
    expect(description.answerProblem(one, 200, { ...variable, created_at: "yesterday" })).toMatch(/date-time/);
    expect(description.answerProblem(one, 200, { name: "A" })).toMatch(/required/);
    expect(description.answerProblem(one, 200, undefined)).toBe("a body is described");
    expect(description.answerProblem(one, 202, {})).toBe("status 202 is not described");
});

test("an address that is none is found", () => {
    const one = matched("GET", "/repos/o/r/git/ref/heads/main");
    const ref = (url: string) => ({
        ref: "refs/heads/main",
        node_id: "x",
        url,
        object: { type: "commit", sha: "0".repeat(40), url },
    });
    expect(description.answerProblem(one, 200, ref("http://127.0.0.1/x"))).toBeUndefined();
    expect(description.answerProblem(one, 200, ref("/x"))).toMatch(/uri/);
});
