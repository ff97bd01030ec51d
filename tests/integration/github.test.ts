import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { loadDefinitions } from "../../definitions";
import { openCheckout } from "../../lib/context/checkout";
import { readAllVariable } from "../../lib/context/fileHashes";
import { imageVariable } from "../../lib/github/names";
import { labToken } from "../../lab/github/defaults";
import { workflowImages } from "../../workflows/images";
import { configWith, fixture, fixtureWorkflows, workflowsFile } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest, tags } from "../registry";
import { changesOf, command, exportState, generatedFiles, imageOutputs, noChanges, reviewPlan, up } from "../stack";
import { type StandInRepository, standInRepository } from "../standIn";
import { except } from "../thorough";
import { writeTree } from "../tree";

/* Secrets, variables and workflow files with the real GitHub provider, on the lab's stand-in. */

const settings = `  layered-images:platforms: ["linux/amd64"]
  layered-images:github:
    repository: cs24-1-bot
  github:writeDelayMs: "0"
  github:retryDelayMs: "10"
`;
/**
 * All values start with the same text, so that one search finds each of them; EDITOR's value is in a property that is
 * secret only because this program marks it.
 */
const canary = "hunter2-of-";
const token = `${canary}discord`;
const values = { DISCORD_TOKEN: token, "INDEX.value": `${canary}index`, "EDITOR.value": `${canary}editor` };
const testYml = ".github/workflows/test.yml";
const lintYml = ".github/workflows/lint.yml";

let lab: TestLab;
let program: string;
let github: StandInRepository;

const setSecrets = (secrets: Readonly<Record<string, string>>) => {
    const pairs = Object.entries(secrets).flatMap(([key, value]) => ["--secret", `repositorySecrets.${key}=${value}`]);
    return runIn(lab, program, "pulumi", ["config", "set-all", "--path", ...pairs]);
};
const refreshFiles = () =>
    runIn(lab, program, "pulumi", [
        "refresh",
        "--yes",
        "--skip-preview",
        "--target",
        "**github:index/repositoryFile:RepositoryFile::**",
    ]);
const push = (file: string, text: string | null) =>
    github.control("POST", `${github.where}/push`, { files: { [file]: text } });

before(async () => {
    lab = await startTestLab();
    const files = { ...fixture, ...workflowsFile(), ...configWith(settings), ".dockerignore": "*.log\n" };
    program = makeRepository(path.join(lab.paths.state, "repository"), files);
    github = standInRepository(lab);
    expect(await setSecrets(values)).toMatchObject({ code: 0 });
    await runIn(lab, program, "pulumi", ["config", "set", "--path", "repositorySecrets.INDEX.dependabot", "true"]);
    await runIn(lab, program, "pulumi", ["config", "set", "--path", "repositorySecrets.EDITOR.codespaces", "true"]);
});
after(async () => {
    await lab.close();
});

test("one `up` makes images, secrets, variables and workflow files, also where somebody made a variable before", async () => {
    await github.control("PUT", `${github.where}/variables/CI_IMAGE`, { value: "by hand" });
    const { code, output } = await up(lab, program);
    expect(output).toContain("replaced a variable that was on GitHub and not in the state: repository-CI_IMAGE");
    expect(output).not.toContain(canary);
    expect(code).toBe(0);
    expect(await github.secret("actions", "DISCORD_TOKEN")).toBe(token);
    for (const kind of ["actions", "dependabot"] as const) {
        expect(await github.secret(kind, "INDEX")).toBe(values["INDEX.value"]);
    }
    expect(await github.secret("codespaces", "EDITOR")).toBe(values["EDITOR.value"]);
    expect(Object.keys(github.state().secrets.dependabot)).toEqual(["INDEX"]);
    expect(Object.keys(github.state().secrets.codespaces)).toEqual(["EDITOR"]);
    const outputs = await imageOutputs(lab, program);
    const variables = Object.entries(github.state().variables).map(([name, { value }]) => [name, value]);
    expect(Object.fromEntries(variables)).toEqual({
        BASE_IMAGE: outputs.base?.ref,
        CI_IMAGE: outputs.ci?.ref,
        BOT_IMAGE: outputs.bot?.ref,
    });
    const files = await generatedFiles(lab, program);
    expect(Object.keys(files)).toContain(testYml);
    for (const [file, text] of Object.entries(files)) expect(github.file(file)).toBe(text);
    const commits = github.messages().slice(0, -1);
    expect(commits).toHaveLength(Object.keys(files).length);
    expect(commits.filter((message) => !message.includes("[skip ci]"))).toEqual([]);
});

