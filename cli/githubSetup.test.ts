import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe } from "mocha";
import { revealEnvironmentSecret } from "../lab/github/sealedBox";
import { type TestStandIn, startTestStandIn } from "../lab/github/testing";
import { setupPermissions } from "../lib/github/permissions";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { type SetupOptions, type SetupReport, makeSetup, setupExit, setupText } from "./githubSetup";

const files: Readonly<Record<string, string>> = {
    "Pulumi.yaml": "name: images\nruntime: nodejs\n",
    "Pulumi.ci.yaml": "config:\n  github:owner: acme\n  images:github:\n    repository: tool\n    branch: trunk\n",
    "images.ts": `export const images = {
    base: { description: "", name: "ghcr.io/acme/base:latest", dockerfile: "Dockerfile", platforms: ["linux/amd64"], additionalNames: ["quay.io/acme/base:latest"] },
};
`,
    Dockerfile: "FROM debian:12\n",
};

/** A token of the owner, with exactly what --help and docs/operations.md name. */
const owner = {
    login: "owner",
    permissions: {
        ...{ actions: "read", administration: "write", environments: "write" },
        ...{ secrets: "write", actions_variables: "write" },
    },
};

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
    await github.control("PUT", "tokens/owner", owner);
    await github.control("PATCH", "repositories/acme/tool", { private: true, defaultBranch: "trunk" });
});
afterEach(async () => {
    await github.remove();
});

const setUp = (options: SetupOptions = {}, env: NodeJS.ProcessEnv = {}, more: Readonly<Record<string, string>> = {}) =>
    makeSetup(
        tree({ ...files, ...more }),
        options,
        { GITHUB_BASE_URL: github.url, GITHUB_TOKEN: "owner", ...env },
        () => "from stdin\n",
    );
const states = ({ items }: SetupReport) => Object.fromEntries(items.map(({ what, state }) => [what, state]));
const secretOf = (environment: string, name: string) =>
    revealEnvironmentSecret(github.store.state, "acme/tool", environment, name);

const everything = {
    env: {
        PULUMI_CONFIG_PASSPHRASE: "phrase",
        AWS_ACCESS_KEY_ID: "id",
        AWS_SECRET_ACCESS_KEY: "key",
        REGISTRY_QUAY_IO_PASSWORD: "robot",
    },
    options: {
        apply: true,
        variable: [
            "PULUMI_BACKEND_URL=s3://state?region=eu-west-1",
            "AWS_REGION=eu-west-1",
            "REPOSITORY_APP_CLIENT_ID=Iv1",
            "REGISTRY_QUAY_IO_USERNAME=acme+robot",
        ],
        secret: [
            "PULUMI_CONFIG_PASSPHRASE",
            "AWS_ACCESS_KEY_ID",
            "up:AWS_SECRET_ACCESS_KEY",
            "REGISTRY_QUAY_IO_PASSWORD",
        ],
        stdin: "REPOSITORY_APP_KEY",
    },
} as const;

