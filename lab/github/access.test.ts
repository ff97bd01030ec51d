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

const file = { message: "Add it", content: base64("text") };
const workflow = "contents/.github/workflows/test.yml";
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
const makeToken = (grants: object) => github.control("PUT", "tokens/other", { login: "ada", ...grants });
const asOther = { token: "other" };

test.each([
    ["no token", "", "Requires authentication"],
    ["an unknown token", "revoked", "Bad credentials"],
    ["a name that objects inherit", "constructor", "Bad credentials"],
])("%s is refused with 401", async (_, token, message) => {
    expect(await github.repo("GET", "", undefined, { token })).toMatchObject({ status: 401, body: { message } });
});

test("a revoked token is refused from then on", async () => {
    await makeToken({ scopes: ["repo"] });
    expect((await github.repo("GET", "", undefined, asOther)).status).toBe(200);
    await github.control("DELETE", "tokens/other");
    expect((await github.repo("GET", "", undefined, asOther)).status).toBe(401);
});

test("an unknown repository is not found, a known one in any case of its letters", async () => {
    expect((await github.call("GET", "repos/ACME/Tool")).body).toMatchObject({ full_name: "acme/tool" });
    expect((await github.call("GET", "repos/acme/gone")).status).toBe(404);
});

test("a fine-grained token learns which permission it lacks", async () => {
    await makeToken({ permissions: { contents: "read" } });
    expect((await github.repo("GET", "contents/README.md", undefined, asOther)).status).toBe(200);
    const refused = await github.repo("PUT", "contents/x.txt", file, asOther);
    expect(refused).toMatchObject({
        status: 403,
        body: { message: "Resource not accessible by personal access token" },
    });
    expect(refused.headers.get("x-accepted-github-permissions")).toBe("contents=write");
    const secret = await github.repo("GET", "actions/secrets/public-key", undefined, asOther);
    expect(secret.headers.get("x-accepted-github-permissions")).toBe("secrets=read");
});

test("a fine-grained token without workflows changes every file but workflows", async () => {
    await makeToken({ permissions: { contents: "write" } });
    expect((await github.repo("PUT", "contents/x.txt", file, asOther)).status).toBe(201);
    const refused = await github.repo("PUT", workflow, file, asOther);
    expect(refused.status).toBe(403);
    expect(refused.headers.get("x-accepted-github-permissions")).toBe("workflows=write");
});

test("a classic token without the scope workflow is told that a workflow is not found, and its scopes", async () => {
    await makeToken({ scopes: ["repo"] });
    const added = await github.repo("PUT", "contents/x.txt", file, asOther);
    expect(added.status).toBe(201);
    expect(added.headers.get("x-oauth-scopes")).toBe("repo");
    expect((await github.repo("PUT", workflow, file, asOther)).status).toBe(404);
    await makeToken({ scopes: ["repo", "workflow"] });
    expect((await github.repo("PUT", workflow, file, asOther)).status).toBe(201);
});

test("a classic token without the scope repo reads public repositories only", async () => {
    await makeToken({ scopes: [] });
    expect((await github.repo("GET", "", undefined, asOther)).status).toBe(200);
    await github.control("PATCH", "repositories/acme/tool", { private: true });
    expect((await github.repo("GET", "", undefined, asOther)).status).toBe(404);
});

test("what everybody may see of a public repository any token reads, and no secret or variable of it", async () => {
    for (const grants of [{ scopes: [] }, { permissions: {} }]) {
        await makeToken(grants);
        for (const path of ["contents/README.md", "branches/main", "pulls", "issues"])
            expect((await github.repo("GET", path, undefined, asOther)).status, path).toBe(200);
        for (const path of ["actions/variables", "actions/secrets", "dependabot/secrets", "codespaces/secrets"])
            expect((await github.repo("GET", path, undefined, asOther)).status, path).toBe(
                "scopes" in grants ? 404 : 403,
            );
    }
    await github.control("PATCH", "repositories/acme/tool", { private: true });
    expect((await github.repo("GET", "contents/README.md", undefined, asOther)).status).toBe(403);
});

