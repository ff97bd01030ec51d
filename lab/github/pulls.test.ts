import { afterEach, beforeEach } from "mocha";
import { expect, test } from "../../tests/mocha";
import { base64, startTestStandIn, type TestStandIn } from "./testing";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

const shaOf = async (branch: string) => {
    const { body } = await github.repo("GET", `git/ref/heads/${branch}`);
    return (body as { object: { sha: string } }).object.sha;
};
const makeBranch = async (branch: string) =>
    await github.repo("POST", "git/refs", { ref: `refs/heads/${branch}`, sha: await shaOf("main") });
const put = (path: string, branch: string, text = "text\n") =>
    github.repo("PUT", `contents/${path}`, { message: `Add ${path}`, content: base64(text), branch });
const propose = (body: object = {}) =>
    github.repo("POST", "pulls", { title: "Update workflows", head: "topic/one", base: "main", body: "Why", ...body });

async function proposed(): Promise<void> {
    await makeBranch("topic/one");
    await put("a.txt", "topic/one");
    expect((await propose()).status).toBe(201);
}

test("a branch is made at a commit, read, moved and deleted", async () => {
    expect((await makeBranch("topic/one")).body).toMatchObject({ ref: "refs/heads/topic/one" });
    const start = await shaOf("topic/one");
    expect((await github.repo("GET", "branches/topic/one")).body).toMatchObject({
        name: "topic/one",
        protected: false,
    });
    await put("a.txt", "main");
    const move = (sha: string, force = false) => github.repo("PATCH", "git/refs/heads/topic/one", { sha, force });
    expect((await move(await shaOf("main"))).status).toBe(200);
    expect(await move(start)).toMatchObject({ status: 422, body: { message: "Update is not a fast forward" } });
    expect((await move(start, true)).status).toBe(200);
    expect((await github.repo("DELETE", "git/refs/heads/topic/one")).status).toBe(204);
    expect((await github.repo("GET", "git/ref/heads/topic/one")).status).toBe(404);
    expect((await github.repo("GET", "branches/topic/one")).status).toBe(404);
});

test.each([
    ["exists", { ref: "refs/heads/main" }, "Reference already exists"],
    ["points nowhere", { ref: "refs/heads/topic", sha: "0".repeat(40) }, "Object does not exist"],
    ["git can't hold", { ref: "refs/heads/to..pic" }, "refs/heads/to..pic is not a valid ref name."],
])("a branch that %s is refused", async (_, body, message) => {
    const answer = await github.repo("POST", "git/refs", { sha: await shaOf("main"), ...body });
    expect(answer).toMatchObject({ status: 422, body: { message } });
});

test("a pull request is made, found by its branch, changed, closed and opened again", async () => {
    await proposed();
    const one = (await github.repo("GET", "pulls/1")).body;
    expect(one).toMatchObject({
        number: 1,
        state: "open",
        head: { ref: "topic/one", sha: await shaOf("topic/one") },
        base: { ref: "main", sha: await shaOf("main") },
        commits: 1,
        changed_files: 1,
        mergeable: true,
    });
    for (const query of ["", "?state=open&head=acme:topic/one&base=main", "?state=all"]) {
        expect((await github.repo("GET", `pulls${query}`)).body, query).toMatchObject([{ number: 1 }]);
    }
    expect((await github.repo("GET", "pulls?head=acme:other")).body).toEqual([]);
    expect((await github.repo("PATCH", "pulls/1", { title: "Other" })).body).toMatchObject({
        title: "Other",
        body: "Why",
    });
    expect((await github.repo("PATCH", "pulls/1", { state: "closed" })).body).toMatchObject({ state: "closed" });
    expect((await github.repo("GET", "pulls")).body).toEqual([]);
    expect((await github.repo("PATCH", "pulls/1", { state: "open" })).body).toMatchObject({ state: "open" });
});