describe("a new owner", () => {
    test("sees everything that is missing, with the next step and the section that helps", async () => {
        const report = await setUp();
        expect(states(report)).toEqual({
            "environment up": "missing",
            "environment review": "missing",
            "reviewers of environment review": "missing",
            "stack ci": "done",
            backend: "missing",
            "token that writes to GitHub": "missing",
            "permissions of that token": "unknown",
            "packages on ghcr.io": "unknown",
            "variable REGISTRY_QUAY_IO_USERNAME": "missing",
            "secret REGISTRY_QUAY_IO_PASSWORD in environment up": "missing",
            "secret REGISTRY_QUAY_IO_PASSWORD in environment review": "missing",
        });
        expect(setupExit(report)).toBe(2);
        const missing = report.items.filter(({ state }) => state === "missing");
        expect(missing.filter(({ next }) => next === undefined)).toEqual([]);
        expect(setupText(report)).toMatch(
            /MISSING {2}environment up: .*\n +next: .*\n +docs\/operations\.md, "Who may see what"/,
        );
    });

    test("with stacks for pull requests, sets up their environment too, and each secret that its jobs read", async () => {
        const preview = {
            "workflows.ts": "export const workflows = { preview: {} };\n",
            "Pulumi.preview.yaml": 'config:\n  images:channel: "{stack}"\n',
        };
        const before = states(await setUp({ backend: "cloud" }, {}, preview));
        expect(before).toMatchObject({
            "environment preview": "missing",
            "secret PULUMI_ACCESS_TOKEN in environment preview": "missing",
            "secret REGISTRY_QUAY_IO_PASSWORD in environment preview": "missing",
        });
        const options = { backend: "cloud", apply: true, secret: ["PULUMI_ACCESS_TOKEN"] } as const;
        const report = await setUp(options, { PULUMI_ACCESS_TOKEN: "pul-0" }, preview);
        expect(report.failed).toEqual([]);
        expect(states(report)).toMatchObject({
            "environment preview": "done",
            "reviewers of environment preview": "missing",
            "secret PULUMI_ACCESS_TOKEN in environment preview": "done",
        });
        expect(secretOf("preview", "PULUMI_ACCESS_TOKEN")).toBe("pul-0");
        // Only these repositories have that environment.
        expect(Object.keys(states(await setUp())).filter((what) => what.includes("preview"))).toEqual([]);
    });

    test("sees what the chosen backend needs", async () => {
        const found = states(await setUp({ backend: "google-openid" }));
        expect(found).toMatchObject({
            backend: "done",
            "variable GOOGLE_SERVICE_ACCOUNT": "missing",
            "secret PULUMI_CONFIG_PASSPHRASE in environment up": "missing",
            "secret PULUMI_CONFIG_PASSPHRASE in environment review": "missing",
        });
    });

    test("sets it up, with each environment's secrets, and nothing is left", async () => {
        const report = await setUp(everything.options, everything.env);
        expect(report.failed).toEqual([]);
        expect(Object.entries(states(report)).filter(([, state]) => state !== "done")).toEqual([
            ["reviewers of environment review", "missing"],
            ["secret AWS_SECRET_ACCESS_KEY in environment review", "missing"],
            ["permissions of that token", "unknown"],
            ["packages on ghcr.io", "unknown"],
        ]);
        const again = await setUp(
            { apply: true, secret: ["review:AWS_SECRET_ACCESS_KEY"] },
            // A backend of this machine is not the one that jobs use.
            { AWS_SECRET_ACCESS_KEY: "reads", PULUMI_BACKEND_URL: "file:///tmp/state" },
        );
        expect(setupExit(again)).toBe(0);
        expect(["up", "review"].map((one) => secretOf(one, "AWS_SECRET_ACCESS_KEY"))).toEqual(["key", "reads"]);
        expect(secretOf("up", "REPOSITORY_APP_KEY")).toBe("from stdin");
        expect(secretOf("review", "REPOSITORY_APP_KEY")).toBeUndefined();
        expect(JSON.stringify([report, again])).not.toMatch(/phrase"|robot"|from stdin/);
        const repository = github.store.state.repositories["acme/tool"];
        expect(repository?.environments?.up).toMatchObject({
            branchPolicy: "custom",
            patterns: [{ name: "trunk", type: "branch" }],
        });
        expect(repository?.variables.REGISTRY_QUAY_IO_USERNAME?.value).toBe("acme+robot");
    });

    test("changes nothing by doing it again", async () => {
        await setUp({ apply: true });
        const before = JSON.parse(JSON.stringify(github.store.state.repositories["acme/tool"]?.environments)) as object;
        await setUp({ apply: true });
        expect(github.store.state.repositories["acme/tool"]?.environments).toEqual(before);
        expect(setupExit(await setUp({ apply: true, variable: ["AWS_REGION=eu-west-2"] }))).toBe(2);
        expect(github.store.state.repositories["acme/tool"]?.variables.AWS_REGION?.value).toBe("eu-west-2");
    });
});