/** An image's layers in one archive, uncompressed: a search finds no text in the compressed layers of the registry. */
async function unpacked(image: string): Promise<string> {
    const { ref } = (await imageOutputs(lab, program))[image] ?? {};
    const folder = path.join(lab.paths.state, `unpacked-${image}`);
    writeTree(folder, { Dockerfile: "FROM image\n" });
    const archive = path.join(folder, "image.tar");
    const output = `type=oci,dest=${archive},compression=uncompressed,force-compression=true`;
    const context = `image=docker-image://${ref ?? ""}`;
    const args = ["build", "--build-context", context, "--output", output, folder];
    expect(await runIn(lab, program, "buildx", args)).toMatchObject({ code: 0 });
    return archive;
}
/** Files in a folder, or the file itself, that contain this text; grep exits with 1 if it finds no match. */
const search = async (text: string, where: string) =>
    (await runIn(lab, program, "grep", ["--recursive", "--files-with-matches", text, where])).stdout.split("\n", 1)[0];

test("no secret value is readable in plans, state, logs and data of the lab, in layers, or the stack's file", async () => {
    const changed = Object.entries(values).map(([key, value]) => [key, `${value}-2`] as const);
    await setSecrets(Object.fromEntries(changed));
    const plan = await runIn(lab, program, "pulumi", ["preview", "--diff"]);
    const json = await runIn(lab, program, "pulumi", ["preview", "--json", "--show-sames"]);
    const state = await runIn(lab, program, "pulumi", ["stack", "export"]);
    await setSecrets(values);
    for (const { output } of [plan, json, state]) {
        for (const name of ["DISCORD_TOKEN", "INDEX-dependabot", "EDITOR-codespaces"]) expect(output).toContain(name);
        expect(output).not.toContain(canary);
        expect(output).not.toContain(labToken);
    }
    const bot = await unpacked("bot");
    expect(await search("hello from the bot", bot)).toBe(bot);
    await unpacked("ci");
    // This folder contains the program, state, logs, registry, the stand-in's data and the layers.
    expect(await search(canary, lab.paths.state)).toBe("");
});

/** Appends each file that a process opens for reading or copying to the file $OPENED, one per line. */
const noteOpened = `const fs = require("node:fs");
const note = fs.appendFileSync;
let inside = false;
for (const name of ["openSync", "readFileSync", "copyFileSync"]) {
    const real = fs[name];
    fs[name] = function (file, ...rest) {
        if (inside) return real.call(this, file, ...rest);
        inside = true;
        try {
            note(process.env.OPENED, require("node:path").resolve(String(file)) + "\\n");
            return real.call(this, file, ...rest);
        } finally {
            inside = false;
        }
    };
}
`;

test("a run opens each Dockerfile, ignore file and input once, for images and workflow files together", async () => {
    const preload = path.join(lab.paths.state, "note-opened.cjs");
    const opened = path.join(lab.paths.state, "opened");
    writeFileSync(preload, noteOpened);
    writeFileSync(opened, "");
    // Otherwise a file whose hash is remembered is not opened at all.
    const env = { ...lab.env, OPENED: opened, NODE_OPTIONS: `--require ${preload}`, [readAllVariable]: "1" };
    expect(await runIn({ ...lab, env }, program, "pulumi", ["preview"])).toMatchObject({ code: 0 });
    const all = readFileSync(opened, "utf8").split("\n");
    const { images } = loadDefinitions(program);
    const prepared = workflowImages(openCheckout(program), { images });
    const read = prepared.flatMap(({ definition, inputs, tests }) => [
        definition.dockerfile,
        ...[...inputs, ...(tests?.files ?? [])].map((input) => input.path),
    ]);
    const files = [...new Set([...read, ".dockerignore"])];
    expect(files.length).toBeGreaterThan(10);
    const times = (file: string) => all.filter((one) => one === path.join(program, file)).length;
    expect(Object.fromEntries(files.map((file) => [file, times(file)]))).toEqual(
        Object.fromEntries(files.map((file) => [file, 1])),
    );
});

