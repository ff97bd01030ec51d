import { after, before } from "mocha";
import { type TestStandIn, startTestStandIn } from "../../lab/github/testing";
import { expect, test } from "../../tests/mocha";
import type { GitHubTarget } from "./api";
import { propose } from "./propose";

let github: TestStandIn;
let target: GitHubTarget;
before(async () => {
    github = await startTestStandIn();
    ({ target } = github);
});
after(async () => {
    await github.remove();
});

const proposal = (text: string, body = "why") => ({
    ...{ head: "layered-images/bump", title: `Move ${text}`, body },
    files: { "Pulumi.ci.yaml": `config: ${text}\n` },
});
const pull = async (number: number) =>
    (await github.repo("GET", `pulls/${number.toString()}`)).body as Record<string, unknown>;
const textOn = async (branch: string) => {
    const { body } = await github.repo("GET", `contents/Pulumi.ci.yaml?ref=${encodeURIComponent(branch)}`);
    return Buffer.from((body as { content: string }).content, "base64").toString("utf8");
};

test("one pull request is opened, updated while it is open, and followed by the next one from the new head of main", async () => {
    expect(await propose(target, proposal("one"))).toMatchObject({ number: 1, isNew: true });
    expect(await pull(1)).toMatchObject({
        state: "open",
        title: "Move one",
        body: "why",
        commits: 1,
        changed_files: 1,
    });
    expect(await textOn("layered-images/bump")).toBe("config: one\n");

    // A commit only if the file differs.
    expect(await propose(target, proposal("one", "because"))).toMatchObject({ number: 1, isNew: false });
    expect(await pull(1)).toMatchObject({ body: "because", commits: 1 });
    expect(await propose(target, proposal("two"))).toMatchObject({ number: 1, isNew: false });
    expect(await pull(1)).toMatchObject({ title: "Move two", commits: 2, changed_files: 1 });

    // Its branch is still there.
    await github.control("POST", "repositories/acme/tool/pulls/1/merge");
    expect(await textOn("main")).toBe("config: two\n");
    expect(await propose(target, proposal("three"))).toMatchObject({ number: 2, isNew: true });
    expect(await pull(2)).toMatchObject({ state: "open", commits: 1, changed_files: 1 });
});

test("a token that lacks a permission is told which, and opens nothing", async () => {
    const permissions = { contents: "read", pull_requests: "write", metadata: "read" };
    await github.control("PUT", "tokens/narrow", { login: "lab", permissions });
    await expect(
        propose({ ...target, token: "narrow" }, { ...proposal("four"), head: "layered-images/other" }),
    ).rejects.toThrow(/this token may not create the branch layered-images\/other\n {2}allowed: contents=write/);
});