describe("rules that somebody made", () => {
    const environment = (body: object) => github.repo("PUT", "environments/up", body, { token: "owner" });

    test("stay where the branch is restricted", async () => {
        const { id } = github.store.state.accounts.lab ?? {};
        expect((await environment({ reviewers: [{ type: "User", id }] })).status).toBe(200);
        expect(states(await setUp({ apply: true }))["environment up"]).toBe("done");
        expect(github.store.state.repositories["acme/tool"]?.environments?.up).toMatchObject({
            reviewers: [{ type: "User", id }],
            branchPolicy: "custom",
        });
    });

    test.each([
        ["no rule", null, [], /every branch may use it and read its secrets, instead of trunk alone/],
        ["another branch", "custom", ["trunk", "release/*"], /release\/\* may use it too, instead of trunk alone/],
        ["the branch missing", "custom", [], /branch trunk may not use it/],
    ])("that are wrong are named: %s", async (_, policy, patterns, text) => {
        const custom = policy === null ? null : { protected_branches: false, custom_branch_policies: true };
        await environment({ deployment_branch_policy: custom });
        for (const name of patterns)
            await github.repo("POST", "environments/up/deployment-branch-policies", { name }, { token: "owner" });
        const { items } = await setUp();
        expect(items[0]).toMatchObject({
            state: "missing",
            what: "environment up",
            text: expect.stringMatching(text) as string,
        });
    });
});

describe("what can't be seen", () => {
    test("without a token is unknown, and not missing", async () => {
        const report = await setUp({}, { GITHUB_TOKEN: "" });
        expect(states(report)).toMatchObject({ "environment up": "unknown", "token that writes to GitHub": "unknown" });
        expect(report.items[0]).toMatchObject({
            text: "GITHUB_TOKEN is not set",
            next: expect.stringContaining("github-setup") as string,
        });
    });

    test("with a lesser token is unknown, and what it may not do is said for each", async () => {
        await github.control("PUT", "tokens/lesser", { login: "owner", permissions: { actions: "read" } });
        const report = await setUp({ apply: true, variable: ["AWS_REGION=x"] }, { GITHUB_TOKEN: "lesser" });
        expect(report.applied).toEqual([]);
        expect(report.failed).toEqual([
            expect.stringMatching(/^environment up, for trunk alone: .*this token may not create the environment up/),
            expect.stringMatching(/^environment review: /),
            expect.stringMatching(/^variable AWS_REGION: /),
        ]);
        expect(setupExit(report)).toBe(1);
        expect(states(report)["token that writes to GitHub"]).toBe("unknown");
    });
});

describe("what the organization shares", () => {
    test("is there, and the better place for a secret is named", async () => {
        await github.control("PATCH", "repositories/acme/tool", {
            organization: { secrets: ["PULUMI_ACCESS_TOKEN"], variables: { REPOSITORY_APP_CLIENT_ID: "Iv1" } },
        });
        const report = await setUp();
        expect(states(report)).toMatchObject({
            backend: "done",
            "secret PULUMI_ACCESS_TOKEN in environment up": "done",
            "secret PULUMI_ACCESS_TOKEN in environment review": "done",
            // The App is known, so its key is what is missing, and not a token.
            "secret REPOSITORY_APP_KEY in environment up": "missing",
        });
        expect(setupText(report)).toContain(
            "secret PULUMI_ACCESS_TOKEN in environment up: the organization has it, so whoever may push a branch can read it",
        );
    });

    test("is not known to be missing where the token may not list it", async () => {
        await github.control("PUT", "refusal", {
            ...{ path: "/actions/organization-", status: 403, message: "Resource not accessible by integration" },
        });
        expect(states(await setUp())["token that writes to GitHub"]).toBe("unknown");
    });
});

describe("a change that GitHub refuses is not reported as done, and the next step is one that helps:", () => {
    const accepted = { "x-accepted-github-permissions": "administration=write" };
    test.each<[string, { status: number; message: string; headers?: Record<string, string> }, RegExp]>([
        [
            "the token of a person who may only write",
            { status: 404, message: "Not Found" },
            /next: use the token of a person who may administer the repository, with .*Administration: read and write/,
        ],
        [
            "a token without the permission",
            { status: 403, message: "Resource not accessible by personal access token", headers: accepted },
            /next: give it the repository permission Administration: read and write$/,
        ],
        [
            "a person who may not",
            { status: 403, message: "Must have admin rights to Repository." },
            /Must have admin rights[^]*next: use the token of a person who may administer the repository/,
        ],
        [
            "a private repository on a plan without rules",
            {
                status: 422,
                message:
                    "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers protection rule.",
            },
            /the plan of the repository's owner has this for public repositories only/,
        ],
    ])("%s", async (_, answer, text) => {
        await github.control("PUT", "refusal", { method: "PUT", path: "/environments/up", ...answer });
        const { applied, failed, items } = await setUp({ apply: true });
        expect(applied).toEqual(["environment review"]);
        expect(failed).toEqual([expect.stringMatching(text)]);
        expect(setupExit({ failed, items })).toBe(1);
    });
});