test("a second `up` changes nothing, not even with another token", async () => {
    await github.control("PUT", "tokens/another-token", { login: "colleague", scopes: ["repo", "workflow"] });
    const { env } = lab;
    Object.assign(lab, { env: { ...env, GITHUB_TOKEN: "another-token" } });
    try {
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
    } finally {
        Object.assign(lab, { env });
    }
});

describe("one change updates one thing", () => {
    test("a secret", async () => {
        await setSecrets({ DISCORD_TOKEN: "hunter3" });
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
        const checks = fixtureWorkflows.checks.filter(({ file }) => file !== "lint.yml");
        writeTree(program, workflowsFile({ ...fixtureWorkflows, checks }));
        expect((await up(lab, program)).onGitHub).toEqual({ [`workflows-${lintYml}`]: "delete" });
        expect(Object.keys(github.files())).toEqual(others);
        writeTree(program, workflowsFile());
        expect((await up(lab, program)).onGitHub).toEqual({ [`workflows-${lintYml}`]: "create" });
    });

    test("a secret that is configured no longer is removed, and nothing else", async () => {
        await runIn(lab, program, "pulumi", ["config", "rm", "--path", "repositorySecrets.INDEX"]);
        const gone = ["", "-dependabot"].map((kind) => [`repository-INDEX${kind}`, "delete"]);
        expect((await up(lab, program)).onGitHub).toEqual(Object.fromEntries(gone));
        expect(Object.keys(github.state().secrets.actions).sort()).toEqual(["DISCORD_TOKEN", "EDITOR"]);
    });
});

describe("a secret of an environment", () => {
    const inEnvironment = "repository-DISCORD_TOKEN@up";
    const secretPlans = async () =>
        (await reviewPlan(lab, program)).repository
            .filter(({ kind }) => kind === "secret")
            .map(({ name, action }) => `${action} ${name}`);
    const statusLines = async () => (await command(lab, program, ["status"])).output;

    const config = async (...args: string[]) => {
        expect(await runIn(lab, program, "pulumi", ["config", ...args])).toMatchObject({ code: 0 });
    };

    test("that does not exist stays in the repository, and everything else goes on", async () => {
        const { secret } = github;
        const before = await secret("actions", "DISCORD_TOKEN");
        await config("rm", "--path", "repositorySecrets.DISCORD_TOKEN");
        await config("set", "--path", "repositorySecrets.DISCORD_TOKEN.environment", "up");
        await setSecrets({ "DISCORD_TOKEN.value": "hunter3" });
        const { code, output } = await up(lab, program);
        expect(code).toBe(1);
        expect(output).toMatch(/has no environment up, or the token .* may not use its secrets\n +next: make it/);
        expect(await secret("actions", "DISCORD_TOKEN")).toBe(before);
    });

    test("is created there before it leaves the repository, as the review says", async () => {
        await github.asOwner("PUT", "environments/up", {});
        expect(await secretPlans()).toEqual(["delete DISCORD_TOKEN", "create DISCORD_TOKEN (environment up)"]);
        const { onGitHub, code } = await up(lab, program);
        expect({ onGitHub, code }).toEqual({
            onGitHub: { [inEnvironment]: "create", "repository-DISCORD_TOKEN": "delete" },
            code: 0,
        });
        expect(Object.keys(onGitHub)).toEqual([inEnvironment, "repository-DISCORD_TOKEN"]);
        expect(await github.environmentSecret("up", "DISCORD_TOKEN")).toBe("hunter3");
        expect(github.state().secrets.actions).not.toHaveProperty("DISCORD_TOKEN");
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
    });

    test("is changed, and missed by status if somebody deletes it", async () => {
        await setSecrets({ "DISCORD_TOKEN.value": "hunter4" });
        expect((await up(lab, program)).onGitHub).toEqual({ [inEnvironment]: "update" });
        expect(await github.environmentSecret("up", "DISCORD_TOKEN")).toBe("hunter4");
        expect(await statusLines()).not.toContain("environment up");
        await github.asOwner("DELETE", "environments/up/secrets/DISCORD_TOKEN");
        expect(await statusLines()).toMatch(/secret DISCORD_TOKEN \(environment up\).*it was deleted on GitHub/);
    });

    test("goes back to the repository", async () => {
        await config("rm", "--path", "repositorySecrets.DISCORD_TOKEN");
        await setSecrets({ DISCORD_TOKEN: "hunter3" });
        const { code, output } = await command(lab, program, ["up", "--refresh"]);
        expect(code, output).toBe(0);
        expect(await github.secret("actions", "DISCORD_TOKEN")).toBe("hunter3");
        expect(github.state().environments?.up?.secrets).toEqual({});
    });
});

