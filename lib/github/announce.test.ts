import { after, before } from "mocha";
import { type TestStandIn, startTestStandIn } from "../../lab/github/testing";
import { readState } from "../../lab/github/store";
import { expect, stubEnv, test } from "../../tests/mocha";
import { dispatchReleases, recordDeployments } from "./announce";
import type { GitHubTarget } from "./api";

let github: TestStandIn;
let target: GitHubTarget;
before(async () => {
    github = await startTestStandIn();
    ({ target } = github);
});
after(async () => {
    await github.remove();
});

const ref = `ghcr.io/acme/bot@sha256:${"1".repeat(64)}`;
const release = { image: "bot", ref, release: "r-111111111111" };
const repository = () => readState(github.file).repositories["acme/tool"];
/** A target with a fine-grained token that has these permissions. */
async function withToken(permissions: Readonly<Record<string, string>>): Promise<GitHubTarget> {
    await github.control("PUT", "tokens/narrow", { login: "acme", permissions });
    return { ...target, token: "narrow" };
}

test("an event says which image has which release", async () => {
    expect(await dispatchReleases(target, [release])).toEqual([]);
    expect(repository()?.dispatches).toEqual([{ type: "image-promoted", payload: release }]);
});

test("a record names environment, release and commit; its status comes from who deploys", async () => {
    stubEnv("GITHUB_SERVER_URL", "https://github.example");
    stubEnv("GITHUB_REPOSITORY", "acme/tool");
    stubEnv("GITHUB_RUN_ID", "7");
    const { main = "" } = repository()?.branches ?? {};
    const long = `${ref} runs${" and runs".repeat(20)}`;
    const records = [
        { ...release, environment: "bot" },
        { ...release, environment: "production", state: "failure", description: long } as const,
    ];
    expect(await recordDeployments(target, records)).toEqual([]);
    expect(await recordDeployments(target, [{ ...release, environment: "bot", commit: main }])).toEqual([]);
    expect(repository()?.deployments).toMatchObject([
        { environment: "bot", sha: main, ref: "main", payload: release, statuses: [] },
        {
            environment: "production",
            description: "image bot, release r-111111111111",
            statuses: [{ state: "failure", description: long.slice(0, 140) }],
        },
        { ref: main, sha: main },
    ]);
});

test("what GitHub refuses is left to do, each with its reason, and an event with its command", async () => {
    const narrow = await withToken({ contents: "read" });
    const [event, ...more] = await dispatchReleases(narrow, [release]);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ announcement: release, isOfToken: true });
    expect(event?.line).toMatch(/^GitHub: event for image bot: /);
    expect(event?.line).toContain(
        "; the next `up` tries again; or by hand: gh api repos/acme/tool/dispatches -f event_type=image-promoted -f 'client_payload[image]=bot' " +
            `-f 'client_payload[ref]=${ref}' -f 'client_payload[release]=r-111111111111'`,
    );
    const [record] = await recordDeployments(narrow, [{ ...release, environment: "bot" }]);
    expect(record?.line).toMatch(
        /^GitHub: deployment record for bot: this token may not record .*; give it .*Deployments/,
    );
    const nowhere = { ...target, repository: "other" };
    const unknown = { ...release, environment: "bot", commit: "0".repeat(40) };
    expect([
        ...(await dispatchReleases(nowhere, [release])),
        ...(await recordDeployments(target, [unknown])),
    ]).toMatchObject([
        {
            line: expect.stringContaining("it answered 404; see that there is a repository acme/other") as string,
            isOfToken: false,
        },
        { line: expect.stringMatching(/it answered 422: .*; mend what GitHub names/) as string, isOfToken: false },
    ]);
});