test("an open pull request follows its branch, a closed one does not", async () => {
    await proposed();
    await put("b.txt", "topic/one");
    const before = await shaOf("topic/one");
    expect((await github.repo("GET", "pulls/1")).body).toMatchObject({ commits: 2, head: { sha: before } });
    await github.repo("PATCH", "pulls/1", { state: "closed" });
    await put("c.txt", "topic/one");
    expect((await github.repo("GET", "pulls/1")).body).toMatchObject({ head: { sha: before } });
});

test.each([
    ["of an unknown branch", { head: "gone" }, { field: "head", code: "invalid" }],
    ["into an unknown branch", { base: "gone" }, { field: "base", code: "invalid" }],
    ["that is there already", {}, { message: "A pull request already exists for acme:topic/one." }],
    ["without a commit", { head: "empty" }, { message: "No commits between main and empty" }],
])("a pull request %s is refused", async (_, body, error) => {
    await proposed();
    await makeBranch("empty");
    expect(await propose(body)).toMatchObject({ status: 422, body: { errors: [error] } });
});

test("a merged pull request is in its base, and stays merged", async () => {
    await proposed();
    await put("main.txt", "main");
    await github.control("POST", "repositories/acme/tool/pulls/1/merge");
    for (const file of ["a.txt", "main.txt", "README.md"]) {
        expect((await github.repo("GET", `contents/${file}?ref=main`)).status, file).toBe(200);
    }
    expect((await github.repo("GET", "pulls/1")).body).toMatchObject({ state: "closed", merged: true });
    expect((await github.repo("PATCH", "pulls/1", { state: "open" })).status).toBe(422);
    await expect(github.control("POST", "repositories/acme/tool/pulls/1/merge")).rejects.toThrow(/405.*not mergeable/);
});

test("what was merged and reverted is brought by no other pull request from the same branch", async () => {
    await proposed();
    await github.control("POST", "repositories/acme/tool/pulls/1/merge");
    await github.control("POST", "repositories/acme/tool/push", { files: { "a.txt": null } });
    expect((await propose()).status).toBe(422);
    await put("b.txt", "topic/one");
    expect((await propose()).body).toMatchObject({ number: 2, changed_files: 1, commits: 1 });
    await github.control("POST", "repositories/acme/tool/pulls/2/merge");
    const status = async (file: string) => (await github.repo("GET", `contents/${file}?ref=main`)).status;
    expect([await status("b.txt"), await status("a.txt")]).toEqual([200, 404]);
});

test("a pull request that conflicts says so and can't be merged", async () => {
    await proposed();
    await put("a.txt", "main", "other\n");
    expect((await github.repo("GET", "pulls/1")).body).toMatchObject({ mergeable: false, mergeable_state: "dirty" });
    await expect(github.control("POST", "repositories/acme/tool/pulls/1/merge")).rejects.toThrow(/405.*a\.txt/);
});

test("deleting its branch closes a pull request", async () => {
    await proposed();
    const sha = await shaOf("topic/one");
    await github.repo("DELETE", "git/refs/heads/topic/one");
    expect((await github.repo("GET", "pulls/1")).body).toMatchObject({ state: "closed", head: { sha } });
    expect((await github.repo("PATCH", "pulls/1", { state: "open" })).status).toBe(422);
});

test("commits are listed newest first, by path, and in pages that link to the next", async () => {
    for (const name of ["a.txt", "b.txt", "c.txt"]) await put(name, "main");
    const messages = async (query: string) =>
        ((await github.repo("GET", `commits${query}`)).body as { commit: { message: string } }[]).map(
            ({ commit }) => commit.message,
        );
    expect(await messages("")).toEqual(["Add c.txt", "Add b.txt", "Add a.txt", "Initial commit"]);
    expect(await messages("?path=b.txt&sha=main")).toEqual(["Add b.txt"]);
    expect(await messages("?per_page=3&page=2")).toEqual(["Initial commit"]);
    const { headers } = await github.repo("GET", "commits?per_page=3");
    expect(headers.get("link")).toMatch(/commits\?per_page=3&page=2>; rel="next"/);
});