describe("what changed outside", () => {
    /** Renames a workflow in workflows.ts and returns the resulting text of its file. */
    const rename = (from: string, to: string): string => {
        const source = path.join(program, "workflows.ts");
        writeFileSync(source, readFileSync(source, "utf8").replaceAll(from, to));
        const before = github.file(lintYml) ?? "";
        const text = before.replaceAll(from, to);
        expect(text).not.toBe(before);
        return text;
    };

    test("a workflow file that was generated anew and pushed with its change makes no commit, refreshed or not", async () => {
        const pushed = rename("Linting Checks", "Linters");
        await push(lintYml, pushed);
        const before = github.messages().length;
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
        await refreshFiles();
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
        expect(github.messages()).toHaveLength(before);
        expect(github.file(lintYml)).toBe(pushed);
    });

    test.thorough(
        "one that was refused and came there by other hands is taken as it is by `npm run up`, without a commit",
        async () => {
            const wanted = rename("Linters", "Lint");
            await push(lintYml, `${wanted}# and more\n`);
            const conflict = await up(lab, program);
            expect(conflict.output).toMatch(
                /lint\.yml: 409 [\s\S]*next: .*pulumi refresh --target '.*RepositoryFile::/,
            );
            await push(lintYml, wanted);
            const before = github.messages().length;
            const { code, output } = await command(lab, program, ["up"]);
            expect(code, output).toBe(0);
            expect(changesOf(await up(lab, program))).toEqual(noChanges);
            expect(github.messages()).toHaveLength(before);
            expect(github.file(lintYml)).toBe(wanted);
        },
    );

    test("one that was changed to something else is put right by `npm run up`, even when it lost its header", async () => {
        const wanted = github.file(testYml);
        await push(testYml, "on: push\n");
        expect(await command(lab, program, ["up"])).toMatchObject({ code: 0 });
        expect(github.file(testYml)).toBe(wanted);
    });

    test("`npm run up -- --refresh` brings back what was deleted, and leaves a moved `latest` to `npm run status`", async () => {
        const wanted = github.file(lintYml);
        const tag = `${lab.instance.registry}/fixture/base:latest`;
        const { ref } = (await imageOutputs(lab, program)).ci ?? {};
        await push(lintYml, null);
        await runIn(lab, program, "buildx", ["imagetools", "create", "--tag", tag, ref ?? ""]);
        const promoted = (await exportState(lab, program)).base?.outputs.ref;
        expect(await command(lab, program, ["up", "--refresh"])).toMatchObject({ code: 0 });
        expect(github.file(lintYml)).toBe(wanted);
        expect((await exportState(lab, program)).base?.outputs.ref).toBe(promoted);
        const { output } = await command(lab, program, ["status"]);
        expect(output).toMatch(/base:latest points at .* instead of/);
    });

    test.thorough(
        "a secret is seen by `npm run up -- --refresh` and put right, with whatever else changed",
        async () => {
            await github.control("PUT", `${github.where}/secrets/actions/DISCORD_TOKEN`, { value: "theirs" });
            writeTree(program, { "requirements/dev.txt": "# changed again\n" });
            const before = github.state().variables.CI_IMAGE?.value;
            expect(await command(lab, program, ["up", "--refresh"])).toMatchObject({ code: 0 });
            expect(await github.secret("actions", "DISCORD_TOKEN")).toBe("hunter3");
            expect(github.state().variables.CI_IMAGE?.value).toBe((await imageOutputs(lab, program)).ci?.ref);
            expect(github.state().variables.CI_IMAGE?.value).not.toBe(before);
            expect((await up(lab, program)).onGitHub).toEqual({});
        },
    );
});

