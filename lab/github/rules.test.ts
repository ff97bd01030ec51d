import { afterEach, beforeEach, describe } from "mocha";
import { brokenRules } from "../../lib/github/refusals";
import { expect, test } from "../../tests/mocha";
import type { Protection, Rules } from "./state";
import { base64, startTestStandIn, type TestStandIn } from "./testing";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

const protect = (rules: Rules, more: Partial<Protection> = {}, settings: object = {}) =>
    github.control("PATCH", "repositories/acme/tool", { protections: [{ rules, ...more }], ...settings });
const put = (branch = "main", body: object = {}) =>
    github.repo("PUT", "contents/a/b.yml", { message: "Add it", content: base64("text\n"), branch, ...body });
const makeBranch = async (branch: string) => {
    const { object } = (await github.repo("GET", "git/ref/heads/main")).body as { object: { sha: string } };
    return await github.repo("POST", "git/refs", { ref: `refs/heads/${branch}`, sha: object.sha });
};
const messageOf = ({ body }: { readonly body: unknown }) => (body as { message: string }).message;

/** Rules that refuse a file, and what this program calls them. */
const refusing: readonly (readonly [rules: Rules, name: string])[] = [
    [{ pullRequest: true }, "Require a pull request before merging"],
    [{ approvals: 1 }, "Require approvals"],
    [{ approvals: 2 }, "Require approvals"],
    [{ checks: ["test"] }, "Require status checks to pass"],
    [{ checks: ["test", "lint"] }, "Require status checks to pass"],
    [{ signatures: true }, "Require signed commits"],
    [{ locked: true }, "Lock branch"],
    [{ mergeQueue: true }, "Require merge queue"],
    [{ pushers: ["somebody"] }, "Restrict who can push, or Restrict updates"],
    [{ updates: true }, "Restrict who can push, or Restrict updates"],
    [{ codeScanning: "CodeQL" }, "Require code scanning results"],
    [{ commitMessage: "^JIRA-" }, "Restrict commit metadata, or branch names"],
    [{ paths: ["a/"] }, "Restrict file paths"],
    [{ maxFileSize: 4 }, "Restrict file size"],
];

describe("a file is refused, in words that this program knows, unless the token is on the bypass list:", () => {
    test.each(refusing)("%j", async (rules, name) => {
        for (const by of ["protection", "ruleset"] as const) {
            await protect(rules, { by }, { signsCommits: false });
            const refused = await put();
            expect(refused.status).toBe(409);
            const start = by === "protection" ? "Could not create file: " : "Repository rule violations found\n\n";
            expect(messageOf(refused).startsWith(start)).toBe(true);
            expect(brokenRules(messageOf(refused))?.rules).toEqual([name]);
            expect((await github.repo("GET", "branches/main")).body).toMatchObject({ protected: true });
        }
        await protect(rules, { bypass: ["lab"] }, { signsCommits: false });
        expect((await put()).status).toBe(201);
    });
});

test("rules let pass what keeps them, and hold for their branches only", async () => {
    await protect({ signatures: true, commitMessage: "^Add ", paths: ["b/"], maxFileSize: 100, linearHistory: true });
    expect((await put()).status).toBe(201);
    await protect({ pullRequest: true }, { branches: ["release/*"] });
    await makeBranch("topic");
    await makeBranch("release/1");
    const changed = { content: base64("other\n"), sha: await shaOf() };
    expect((await put("topic", changed)).status).toBe(200);
    expect((await put("release/1", changed)).status).toBe(409);
});

const shaOf = async () => ((await github.repo("GET", "contents/a/b.yml")).body as { sha: string }).sha;

test("a commit with an author of its own is not signed by GitHub", async () => {
    await protect({ signatures: true });
    const author = { name: "Me", email: "me@example.com" };
    expect(messageOf(await put("main", { author }))).toContain("Commits must have verified signatures.");
});

test("branches are refused by rules for creations and deletions", async () => {
    await makeBranch("old");
    await protect({ creations: true, deletions: true }, { by: "ruleset", branches: ["*"] });
    const [made, deleted] = [await makeBranch("new"), await github.repo("DELETE", "git/refs/heads/old")];
    expect([made.status, deleted.status]).toEqual([422, 422]);
    expect(brokenRules(messageOf(made))).toEqual({ rules: ["Restrict creations"], holdEverywhere: true });
    expect(brokenRules(messageOf(deleted))?.rules).toEqual(["Restrict deletions"]);
});

describe("a pull request is merged", () => {
    const merge = async (rules: Rules) => {
        await makeBranch("topic");
        await put("topic");
        await github.repo("POST", "pulls", { title: "Add it", head: "topic", base: "main" });
        await protect(rules);
        await github.control("POST", "repositories/acme/tool/pulls/1/merge");
        const { parents } = (await github.repo("GET", "commits/main")).body as { parents: unknown[] };
        return parents.length;
    };

    test("with a merge commit although the branch demands pull requests", async () => {
        expect(await merge({ pullRequest: true })).toBe(2);
    });

    test("squashed where the branch demands a linear history", async () => {
        expect(await merge({ pullRequest: true, linearHistory: true })).toBe(1);
    });

    test("not into a locked branch", async () => {
        await expect(merge({ locked: true })).rejects.toThrow("Cannot change this locked branch");
    });
});

test("a token can expire after some requests", async () => {
    await github.control("PUT", "tokens/short", { login: "app", scopes: ["repo"], left: 2 });
    const statuses: number[] = [];
    for (let count = 0; count < 3; count++)
        statuses.push((await github.repo("GET", "", undefined, { token: "short" })).status);
    expect(statuses).toEqual([200, 200, 401]);
});

test("the jobs of a workflow run are read by the token of a job, by name of their runners", async () => {
    const startedAt = "2026-01-01T00:00:00Z";
    const jobs = [
        { name: "Up", runner: "GitHub Actions 7", startedAt, completedAt: "2026-01-01T00:10:00Z" },
        { name: "Deploy", runner: "GitHub Actions 8", startedAt },
    ];
    await github.control("PUT", "repositories/acme/tool/runs/12/1", { jobs });
    await github.control("PUT", "tokens/job", { login: "job", permissions: { actions: "read" } });
    await github.control("PUT", "tokens/other", { login: "other", permissions: { contents: "read" } });
    await github.control("PATCH", "repositories/acme/tool", { private: true });
    const ask = (token: string, run = "12") =>
        github.repo("GET", `actions/runs/${run}/attempts/1/jobs`, undefined, { token });
    expect((await ask("job")).body).toMatchObject({
        total_count: 2,
        jobs: [
            { name: "Up", runner_name: "GitHub Actions 7", status: "completed", completed_at: "2026-01-01T00:10:00Z" },
            { name: "Deploy", runner_name: "GitHub Actions 8", status: "in_progress", completed_at: null },
        ],
    });
    expect((await ask("job", "13")).status).toBe(404);
    expect((await ask("other")).status).toBe(403);
});
