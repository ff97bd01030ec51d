import { readFileSync } from "node:fs";
import { afterEach, beforeEach } from "mocha";
import { expect, test } from "../../tests/mocha";
import { blobName } from "./git";
import { base64, startTestStandIn, type TestStandIn } from "./testing";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

const workflow = "contents/.github/workflows/test.yml";
const put = (path: string, body: object) =>
    github.repo("PUT", path, { message: "Change it [skip ci]", content: base64("name: Test\n"), ...body });

test("a created file is read back with its ref in its address, and its commit with the message as sent", async () => {
    const added = await put(workflow, { branch: "main" });
    expect(added.status).toBe(201);
    const { sha } = (added.body as { commit: { sha: string } }).commit;
    const read = await github.repo("GET", `${workflow}?ref=main`);
    expect(read.body).toMatchObject({
        type: "file",
        path: ".github/workflows/test.yml",
        content: base64("name: Test\n"),
        sha: blobName(Buffer.from("name: Test\n")),
        url: `${github.url}/api/v3/repos/acme/tool/contents/.github/workflows/test.yml?ref=main`,
    });
    const commit = await github.repo("GET", `commits/${sha}`);
    expect(commit.body).toMatchObject({
        sha,
        commit: { message: "Change it [skip ci]" },
        files: [{ filename: ".github/workflows/test.yml", status: "added" }],
    });
});

test("author and committer are the token's user unless they are given", async () => {
    const own = await put("contents/one.txt", {});
    expect(own.body).toMatchObject({ commit: { author: { name: "lab" }, committer: { name: "lab" } } });
    const person = { name: "Ada", email: "ada@example.com" };
    const given = await put("contents/two.txt", { author: person, committer: person });
    expect(given.body).toMatchObject({ commit: { author: person, committer: person } });
});

test("a file is changed where its blob is named, and deleted the same way", async () => {
    await put(workflow, {});
    const sha = blobName(Buffer.from("name: Test\n"));
    const changed = await put(workflow, { sha, content: base64("name: Other\n") });
    expect(changed.status).toBe(200);
    const next = blobName(Buffer.from("name: Other\n"));
    expect((await github.repo("DELETE", workflow, { message: "Remove it", sha: next })).body).toMatchObject({
        content: null,
        commit: { message: "Remove it" },
    });
    expect((await github.repo("GET", workflow)).status).toBe(404);
});

test.each([
    ["no blob is named", {}, 422, 'Invalid request.\n\n"sha" wasn\'t supplied.'],
    ["another blob is named", { sha: "0".repeat(40) }, 409, `README.md does not match ${"0".repeat(40)}`],
    ["the branch is not there", { branch: "gone", sha: "0".repeat(40) }, 404, "Branch gone not found"],
])("changing a file is refused, and changes nothing, when %s", async (_, body, status, message) => {
    const before = readFileSync(github.file, "utf8");
    const answer = await put("contents/README.md", body);
    expect(answer).toMatchObject({ status, body: { message } });
    expect(readFileSync(github.file, "utf8")).toBe(before);
});

test("a push from outside makes the known blob wrong, and reading again gives the right one", async () => {
    await put(workflow, {});
    await github.control("POST", "repositories/acme/tool/push", { files: { ".github/workflows/test.yml": "evil" } });
    const stale = await put(workflow, { sha: blobName(Buffer.from("name: Test\n")) });
    expect(stale.status).toBe(409);
    const { sha } = (await github.repo("GET", workflow)).body as { sha: string };
    expect((await put(workflow, { sha })).status).toBe(200);
});

test.each(["../up.txt", "a//b.txt", ".git/config", "README.md/inside.txt"])("the path %s is refused", async (path) => {
    // Unencoded dots in a URL would be resolved before the request is sent.
    const sent = path.replace("..", "%2E%2E").split("/").join("%2F");
    expect((await put(`contents/${sent}`, {})).status).toBe(422);
});

test("content that is no base64 is refused", async () => {
    expect((await put("contents/x.txt", { content: "{not base64}" })).status).toBe(422);
});

test.each(["a%20b/%C3%A9%23.txt", "a%20b%2F%C3%A9%23.txt"])("a path is read raw and encoded (%s)", async (sent) => {
    expect((await put(`contents/${sent}`, {})).body).toMatchObject({ content: { path: "a b/é#.txt" } });
    expect((await github.repo("GET", "contents/a%20b")).body).toMatchObject([{ name: "é#.txt", type: "file" }]);
});

test("a folder lists its files and folders", async () => {
    await put(workflow, {});
    expect((await github.repo("GET", "contents/.github")).body).toMatchObject([
        { name: "workflows", type: "dir", path: ".github/workflows" },
    ]);
});

test("an answer that the asker has already is not sent again", async () => {
    const first = await github.repo("GET", "git/ref/heads/main");
    const tag = first.headers.get("etag") ?? "";
    const headers = { "if-none-match": tag };
    expect((await github.repo("GET", "git/ref/heads/main", undefined, { headers })).status).toBe(304);
    await put("contents/x.txt", {});
    expect((await github.repo("GET", "git/ref/heads/main", undefined, { headers })).status).toBe(200);
});