test("secrets for codespaces can't even be listed with a permission to read them, others can", async () => {
    await makeToken({ permissions: { codespaces_secrets: "read", dependabot_secrets: "read" } });
    expect((await github.repo("GET", "dependabot/secrets/public-key", undefined, asOther)).status).toBe(200);
    const refused = await github.repo("GET", "codespaces/secrets/public-key", undefined, asOther);
    expect(refused.status).toBe(403);
    expect(refused.headers.get("x-accepted-github-permissions")).toBe("codespaces_secrets=write");
});

test("a protected branch takes no direct change, other branches do", async () => {
    await github.control("PATCH", "repositories/acme/tool", { protected: ["main"] });
    expect(await github.repo("PUT", "contents/x.txt", file)).toMatchObject({
        status: 409,
        body: { message: "Could not create file: Changes must be made through a pull request." },
    });
    expect((await github.repo("GET", "branches/main")).body).toMatchObject({ protected: true });
    const { object } = (await github.repo("GET", "git/ref/heads/main")).body as { object: { sha: string } };
    await github.repo("POST", "git/refs", { ref: "refs/heads/topic", sha: object.sha });
    expect((await github.repo("PUT", "contents/x.txt", { ...file, branch: "topic" })).status).toBe(201);
    expect((await github.repo("DELETE", "git/refs/heads/main")).status).toBe(422);
});

test("an archived repository can be read and not changed", async () => {
    await github.control("PATCH", "repositories/acme/tool", { archived: true });
    expect((await github.repo("GET", "")).body).toMatchObject({ archived: true });
    expect(await github.repo("POST", "actions/variables", { name: "A", value: "b" })).toMatchObject({
        status: 403,
        body: { message: "Repository was archived so is read-only." },
    });
});

test("a used-up quota is told with the time until when, and asking for it stays free", async () => {
    const until = inSeconds(3600);
    await github.control("PUT", "limits", { primary: { until } });
    const refused = await github.repo("GET", "");
    expect(refused.status).toBe(403);
    expect(refused.headers.get("x-ratelimit-remaining")).toBe("0");
    expect(Number(refused.headers.get("x-ratelimit-reset"))).toBe(Math.ceil(Date.parse(until) / 1000));
    expect((await github.call("GET", "rate_limit")).body).toMatchObject({ rate: { remaining: 0 } });
    await github.control("PUT", "limits", {});
    const answered = await github.repo("GET", "");
    expect(answered.status).toBe(200);
    expect(answered.headers.get("x-ratelimit-remaining")).toBe("5000");
});

test("what is left of a quota is counted down by each request, and refused when it is used up", async () => {
    await github.control("PUT", "limits", { primary: { until: inSeconds(3600), left: 3 } });
    const answers = [await github.repo("GET", ""), await github.repo("GET", "gone")];
    await github.call("GET", "rate_limit");
    answers.push(await github.repo("POST", "actions/variables", { name: "A", value: "b" }));
    answers.push(await github.repo("GET", ""), await github.repo("GET", ""));
    expect(answers.map(({ headers }) => headers.get("x-ratelimit-remaining"))).toEqual(["2", "1", "0", "0", "0"]);
    expect(answers.map(({ status }) => status)).toEqual([200, 501, 201, 403, 403]);
});

test("a limit ends at its time", async () => {
    await github.control("PUT", "limits", { primary: { until: inSeconds(-1) } });
    expect((await github.repo("GET", "")).status).toBe(200);
});

test("the secondary limit says how long to wait, in the way that clients recognise", async () => {
    await github.control("PUT", "limits", { secondary: { until: inSeconds(60), retryAfter: 7 } });
    const refused = await github.repo("GET", "");
    expect(refused.status).toBe(403);
    expect(refused.headers.get("retry-after")).toBe("7");
    expect((refused.body as { documentation_url: string }).documentation_url).toMatch(/secondary-rate-limits$/);
});

test("an outage lasts for as many requests as it was told", async () => {
    await github.control("PUT", "outages", { count: 2 });
    const statuses = [];
    for (let count = 0; count < 3; count++) statuses.push((await github.repo("GET", "")).status);
    expect(statuses).toEqual([502, 502, 200]);
});
