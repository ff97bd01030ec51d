import { afterEach, beforeEach } from "mocha";
import { expect, test } from "../../tests/mocha";
import { labToken } from "./defaults";
import { startTestStandIn, type TestStandIn } from "./testing";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
    // The permission of the job that reports drift: the lab's token does not have it.
    await github.control("PUT", `tokens/${labToken}`, { login: "lab", permissions: { issues: "write" } });
});
afterEach(async () => {
    await github.remove();
});

test("an issue is opened, found by its label, changed and closed", async () => {
    const issue = { title: "Drift", body: "latest moved", labels: ["drift"] };
    expect((await github.repo("POST", "issues", issue)).body).toMatchObject({ number: 1, state: "open" });
    await github.repo("POST", "issues", { title: "Other" });
    expect((await github.repo("GET", "issues?labels=drift")).body).toMatchObject([{ title: "Drift" }]);
    const closed = await github.repo("PATCH", "issues/1", { state: "closed", body: "gone" });
    expect(closed.body).toMatchObject({ state: "closed", state_reason: "completed", body: "gone" });
    expect((await github.repo("GET", "issues")).body).toMatchObject([{ number: 2 }]);
    expect((await github.repo("GET", "issues?state=all")).body).toMatchObject([{ number: 2 }, { number: 1 }]);
});

test("an issue without a title is refused", async () => {
    expect((await github.repo("POST", "issues", { body: "x" })).status).toBe(422);
    expect((await github.repo("POST", "issues", { title: "" })).status).toBe(422);
});

test("comments are made, listed and changed in their place", async () => {
    await github.repo("POST", "issues", { title: "Review" });
    const made = await github.repo("POST", "issues/1/comments", { body: "one" });
    const { id } = made.body as { id: number };
    await github.repo("POST", "issues/1/comments", { body: "two" });
    expect((await github.repo("PATCH", `issues/comments/${String(id)}`, { body: "three" })).status).toBe(200);
    expect((await github.repo("GET", "issues/1/comments")).body).toMatchObject([{ body: "three" }, { body: "two" }]);
    expect((await github.repo("PATCH", "issues/comments/1", { body: "x" })).status).toBe(404);
    expect((await github.repo("POST", "issues/9/comments", { body: "x" })).status).toBe(404);
});
