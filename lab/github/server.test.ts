import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import path from "node:path";
import { afterEach, beforeEach } from "mocha";
import { expect, test } from "../../tests/mocha";
import { pushFiles } from "./control";
import type { PullRequest, State } from "./state";
import { base64, openPullRequests, startTestStandIn, type TestStandIn } from "./testing";
import { timestamp } from "./time";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

const file = { message: "Add it", content: base64("text") };
/** Every stand-in has another port, and answers are full of its addresses. */
const withoutPorts = (answer: unknown) =>
    JSON.parse(JSON.stringify(answer).replaceAll(/127\.0\.0\.1:\d+/g, "")) as unknown;

test("accounts: organizations, and no organization that is a user", async () => {
    expect((await github.call("GET", "orgs/acme")).body).toMatchObject({ login: "acme" });
    expect((await github.call("GET", "orgs/lab")).status).toBe(404);
    expect((await github.call("GET", "orgs/nobody")).status).toBe(404);
    expect((await github.repo("GET", "")).body).toMatchObject({ full_name: "acme/tool", default_branch: "main" });
});

test("what it does not know is answered with 501 and logged, not taken for done", async () => {
    expect((await github.repo("POST", "releases", { tag_name: "v1" })).status).toBe(501);
    expect(github.log.join("\n")).toMatch(/POST \/api\/v3\/repos\/acme\/tool\/releases 501/);
});

test("a body that is no JSON is refused", async () => {
    expect(await github.repo("POST", "actions/variables", "{")).toMatchObject({
        status: 400,
        body: { message: "Problems parsing JSON" },
    });
});

test("a request that is not as GitHub describes it is refused, and changes nothing", async () => {
    const before = readFileSync(github.file, "utf8");
    const answer = await github.repo("PUT", "contents/x.txt", { content: base64("text") });
    expect(answer).toMatchObject({ status: 422, body: { message: expect.stringMatching(/message/) as string } });
    expect(readFileSync(github.file, "utf8")).toBe(before);
});

test("an answer that is not as GitHub describes it is never given", async () => {
    await github.repo("POST", "actions/variables", { name: "A", value: "b" });
    github.store.update((draft) => {
        const { variables } = draft.repositories["acme/tool"] ?? {};
        Object.assign(variables?.A ?? {}, { value: 1 });
    });
    expect((await github.repo("GET", "actions/variables/A")).status).toBe(500);
    expect(github.log.join("\n")).toMatch(/actions\/get-repo-variable is not as described.*must be string/);
});

test("what was changed is there after a restart, and starting again changes nothing", async () => {
    await github.repo("PUT", "contents/x.txt", file);
    await github.control("POST", "repositories", { owner: "acme", name: "second" });
    await github.close();
    const before = readFileSync(github.file, "utf8");
    const { mtimeMs } = statSync(github.file);
    const again = await startTestStandIn(github.file);
    expect((await again.repo("GET", "contents/x.txt")).status).toBe(200);
    expect((await again.call("GET", "repos/acme/second")).status).toBe(200);
    expect(readFileSync(github.file, "utf8")).toBe(before);
    expect(statSync(github.file).mtimeMs).toBe(mtimeMs);
    await again.close();
});

test("its state is for its user's eyes only, and replaced as a whole", async () => {
    await github.repo("PUT", "contents/x.txt", file);
    expect(statSync(github.file).mode & 0o777).toBe(0o600);
    expect(readdirSync(path.dirname(github.file))).toEqual(["state.json"]);
});

test("reading changes nothing", async () => {
    const before = readFileSync(github.file, "utf8");
    for (const where of ["", "branches/main", "commits", "pulls", "actions/variables"]) await github.repo("GET", where);
    await github.control("GET", "requests");
    expect(readFileSync(github.file, "utf8")).toBe(before);
});

test("requests at the same time are all kept", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `V${index.toString()}`);
    await Promise.all(names.map((name) => github.repo("POST", "actions/variables", { name, value: "x" })));
    expect((await github.repo("GET", "actions/variables")).body).toMatchObject({ total_count: 20 });
});

