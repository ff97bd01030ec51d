import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labToken } from "../../lab/github/defaults";
import { type DeployedResource, changedSecrets } from "../../lib/changedSecrets";
import type { ImageDefinitions } from "../../lib/images";
import { workflowFiles } from "../../workflows/files";
import { workflowLayers } from "../../workflows/layers";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { type StandInRepository, standInRepository } from "../standIn";
import { imageOutputs, up } from "../stack";
import { writeTree } from "../tree";

/* Secrets, variables and workflow files with the real GitHub provider, on the lab's stand-in. */

const settings = `  layered-images:platforms: ["linux/amd64"]
  layered-images:github:
    repository: cs24-1-bot
  github:writeDelayMs: "0"
  github:retryDelayMs: "10"
`;
const token = "hunter2-of-discord";
const testYml = ".github/workflows/test.yml";
const lintYml = ".github/workflows/lint.yml";

let lab: TestLab;
let program: string;
let github: StandInRepository;

const setSecret = (key: string, value: string) =>
    runIn(lab, program, "pulumi", ["config", "set", "--secret", "--path", `repositorySecrets.${key}`, value]);
const refreshFiles = () =>
    runIn(lab, program, "pulumi", [
        "refresh",
        "--yes",
        "--skip-preview",
        "--target",
        "**github:index/repositoryFile:RepositoryFile::**",
    ]);
const push = (file: string, text: string) =>
    github.control("POST", `${github.where}/push`, { files: { [file]: text } });

beforeAll(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "repository"), { ...fixture, ...configWith(settings) });
    github = standInRepository(lab);
    await setSecret("DISCORD_TOKEN", token);
    await setSecret("INDEX.value", "another");
    await runIn(lab, program, "pulumi", ["config", "set", "--path", "repositorySecrets.INDEX.dependabot", "true"]);
    await runIn(lab, program, "pulumi", ["config", "set", "--path", "repositorySecrets.INDEX.codespaces", "true"]);
});
afterAll(async () => {
    await lab.close();
});

test("one `up` makes images, secrets, variables and workflow files", async () => {
    const { code, output } = await up(lab, program);
    expect(output).not.toContain(token);
    expect(code).toBe(0);
    expect(await github.secret("actions", "DISCORD_TOKEN")).toBe(token);
    for (const kind of ["actions", "dependabot", "codespaces"] as const) {
        expect(await github.secret(kind, "INDEX")).toBe("another");
    }
    expect(Object.keys(github.state().secrets.dependabot)).toEqual(["INDEX"]);
    const outputs = await imageOutputs(lab, program);
    const variables = Object.entries(github.state().variables).map(([name, { value }]) => [name, value]);
    expect(Object.fromEntries(variables)).toEqual({
        BASE_IMAGE: outputs.base?.ref,
        CI_IMAGE: outputs.ci?.ref,
        BOT_IMAGE: outputs.bot?.ref,
    });
    const { images } = (await import(path.join(program, "images.ts"))) as { images: ImageDefinitions };
    const files = workflowFiles(workflowLayers(program, images), "main");
    expect(Object.keys(files)).toContain(testYml);
    for (const [file, text] of Object.entries(files)) expect(github.file(file)).toBe(text);
    const commits = github.messages().slice(0, -1);
    expect(commits).toHaveLength(Object.keys(files).length);
    expect(commits.filter((message) => !message.includes("[skip ci]"))).toEqual([]);
});

test("no secret value is readable in plans, state, logs and data of the lab, or the stack's file", async () => {
    await setSecret("DISCORD_TOKEN", `${token}-2`);
    const plan = await runIn(lab, program, "pulumi", ["preview", "--diff"]);
    const json = await runIn(lab, program, "pulumi", ["preview", "--json", "--show-sames"]);
    const state = await runIn(lab, program, "pulumi", ["stack", "export"]);
    await setSecret("DISCORD_TOKEN", token);
    for (const { output } of [plan, json, state]) {
        expect(output).toContain("DISCORD_TOKEN");
        expect(output).not.toContain(token);
        expect(output).not.toContain(labToken);
    }
    // grep ends with 1 when it found nothing; program, state, logs, registry and the stand-in's data lie below.
    const found = await runIn(lab, program, "grep", ["--recursive", "--files-with-matches", token, lab.paths.state]);
    expect(found).toMatchObject({ code: 1, output: "" });
});