describe("the repository", () => {
    /** A checkout without CI's stack, whose remote has that address. */
    const checkout = (address: string) => {
        const others = Object.fromEntries(Object.entries(files).filter(([name]) => name !== "Pulumi.ci.yaml"));
        const root = tree(others);
        for (const args of [
            ["init", "--quiet"],
            ["remote", "add", "origin", address],
        ])
            execFileSync("git", args, { cwd: root });
        return root;
    };
    const found = (address: string, env: NodeJS.ProcessEnv = {}) =>
        makeSetup(checkout(address), {}, { PATH: process.env.PATH, GITHUB_TOKEN: "", ...env });

    test("is that of git's remote", async () => {
        expect((await found("git@github.com:acme/tool.git")).repository).toBe("acme/tool");
        const named = { GITHUB_BASE_URL: "https://git.acme.example/" };
        expect((await found("https://git.acme.example/acme/tool", named)).repository).toBe("acme/tool");
    });

    test.each(["git@gitlab.com:acme/tool.git", "https://user:hunter2@git.acme.example/acme/tool.git"])(
        "is not looked for on github.com where the remote is elsewhere, and no token is sent there: %s",
        async (address) => {
            const failing = found(address, { GITHUB_TOKEN: "t0ken" });
            await expect(failing).rejects.toThrow(
                /nothing says that this is a GitHub server[^]*GITHUB_BASE_URL=https:/,
            );
            await expect(failing).rejects.not.toThrow("hunter2");
        },
    );

    test("with another default branch is refused before an environment is restricted to a branch that there is not", async () => {
        await github.control("PATCH", "repositories/acme/tool", { private: false, defaultBranch: "develop" });
        await expect(setUp({ apply: true })).rejects.toThrow(
            /branch trunk, and acme\/tool has none of that name: its default branch is develop\n {2}next: pulumi config set --stack ci --path github\.branch 'develop'/,
        );
        expect(github.store.state.repositories["acme/tool"]?.environments).toBeUndefined();
    });
});

test.each<[string, SetupOptions, RegExp]>([
    [
        "a variable that no workflow reads",
        { apply: true, variable: ["AWS_REGON=x"] },
        /no workflow reads AWS_REGON\n {2}allowed: .*AWS_REGION/,
    ],
    [
        "a variable with a password in it",
        { apply: true, variable: ["PULUMI_BACKEND_URL=postgres://up:word@db.example/state"] },
        /PULUMI_BACKEND_URL holds a password.*\n {2}next: .*--secret PGPASSWORD/,
    ],
    ["a variable without a value", { apply: true, variable: ["AWS_REGION"] }, /AWS_REGION has no value/],
    [
        "a secret without a value",
        { apply: true, secret: ["REPOSITORY_TOKEN"] },
        /the environment variable REPOSITORY_TOKEN is not set/,
    ],
    [
        "a secret for the wrong environment",
        { apply: true, secret: ["review:REPOSITORY_TOKEN"] },
        /no job in environment review reads REPOSITORY_TOKEN/,
    ],
    ["a change without --apply", { stdin: "REPOSITORY_TOKEN" }, /add --apply/],
    ["a repository that is none", { github: "acme" }, /--github is acme\n {2}allowed: <owner>\/<name>/],
])("%s is refused before anything changes", async (_, options, message) => {
    await expect(setUp(options)).rejects.toThrow(message);
    expect(github.store.state.repositories["acme/tool"]?.environments).toBeUndefined();
});

test("a change without a token names the permissions that one needs", async () => {
    await expect(setUp({ apply: true }, { GITHUB_TOKEN: "" })).rejects.toThrow(setupPermissions);
    expect(setupPermissions).toBe(
        "Secrets: read and write, Variables: read and write, Environments: read and write, Actions: read, Administration: read and write",
    );
});
