import { fn } from "jest-mock";
import { expect, spyOn, test } from "../../tests/mocha";
import type { Resource } from "../engine/state";
import { network } from "../system/connections";
import { filesDiffer } from "./status";

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