test("the control API says what it was asked and what it knows", async () => {
    await github.repo("GET", "");
    expect(await github.control("GET", "requests")).toEqual([
        { method: "GET", path: "/api/v3/repos/acme/tool", status: 200 },
    ]);
    await expect(github.control("GET", "nothing")).rejects.toThrow(/404.*PUT limits/);
    await expect(github.control("PATCH", "repositories/acme/tool", { archive: true })).rejects.toThrow(/422.*archive/);
    await expect(github.control("PATCH", "repositories/acme/gone", {})).rejects.toThrow(/404.*acme\/gone/);
});

/** Sends requests that `fetch` does not allow. */
async function statusWith(headers: Record<string, string>, method: string): Promise<number | undefined> {
    return await new Promise((resolve, reject) => {
        const sent = request(`${github.url}/_lab/limits`, { method, headers }, (response) => {
            response.resume();
            resolve(response.statusCode);
        });
        sent.on("error", reject).end("{}");
    });
}

test("a page of another site can't reach it through a browser", async () => {
    expect(await statusWith({}, "PUT")).toBe(204);
    expect(await statusWith({ origin: "https://example.com" }, "PUT")).toBe(403);
    expect(await statusWith({ host: "example.com" }, "PUT")).toBe(403);
});

test("an address outside the API is told where that is", async () => {
    const response = await fetch(`${github.url}/acme/tool`);
    expect([response.status, await response.json()]).toEqual([
        404,
        { message: "GitHub stand-in: the API is below /api/v3/" },
    ]);
});

test("the state of an earlier version, which has issues, keeps its pull requests", async () => {
    const topic = { message: "Add it", files: { "a.txt": "text" }, branch: "topic" };
    await github.control("POST", "repositories/acme/tool/push", topic);
    await github.repo("POST", "pulls", { title: "Bring it", head: "topic", base: "main" });
    const { body } = await github.repo("GET", "pulls/1");
    await github.close();
    const state = JSON.parse(readFileSync(github.file, "utf8")) as State;
    const repository = state.repositories["acme/tool"] as unknown as Record<string, unknown>;
    const [{ head, base, baseSha, draft, maintainerCanModify, ...issue }] = repository.pulls as [PullRequest];
    const pull = { head, base, baseSha, draft, maintainerCanModify };
    delete repository.pulls;
    repository.issues = [
        { ...issue, pull },
        { ...issue, number: 2 },
    ];
    writeFileSync(github.file, JSON.stringify(state));
    const again = await startTestStandIn(github.file);
    const list = (await again.repo("GET", "pulls")).body as object[];
    expect(list).toHaveLength(1);
    expect(withoutPorts(list[0])).toEqual(withoutPorts(body));
    await again.close();
});

test.each([
    ["pulls", 30, 100, 3],
    ["commits", 30, 100, 3],
    ["actions/variables", 10, 30, 7],
])("%s come in pages of %i, or of %i at most, which link to each other", async (where, usual, most, last) => {
    github.store.update((draft) => {
        const repository = draft.repositories["acme/tool"];
        const names = Array.from({ length: 205 }, (_, index) => `N${index.toString()}`);
        if (!repository) return;
        openPullRequests(repository, names);
        const times = { createdAt: timestamp(), updatedAt: timestamp() };
        for (const name of names) {
            pushFiles(repository, { message: name, files: { a: name } });
            repository.variables[name] = { value: name, ...times };
        }
    });
    const read = async (query: string) => {
        const { body, headers } = await github.repo("GET", `${where}${query}`);
        const list = [body, ...Object.values<unknown>(body)].find(Array.isArray) as object[];
        const links = [...(headers.get("link") ?? "").matchAll(/[?&]page=(\d+)[^>]*>; rel="(\w+)"/g)];
        return [list.length, links.map(([, page = "", relation = ""]) => `${relation} ${page}`)];
    };
    expect(await read("")).toEqual([usual, ["next 2", expect.stringMatching(/^last \d+$/)]]);
    expect(await read("?per_page=1000")).toEqual([most, ["next 2", `last ${last.toString()}`]]);
    expect(await read("?per_page=1000&page=2")).toEqual([
        most,
        ["prev 1", "next 3", `last ${last.toString()}`, "first 1"],
    ]);
    const [rest, links] = await read(`?per_page=1000&page=${last.toString()}`);
    expect(rest).toBeLessThan(most);
    expect(links).toEqual([`prev ${(last - 1).toString()}`, "first 1"]);
});
