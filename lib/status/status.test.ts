import { fn } from "jest-mock";
import { expect, onTestFinished, spyOn, test } from "../../tests/mocha";
import { startTestStandIn } from "../../lab/github/testing";
import type { Resource } from "../engine/state";
import { network } from "../system/connections";
import { environmentFindings, filesDiffer } from "./status";

const resource = (type: string, inputs: Record<string, unknown>): Resource => ({
    ...{ urn: `urn:pulumi:local::p::${type}::n`, type, inputs, outputs: {} },
});
const where = { repository: "bot", branch: "main" };
const component = resource("layered-images:components:WorkflowFiles", { ...where, files: { "a.yml": "0123456789ab" } });
const file = resource("github:index/repositoryFile:RepositoryFile", { ...where, file: "a.yml", content: "ours" });
const secret = resource("github:index/actionsSecret:ActionsSecret", { secretName: "A" });

/**
 * Returns whether the files differ if GitHub has this text, or has the repository without it, and the number of
 * requests.
 */
async function ask(resources: readonly Resource[], text: string | undefined, status = 404) {
    const fetchMock = fn((url: URL) => {
        const body = { content: Buffer.from(text ?? "").toString("base64"), encoding: "base64" };
        const isThere = text !== undefined || (status === 404 && url.href.endsWith("/repos/us/bot"));
        return Promise.resolve(isThere ? Response.json(body) : new Response("{}", { status }));
    });
    spyOn(network, "fetch").mockImplementation(fetchMock);
    const differ = await filesDiffer(resources, { GITHUB_OWNER: "us", GITHUB_TOKEN: "t" });
    return { differ, asked: fetchMock.mock.calls.length };
}

test.each<[string, readonly Resource[], string | undefined, boolean, number]>([
    ["the file is as the state has it", [component, file, secret], "ours", false, 1],
    ["somebody pushed another", [component, file, secret], "theirs", true, 1],
    ["somebody deleted it", [component, file, secret], undefined, true, 2],
    ["the stack has no files", [component, secret], "theirs", false, 0],
])("files differ or not: %s", async (_, resources, text, differ, asked) => {
    expect(await ask(resources, text)).toEqual({ differ, asked });
});

test("a refused token is no difference", async () => {
    expect(await ask([component, file], undefined, 401)).toEqual({ differ: false, asked: 1 });
});

/** What is found of the environment `up` of acme/tool, after these changes by its owner. */
async function ofEnvironment(isPrivate: boolean, environment: object | undefined, token = "actions", isCi = true) {
    const github = await startTestStandIn();
    onTestFinished(() => github.remove());
    await github.control("PUT", "tokens/owner", { login: "o", permissions: { administration: "write" } });
    await github.control("PUT", "tokens/actions", { login: "o", permissions: { actions: "read" } });
    await github.control("PUT", "tokens/nothing", { login: "o", permissions: {} });
    await github.control("PATCH", "repositories/acme/tool", { private: isPrivate });
    if (environment) await github.repo("PUT", "environments/up", environment, { token: "owner" });
    const files = resource("layered-images:components:WorkflowFiles", { repository: "tool", branch: "main" });
    const env = { GITHUB_OWNER: "acme", GITHUB_BASE_URL: github.url, GITHUB_TOKEN: "nothing", WORKFLOW_TOKEN: token };
    return (await environmentFindings([files], { isCi, env })).map(({ kind, text, repair }) => [
        kind,
        text,
        repair?.by,
    ]);
}
const protectedOnly = { deployment_branch_policy: { protected_branches: true, custom_branch_policies: false } };

test.each<[string, Parameters<typeof ofEnvironment>, unknown[][]]>([
    ["is restricted", [false, protectedOnly], []],
    ["is open to every branch", [false, {}], [["drift", expect.stringMatching(/^every branch may use it/), "command"]]],
    [
        "is open in a private repository, where it may have to be",
        [true, {}],
        [["note", expect.stringMatching(/^every/), "command"]],
    ],
    ["does not exist", [false, undefined], [["drift", expect.stringMatching(/^it does not exist/), "command"]]],
    [
        "can't be seen",
        [true, {}, "nothing"],
        [["note", expect.stringMatching(/can't be seen: .*may not read/), undefined]],
    ],
    ["is no matter of a stack that CI does not update", [false, {}, "actions", false], []],
])("the environment of updates %s", async (_, given, expected) => {
    expect(await ofEnvironment(...given)).toEqual(expected);
});