describe("a commit that a rule of the branch refuses is told with its rule and the ways around it:", () => {
    const rules = { pullRequest: true, approvals: 1, checks: ["test", "lint"], signatures: true, updates: true };
    const more = { locked: true, mergeQueue: true, codeScanning: "CodeQL", pushers: ["somebody"] };
    const named = ["Require a pull request before merging", "Require approvals", "Require status checks to pass"];
    const others = ["Require signed commits", "Require merge queue", "Lock branch", "Require code scanning results"];
    const byPullRequest = "github.delivery pull-request";
    let round = 0;
    const protect = (protections: object[], settings: object = {}) =>
        github.control("PATCH", github.where, { protections, ...settings });
    /** Generates another text of a workflow. */
    const change = () => {
        const checks = fixtureWorkflows.checks.map((check) => ({
            ...check,
            name: `${check.name} ${round.toString()}`,
        }));
        round++;
        writeTree(program, workflowsFile({ ...fixtureWorkflows, checks }));
    };
    after(async () => {
        await protect([], { signsCommits: true });
        writeTree(program, workflowsFile());
        expect((await up(lab, program)).code).toBe(0);
    });

    test.each(
        except<[string, object, readonly string[], boolean]>(
            ["branch protection", "a push rule"],
            [
                ["branch protection", { rules }, named, true],
                ["a ruleset", { by: "ruleset", rules: { ...rules, ...more } }, [...named, ...others], false],
                [
                    "a push rule",
                    { by: "ruleset", branches: ["*"], rules: { paths: [".github/"], maxFileSize: 10 } },
                    ["Restrict file paths", "Restrict file size"],
                    false,
                ],
            ],
        ),
    )("%s", async (_, protection, names, helps) => {
        await protect([protection], { signsCommits: false });
        change();
        const before = github.messages().length;
        const { code, output } = await up(lab, program);
        for (const name of names) expect(output).toContain(`"${name}"`);
        expect(output).toContain("let the App or user of GITHUB_TOKEN bypass the rule");
        expect(
            output.includes(`or propose the files by a pull request: pulumi config set --path ${byPullRequest}`),
        ).toBe(helps);
        expect(code).toBe(1);
        expect(github.messages()).toHaveLength(before);
    });

    test.thorough("who is on the bypass list commits", async () => {
        await protect([{ by: "ruleset", rules: { ...rules, ...more }, bypass: ["lab"] }]);
        change();
        const { code, output } = await up(lab, program);
        expect(code, output).toBe(0);
        expect(github.file(testYml)).toContain(`Testing Checks ${(round - 1).toString()}`);
    });
});

describe("what is on GitHub and not in the state", () => {
    test.thorough("a variable of a killed `up` is taken over", async () => {
        const { stdout } = await runIn(lab, program, "pulumi", ["stack", "--show-urns"]);
        const urn = /urn:\S+::repository-BOT_IMAGE/.exec(stdout)?.[0] ?? "";
        await runIn(lab, program, "pulumi", ["state", "delete", "--yes", urn]);
        const { value } = github.state().variables.BOT_IMAGE ?? {};
        expect(value).toContain("@sha256:");
        expect(await up(lab, program)).toMatchObject({ code: 0, onGitHub: { "repository-BOT_IMAGE": "create" } });
        expect(github.state().variables.BOT_IMAGE?.value).toBe(value);
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
    });

    test.thorough(
        "files that another branch has already are kept up to date there, and those of the first one stay",
        async () => {
            await github.control("POST", `${github.where}/push`, { branch: "dev", files: { [lintYml]: "on: push\n" } });
            const to = (branch: string) =>
                runIn(lab, program, "pulumi", ["config", "set", "--path", "github.branch", branch]);
            const files = github.files();
            await to("dev");
            expect(await up(lab, program)).toMatchObject({ code: 0 });
            expect(github.files("dev")).toEqual(files);
            expect(github.files()).toEqual(files);
            expect(changesOf(await up(lab, program))).toEqual(noChanges);
            await to("main");
            expect(await up(lab, program)).toMatchObject({ code: 0 });
            expect(github.files()).toEqual(files);
            expect(github.emptyCommits()).toEqual([]);
        },
    );
});

