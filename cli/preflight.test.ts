import { after, afterEach, before, beforeEach, describe } from "mocha";
import { type TestStandIn, startTestStandIn } from "../lab/github/testing";
import { network } from "../lib/system/connections";
import { expect, spyOn, test } from "../tests/mocha";
import { withPrograms } from "../tests/programs";
import { tree } from "../tests/tree";
import { findMissing, missingText, preflight, type Use } from "./preflight";

const files: Readonly<Record<string, string>> = {
    "Pulumi.yaml": "name: images\nruntime: nodejs\n",
    // The passphrase is "lab".
    "Pulumi.ci.yaml": `config:
  github:owner: acme
  images:github:
    repository: tool
  images:repositorySecrets:
    A:
      secure: v1:a:b
    B:
      value:
        secure: v1:a:b
      environment: up
encryptionsalt: v1:DRDI6WCkP8w=:v1:29rKpGK4WbQtbVzr:tMXilMgD5kYYvf9gz1LaYzmkDMMHJQ==
`,
};

/** A `pulumi` with these stacks, or one that fails with this error. */
const pulumi = (stacks: string, version = "v3.250.0") =>
    `case "$1" in version) echo ${version};; stack) ${stacks};; esac\n`;
const withCi = `echo '[{"name":"ci"}]'`;

let github: TestStandIn;
before(async () => {
    github = await startTestStandIn();
    await github.control("PUT", "tokens/setup", { login: "owner", permissions: { administration: "write" } });
});
after(async () => {
    await github.remove();
});

const found = async (use: Use, env: NodeJS.ProcessEnv = {}, stacks = withCi, version?: string) => {
    withPrograms({ pulumi: pulumi(stacks, version) });
    const surroundings = {
        PATH: process.env.PATH,
        PULUMI_CONFIG_PASSPHRASE: "lab",
        GITHUB_BASE_URL: github.url,
        ...env,
    };
    return await findMissing(tree(files), "ci", surroundings, use);
};
const problems = async (...given: Parameters<typeof found>) =>
    (await found(...given)).map(({ error, stops }) => `${stops ? "stops" : "goes on"}: ${error.message}`);

