import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
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
const put = (path: string, body: object) => github.repo("PUT", path, { message: "Add it [skip ci]", ...body });

test("a created file is read back with its ref in its address, and its commit with the message as sent", async () => {
    const added = await put(workflow, { content: base64("name: Test\n"), branch: "main" });
    expect(added.status).toBe(201);
    const { sha } = (added.body as { commit: { sha: string } }).commit;
    const read = await github.repo("GET", `${workflow}?ref=main`);
    expect(read.status).toBe(200);
    expect(read.body).toMatchObject({
        type: "file",
        path: ".github/workflows/test.yml",
        sha: blobName(Buffer.from("name: Test\n")),
        url: `${github.url}/api/v3/repos/acme/tool/contents/.github/workflows/test.yml?ref=main`,
    });
    const commit = await github.repo("GET", `commits/${sha}`);
    expect(commit.body).toMatchObject({
        sha,
        commit: { message: "Add it [skip ci]" },
        files: [{ filename: ".github/workflows/test.yml", status: "added", additions: 2 }],
    });
});
test("names of blobs are git's", () => {
    const printed = execFileSync("git", ["hash-object", "--stdin"], { input: "hello\n" }).toString().trim();
    expect(blobName(Buffer.from("hello\n"))).toBe(printed);
});
