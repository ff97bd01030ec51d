import { readFileSync, readdirSync, statSync } from "node:fs";
import { request } from "node:http";
import path from "node:path";
import { afterEach, beforeEach } from "mocha";
import { expect, test } from "../../tests/mocha";
import { labToken } from "./defaults";
import { base64, startTestStandIn, type TestStandIn } from "./testing";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

const file = { message: "Add it", content: base64("text") };

test("accounts: the token's user, organizations, and no organization that is a user", async () => {
    expect((await github.call("GET", "user")).body).toMatchObject({ login: "lab", type: "User" });
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
    expect(await github.repo("POST", "issues", "{")).toMatchObject({
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
    for (const where of ["", "branches", "commits", "issues", "pulls", "actions/secrets"])
        await github.repo("GET", where);
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

test("its page shows files, commits, names of secrets, variables, pull requests and issues, all escaped", async () => {
    const evil = `<script>alert("1")</script>`;
    await github.repo("PUT", "contents/%3Cb%3E.txt", { message: evil, content: base64(evil) });
    await github.repo("POST", "actions/variables", { name: "CI_IMAGE", value: evil });
    const rights = {
        contents: "write",
        secrets: "write",
        actions_variables: "write",
        pull_requests: "write",
        issues: "write",
    };
    await github.control("PUT", `tokens/${labToken}`, { login: "lab", permissions: rights });
    await github.repo("POST", "issues", { title: evil, body: evil });
    await github.repo("POST", "issues/1/comments", { body: evil });
    await github.control("PUT", "repositories/acme/tool/secrets/actions/TOKEN", { value: "canary-value" });
    for (const where of ["/", "/acme/tool", "/acme/tool/pull/1"]) {
        const response = await fetch(`${github.url}${where}`);
        const text = await response.text();
        expect(response.status).toBe(200);
        expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
        for (const part of ["acme/tool", "README.md", "Initial commit", "CI_IMAGE", "TOKEN"]) {
            expect(text).toContain(part);
        }
        expect(text.split("&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;")).toHaveLength(7);
        expect(text).not.toContain("<script");
        expect(text).not.toContain("<b>");
        expect(text).not.toContain("canary-value");
    }
    expect((await fetch(`${github.url}/acme/gone`)).status).toBe(404);
});