test("a run that lacks everything says all of it at once, in Actions without a command for a terminal", async () => {
    const failing = `echo "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions" >&2; exit 255`;
    const missing = await found(
        "update",
        { PULUMI_CONFIG_PASSPHRASE: "", GITHUB_ACTIONS: "true", WORKFLOW_TOKEN: "setup" },
        failing,
    );
    const text = missingText(missing);
    const [stop = "", rest = ""] = text.split("the run goes on without:");
    expect(stop).toMatch(
        /^this stops the run:\n {2}- the stacks can't be listed[\s\S]* {2}- .*PULUMI_CONFIG_PASSPHRASE is empty/,
    );
    expect(rest).toMatch(/GITHUB_TOKEN is not set: images are published/);
    expect(rest).toMatch(/environment up: it does not exist/);
    expect(rest).toMatch(/environment review: it does not exist/);
    expect(missing.filter(({ error }) => error.input.next === undefined)).toEqual([]);
    expect(text).not.toMatch(/export |pulumi login/);
    expect(text.match(/docs\/operations\.md, "/g)).toHaveLength(5);
});

describe("one thing that is missing", () => {
    test.each<[string, Use, NodeJS.ProcessEnv, string, RegExp[]]>([
        ["nothing", "update", {}, withCi, []],
        [
            "the stack",
            "read",
            {},
            `echo '[{"name":"dev"}]'`,
            [/^stops: there is no stack "ci".*\n {2}allowed: dev\n {2}next: pulumi stack init ci/],
        ],
        [
            "a passphrase that is wrong",
            "review",
            { PULUMI_CONFIG_PASSPHRASE: "lap" },
            withCi,
            [/^stops: .*not the passphrase of this stack[\s\S]*export PULUMI/],
        ],
        [
            "a passphrase that is not there",
            "update",
            { PULUMI_CONFIG_PASSPHRASE: undefined },
            withCi,
            [/^stops: .*is not set/],
        ],
        ["a passphrase that nothing needs", "read", { PULUMI_CONFIG_PASSPHRASE: "lap" }, withCi, []],
    ])("%s", async (_, use, env, stacks, expected) => {
        expect(await problems(use, env, stacks)).toEqual(expected.map((text) => expect.stringMatching(text) as string));
    });

    test("is the only thing said of a `pulumi` that is too old", async () => {
        expect(await problems("update", {}, "echo no list", "v3.1.0")).toEqual([
            expect.stringMatching(/^stops: pulumi v?3\.1\.0 is too old/),
        ]);
    });

    test("ends the run with its own message", async () => {
        withPrograms({ pulumi: pulumi(`echo '[]'`) });
        const env = { PATH: process.env.PATH, PULUMI_CONFIG_PASSPHRASE: "lab" };
        await expect(preflight(tree(files), "ci", env, "update")).rejects.toThrow(
            /^there is no stack "ci"[^]*next: pulumi stack init ci, .*\(docs\/operations\.md, "Where the state is stored"\)$/,
        );
    });
});

describe("on GitHub", () => {
    const inActions = { GITHUB_ACTIONS: "true" };
    beforeEach(async () => {
        const policy = { deployment_branch_policy: { protected_branches: false, custom_branch_policies: true } };
        await github.repo("PUT", "environments/up", policy, { token: "setup" });
        await github.repo("POST", "environments/up/deployment-branch-policies", { name: "main" }, { token: "setup" });
        await github.repo("PUT", "environments/review", {}, { token: "setup" });
    });
    afterEach(async () => {
        await github.control("PUT", "limits", {});
    });

    test("nothing is missing with the permissions that docs/operations.md names", async () => {
        await github.control("PUT", "tokens/full", {
            login: "bot",
            permissions: {
                contents: "write",
                workflows: "write",
                secrets: "write",
                actions_variables: "write",
                environments: "write",
            },
        });
        expect(await problems("update", { ...inActions, GITHUB_TOKEN: "full", WORKFLOW_TOKEN: "setup" })).toEqual([]);
    });

    test("each permission that the token lacks is named, and stops nothing", async () => {
        await github.control("PUT", "tokens/few", {
            login: "bot",
            permissions: { contents: "write", workflows: "write" },
        });
        expect(await problems("update", { ...inActions, GITHUB_TOKEN: "few" })).toEqual([
            expect.stringMatching(/^goes on: .*may not use variables of acme\/tool/),
            expect.stringMatching(/^goes on: .*may not use secrets of acme\/tool \(secrets\)/),
            expect.stringMatching(/^goes on: .*may not use secrets of acme\/tool \(environment up\)/),
        ]);
    });

    test("a token that GitHub does not know is said once", async () => {
        expect(await problems("update", { ...inActions, GITHUB_TOKEN: "gone" })).toEqual([
            expect.stringMatching(/^goes on: .*GitHub does not know this token/),
        ]);
    });

    test("an environment that every branch may use is named", async () => {
        await github.repo("PUT", "environments/up", {}, { token: "setup" });
        const [problem, ...others] = await problems("review", { ...inActions, GITHUB_TOKEN: "setup" });
        expect(problem).toMatch(
            /^goes on: environment up: every branch may use it .*instead of main alone\n {2}next: .*github-setup/,
        );
        expect(others).toEqual([]);
    });

    test("a job on another server than the stack names stops before a token is sent anywhere", async () => {
        const fetched = spyOn(network, "fetch");
        const server = "https://git.acme.example";
        const found = await problems("update", {
            ...{ ...inActions, GITHUB_BASE_URL: "", GITHUB_TOKEN: "t0ken", WORKFLOW_TOKEN: "t0ken" },
            ...{ GITHUB_SERVER_URL: server, GITHUB_API_URL: `${server}/api/v3` },
        });
        expect(found).toEqual([
            expect.stringMatching(
                /^stops: this job runs on https:\/\/git\.acme\.example, [^]*pulumi config set github:baseUrl https:\/\/git\.acme\.example\/$/,
            ),
        ]);
        expect(fetched).not.toHaveBeenCalled();
    });

    test("nothing is asked by an update from a machine of somebody", async () => {
        const before = (await github.control("GET", "requests")) as unknown[];
        expect(await problems("update", { GITHUB_TOKEN: "gone" })).toEqual([]);
        expect(await github.control("GET", "requests")).toHaveLength(before.length);
    });
});