test("a second `up` changes nothing, also with another token", async () => {
    expect(await up(lab, program)).toMatchObject({ code: 0, onGitHub: {}, operations: {} });
    await github.control("PUT", "tokens/another-token", { login: "colleague", scopes: ["repo", "workflow"] });
    const { env } = lab;
    Object.assign(lab, { env: { ...env, GITHUB_TOKEN: "another-token" } });
    try {
        expect(await up(lab, program)).toMatchObject({ code: 0, onGitHub: {}, operations: {} });
    } finally {
        Object.assign(lab, { env });
    }
});

describe("one change updates one thing", () => {
    test("a secret", async () => {
        await setSecret("DISCORD_TOKEN", "hunter3");
        expect((await up(lab, program)).onGitHub).toEqual({ "repository-DISCORD_TOKEN": "update" });
        expect(await github.secret("actions", "DISCORD_TOKEN")).toBe("hunter3");
    });

    test("an image's variable", async () => {
        writeTree(program, { "requirements/dev.txt": "# changed\n" });
        expect((await up(lab, program)).onGitHub).toEqual({ "repository-CI_IMAGE": "update" });
        expect(github.state().variables.CI_IMAGE?.value).toBe((await imageOutputs(lab, program)).ci?.ref);
    });

    test("a workflow that is there no longer is removed, and nothing else", async () => {
        const others = Object.keys(github.files()).filter((file) => file !== lintYml);
        const source = path.join(program, "workflows/files.ts");
        const text = readFileSync(source, "utf8");
        writeFileSync(
            source,
            text.replace(
                "reviewWorkflow(branch)];",
                'reviewWorkflow(branch)].filter(({ file }) => file !== "lint.yml");',
            ),
        );
        expect((await up(lab, program)).onGitHub).toEqual({ [`workflows-${lintYml}`]: "delete" });
        expect(Object.keys(github.files())).toEqual(others);
        writeFileSync(source, text);
        expect((await up(lab, program)).onGitHub).toEqual({ [`workflows-${lintYml}`]: "create" });
    });

    test("a secret that is configured no longer is removed, and nothing else", async () => {
        await runIn(lab, program, "pulumi", ["config", "rm", "--path", "repositorySecrets.INDEX"]);
        const gone = ["", "-dependabot", "-codespaces"].map((kind) => [`repository-INDEX${kind}`, "delete"]);
        expect((await up(lab, program)).onGitHub).toEqual(Object.fromEntries(gone));
        expect(Object.keys(github.state().secrets.actions)).toEqual(["DISCORD_TOKEN"]);
    });
});

describe("what changed outside", () => {
    test("a workflow file that already is what it shall be makes no commit", async () => {
        const wanted = github.file(testYml) ?? "";
        await push(testYml, `${wanted}# edited\n`);
        await push(testYml, wanted);
        const before = github.messages().length;
        await refreshFiles();
        expect(await up(lab, program)).toMatchObject({ code: 0, onGitHub: {} });
        expect(github.messages()).toHaveLength(before);
    });

    test("one that was changed to something else is put right in one run, even when it lost its header", async () => {
        const wanted = github.file(testYml);
        await push(testYml, "on: push\n");
        await refreshFiles();
        const outcome = await up(lab, program);
        expect(outcome).toMatchObject({ code: 0, onGitHub: { [`workflows-${testYml}`]: "update" } });
        expect(github.file(testYml)).toBe(wanted);
    });

    test("one that was deleted comes back", async () => {
        const wanted = github.file(lintYml);
        await github.control("POST", `${github.where}/push`, { files: { [lintYml]: null } });
        await refreshFiles();
        expect((await up(lab, program)).onGitHub).toEqual({ [`workflows-${lintYml}`]: "create" });
        expect(github.file(lintYml)).toBe(wanted);
    });

    test("a secret is seen after a refresh and put right", async () => {
        await github.control("PUT", `${github.where}/secrets/actions/DISCORD_TOKEN`, { value: "theirs" });
        await runIn(lab, program, "pulumi", ["refresh", "--yes", "--skip-preview", "--target", "**ActionsSecret::**"]);
        const { stdout } = await runIn(lab, program, "pulumi", ["stack", "export"]);
        const { deployment } = JSON.parse(stdout) as { deployment: { resources: DeployedResource[] } };
        const changed = changedSecrets(deployment.resources);
        expect(changed).toEqual([expect.stringMatching(/::repository-DISCORD_TOKEN$/)]);
        const outcome = await up(lab, program, ...changed.flatMap((urn) => ["--replace", urn]));
        expect(Object.keys(outcome.onGitHub)).toEqual(["repository-DISCORD_TOKEN"]);
        expect(await github.secret("actions", "DISCORD_TOKEN")).toBe("hunter3");
        expect((await up(lab, program)).onGitHub).toEqual({});
    });
});