describe("a hierarchy of matrices, without an image that is called base or ci,", () => {
    const name = "ghcr.io/fixture/python:py{PYTHON}[-cuda{CUDA}]";
    const matrix = { PYTHON: ["3.11", "3.12"], CUDA: ["", "12"] };
    const platforms = ["linux/amd64"];
    const smokeTest = "smoke/{PYTHON}[-cuda{CUDA}].sh";
    const exclude = [{ PYTHON: "3.11", CUDA: "12" }];
    const python = { description: "Python", name, dockerfile: "docker/python", platforms, smokeTest, matrix, exclude };
    const appName = name.replace(":", ":app-");
    const app = { ...{ description: "the app", name: appName, dockerfile: "docker/app", platforms, matrix }, exclude };
    const version = "${PYTHON}${CUDA:+-cuda${CUDA}}";
    /** By key, the tag, and what is in the image. */
    const variants: Readonly<Record<string, readonly [tag: string, version: string]>> = {
        "python-3-11": ["py3.11", "3.11"],
        "python-3-12": ["py3.12", "3.12"],
        "python-3-12-12": ["py3.12-cuda12", "3.12-cuda12"],
        "app-3-11": ["app-py3.11", "3.11"],
        "app-3-12": ["app-py3.12", "3.12"],
        "app-3-12-12": ["app-py3.12-cuda12", "3.12-cuda12"],
    };
    const keys = Object.keys(variants);
    const versions = [...new Set(Object.values(variants).map(([, own]) => own))];

    /** Expects that tags and variables hold the outputs, and returns the digests by key. */
    async function promoted(): Promise<Readonly<Record<string, string | null>>> {
        const outputs = await imageOutputs(lab, program);
        const variables = Object.entries(github.state().variables).map(([variable, { value }]) => [variable, value]);
        expect(Object.fromEntries(variables)).toEqual(
            Object.fromEntries(keys.map((key) => [imageVariable(key), outputs[key]?.ref])),
        );
        for (const [key, [tag]] of Object.entries(variants)) {
            expect((await manifest(lab, "fixture/python", tag))?.digest, key).toBe(outputs[key]?.digest);
        }
        return Object.fromEntries(Object.entries(outputs).map(([key, { digest }]) => [key, digest]));
    }

    test("publishes each variant under its tag and its variable, all in one repository, on the parent of its values", async () => {
        writeTree(program, {
            "images.ts": `export const images = ${JSON.stringify({ python, app })};\n`,
            ...workflowsFile({
                up: [{ file: "python.yml", name: "Python", images: ["python", "app"] }],
                checks: [{ file: "test.yml", name: "Test", image: "app-3-12", steps: [{ name: "Test", run: "true" }] }],
            }),
            "docker/python": `FROM python:3.12-slim\nARG PYTHON\nARG CUDA=none\nCOPY versions/${version}.txt /version\n`,
            "docker/app": `ARG PYTHON\nARG CUDA\nFROM ghcr.io/fixture/python:py${version}\nRUN cp /version /app\n`,
            ...Object.fromEntries(
                versions.flatMap((own) => [
                    [`versions/${own}.txt`, `${own}\n`],
                    [`smoke/${own}.sh`, `#!/bin/sh\ngrep -x ${own} /version\n`],
                ]),
            ),
        });
        const { code, output } = await up(lab, program);
        expect(code, output).toBe(0);
        const digests = await promoted();
        expect(Object.keys(digests).sort()).toEqual([...keys].sort());
        expect(new Set(Object.values(digests)).size).toBe(keys.length);
        expect(github.file(".github/workflows/test.yml")).toContain("vars.APP_3_12_IMAGE");
        const caches = (await tags(lab, "fixture/python")).filter((tag) => tag.startsWith("cache-")).sort();
        expect(caches).toEqual(keys.map((key) => `cache-${key}-amd64`).sort());
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
    });

    test.thorough(
        "rebuilds a variant whose input changed, with the child that stands on it, and no other",
        async () => {
            const before = await promoted();
            writeTree(program, { "versions/3.12-cuda12.txt": "3.12-cuda12\nchanged\n" });
            const changed = ["app-3-12-12", "python-3-12-12"];
            const plan = await reviewPlan(lab, program);
            const pending = plan.images.filter(({ action }) => action !== "unchanged").map(({ image }) => image);
            expect(pending.sort()).toEqual(changed);
            expect(plan.repository.map((one) => one.name).sort()).toEqual(changed.map(imageVariable));
            const { code, output, operations } = await up(lab, program);
            expect(code, output).toBe(0);
            const names = changed.flatMap((key) => [key, `${key}-amd64`, `${key}-amd64-test`]);
            expect(Object.keys(operations).sort()).toEqual(names.sort());
            const after = await promoted();
            expect(keys.filter((key) => after[key] !== before[key]).sort()).toEqual(changed);
        },
    );
});
