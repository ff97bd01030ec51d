import { readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { labToken } from "../../lab/github/defaults";
import { startLab } from "../../lab/lab";
import { labStatus, serversFolder, stopLab } from "../../lab/labState";
import { stopServer } from "../../lab/servers";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { manifest, repositories } from "../registry";
import { type StandInRepository, standInRepository } from "../standIn";
import { command, exportState, imageOutputs, up } from "../stack";

/* What GitHub refuses, with the real engine and provider: told before anything is built, and mended by the next `up`. */

const settings = (github: string, more = "") => `  layered-images:platforms: ["linux/amd64"]
  layered-images:github:
    repository: cs24-1-bot
${github}  github:writeDelayMs: "0"
  github:retryDelayMs: "10"
${more}`;

let lab: TestLab;
let github: StandInRepository;
let env: NodeJS.ProcessEnv;
let programs = 0;
const make = (config: string, files = {}) =>
    makeRepository(path.join(lab.paths.state, `repository-${(++programs).toString()}`), {
        ...fixture,
        ...configWith(config),
        ...files,
    });
const withEnv = (changes: NodeJS.ProcessEnv) => Object.assign(lab, { env: { ...env, ...changes } });

beforeAll(async () => {
    lab = await startTestLab();
    github = standInRepository(lab);
    ({ env } = lab);
});
afterEach(async () => {
    Object.assign(lab, { env });
    await github.control("PATCH", github.where, { archived: false, protected: [] });
    await github.control("PUT", "limits", {});
    await github.control("PUT", "outages", { count: 0 });
});
afterAll(async () => {
    await lab.close();
});

describe("refused before anything is built", () => {
    test.each<[string, () => Promise<string>, RegExp]>([
        [
            "no token",
            () => {
                withEnv({ GITHUB_TOKEN: "" });
                return Promise.resolve(settings(""));
            },
            /GITHUB_TOKEN is not set[\s\S]*export GITHUB_TOKEN/,
        ],
        [
            "a token that GitHub does not know",
            () => {
                withEnv({ GITHUB_TOKEN: "expired" });
                return Promise.resolve(settings(""));
            },
            /GITHUB_TOKEN: GitHub does not know this token[\s\S]*Contents, Workflows, Secrets/,
        ],
        [
            "a token without the scope for workflows",
            async () => {
                await github.control("PUT", "tokens/narrow", { login: "narrow", scopes: ["repo"] });
                withEnv({ GITHUB_TOKEN: "narrow" });
                return settings("");
            },
            /this token lacks the scope workflow[\s\S]*it has repo/,
        ],
        [
            "a token without the permission for variables",
            async () => {
                const permissions = { metadata: "read", contents: "write", workflows: "write", secrets: "write" };
                await github.control("PUT", "tokens/without", { login: "without", permissions });
                withEnv({ GITHUB_TOKEN: "without" });
                return settings("");
            },
            /this token may not use variables of cs24-1\/cs24-1-bot/,
        ],
        [
            "an unknown repository",
            () => Promise.resolve(settings("").replace("cs24-1-bot", "cs24-1-bott")),
            /there is no repository cs24-1\/cs24-1-bott/,
        ],
        [
            "an archived repository",
            async () => {
                await github.control("PATCH", github.where, { archived: true });
                return settings("");
            },
            /cs24-1\/cs24-1-bot is archived/,
        ],
        ["an unknown branch", () => Promise.resolve(settings("    branch: mian\n")), /has no branch mian/],
        [
            "a rate limit that is used up",
            async () => {
                await github.control("PUT", "limits", { primary: { until: "2099-01-01T00:00:00Z" } });
                return settings("");
            },
            /rate limit for this token is used up until 2099-01-01T00:00:00/,
        ],
        [
            "a secret's name",
            () => Promise.resolve(settings("", "  layered-images:repositorySecrets:\n    GITHUB_X: x\n")),
            /\(at GITHUB_X\): GitHub refuses this name[\s\S]*readable by everyone/,
        ],
    ])("%s", async (_, prepare, message) => {
        const program = make(await prepare());
        const before = await exportState(lab, program);
        const published = await repositories(lab);
        const { code, output } = await up(lab, program);
        expect(output).toMatch(message);
        expect(output).not.toMatch(/\bat .*\.ts:\d+/);
        expect(output).not.toContain(labToken);
        expect(code).toBe(1);
        expect(await exportState(lab, program)).toEqual(before);
        expect(await repositories(lab)).toEqual(published);
    });

    test("GitHub is down: three attempts, then the reason, from a review too", async () => {
        await github.control("PUT", "outages", { count: 100 });
        const reason = "GitHub can't be asked to read the repository cs24-1/cs24-1-bot: it answered 502";
        const program = make(settings(""));
        const { code, output } = await up(lab, program);
        expect(output).toContain(reason);
        expect(code).toBe(1);
        const reviewed = await command(lab, program, ["review"]);
        expect(reviewed).toMatchObject({ code: 1, stdout: "" });
        expect(reviewed.output).toMatch(/\nerror: the preview failed: /);
        expect(reviewed.output).toContain(reason);
        expect(reviewed.output).toContain("pulumi preview --exclude '**github:index/**'");
        expect(reviewed.output).not.toContain(labToken);
    });
});

test("without GitHub the images alone can be planned, and the preview says how", async () => {
    const program = make(settings(""));
    withEnv({ GITHUB_BASE_URL: "http://127.0.0.1:9/" });
    const failed = await runIn(lab, program, "pulumi", ["preview"]);
    expect(failed.output).toContain("pulumi preview --exclude '**github:index/**'");
    expect(failed.code).not.toBe(0);
    const alone = await runIn(lab, program, "pulumi", ["preview", "--exclude", "**github:index/**"]);
    expect(alone.output).toContain("base-amd64");
    expect(alone.code).toBe(0);
});

test("with the builder stopped a preview plans all; with the lab stopped the images, until `npm run preview` starts it", async () => {
    const program = make(settings(""));
    const published = await repositories(lab);
    const preview = (...args: string[]) => runIn(lab, program, "pulumi", ["preview", ...args]);
    try {
        expect(await stopServer(serversFolder(lab.paths), "buildkitd")).toBe(true);
        const all = await preview();
        expect(all.output).toMatch(/base-amd64[\s\S]*repository-BASE_IMAGE/);
        expect(all.code).toBe(0);

        await stopLab(lab.paths);
        const failed = await preview();
        expect(failed.output).toContain("pulumi preview --exclude '**github:index/**'");
        expect(failed.code).not.toBe(0);
        const images = await preview("--exclude", "**github:index/**");
        expect(images.output).toContain("base-amd64");
        expect(images.output).not.toContain("repository-BASE_IMAGE");
        expect(images.code).toBe(0);

        const started = await command(lab, program, ["preview"]);
        expect(started.output).toMatch(/base-amd64[\s\S]*repository-BASE_IMAGE/);
        expect(started.code).toBe(0);
        expect(new Set(Object.values(await labStatus(lab.paths)).map(({ state }) => state))).toEqual(
            new Set(["running"]),
        );
    } finally {
        await startLab({ paths: lab.paths });
    }
    expect(await repositories(lab)).toEqual(published);
    expect(await exportState(lab, program)).toEqual({});
});

test("a file that was never ours is left alone, until it is to be adopted", async () => {
    const file = ".github/workflows/test.yml";
    await github.control("POST", `${github.where}/push`, { files: { [file]: "name: Theirs\n" } });
    const refused = await up(lab, make(settings("")));
    expect(refused.output).toMatch(/test\.yml \(begins with "name: Theirs"\)[\s\S]*github\.adopt true/);
    expect(refused.code).toBe(1);
    expect(github.file(file)).toBe("name: Theirs\n");

    expect((await up(lab, make(settings("    adopt: true\n")))).code).toBe(0);
    expect(github.file(file)).toContain("name: Testing Checks");
});

test("a protected branch refuses commits, and a pull request is offered", async () => {
    await github.control("PATCH", github.where, { protected: ["main"] });
    // Another hierarchy changes the workflows' path filters.
    const changed = {
        "docker/Dockerfile.ci": "FROM ghcr.io/fixture/base:latest\nCOPY requirements/app.txt /app.txt\n",
    };
    const { code, output } = await up(lab, make(settings(""), changed));
    expect(output).toContain("Changes must be made through a pull request");
    expect(output).toContain("pulumi config set --path github.delivery pull-request");
    expect(code).toBe(1);
});

test("GitHub that goes down in the middle of an `up` loses nothing: the next one finishes without a build", async () => {
    const adopting = settings("    adopt: true\n");
    expect((await up(lab, make(adopting))).code).toBe(0);
    const tags = path.join(
        lab.paths.state,
        "registry/data/docker/registry/v2/repositories/fixture/base/_manifests/tags",
    );
    const before = readdirSync(tags).length;
    const program = make(adopting, { "requirements/base.txt": "six==1.16.0\n" });
    const running = up(lab, program);
    // Planning has asked GitHub by then; the variables follow the promotion, which waits for the smoke test.
    await expect.poll(() => readdirSync(tags).length, { timeout: 120_000, interval: 20 }).toBeGreaterThan(before);
    await github.control("PUT", "outages", { count: 100_000 });
    const failed = await running;
    expect(failed.output).toMatch(/actions\/variables\/BASE_IMAGE: 502/);
    expect(failed.code).toBe(1);
    // The image was promoted; its variable is what is left to do.
    const promoted = (await manifest(lab, "fixture/base", "latest"))?.digest ?? "none";
    expect(github.state().variables.BASE_IMAGE?.value).not.toContain(promoted);

    await github.control("PUT", "outages", { count: 0 });
    const finished = await up(lab, program);
    expect(finished.code).toBe(0);
    expect(Object.keys(finished.operations).filter((name) => /-(amd64|arm64)$/.test(name))).toEqual([]);
    expect(Object.keys(finished.onGitHub)).toContain("repository-BASE_IMAGE");
    expect(github.state().variables.BASE_IMAGE?.value).toContain(promoted);
    expect((await imageOutputs(lab, program)).base?.digest).toBe(promoted);
});

test("what a token may read but not change is told with the permission that it lacks, and the next `up` finishes it", async () => {
    const program = make(settings("    adopt: true\n"));
    expect((await up(lab, program)).code).toBe(0);
    const use = async (permissions: object) => {
        await github.control("PUT", "tokens/reader", { login: "reader", permissions });
        withEnv({ GITHUB_TOKEN: "reader" });
    };
    const refresh = (type: string) =>
        runIn(lab, program, "pulumi", ["refresh", "--yes", "--skip-preview", "--target", `**${type}::**`]);
    await use({ metadata: "read", contents: "write", workflows: "write", actions_variables: "read" });
    await github.control("PUT", `${github.where}/variables/CI_IMAGE`, { value: "theirs" });
    await refresh("ActionsVariable");
    const refused = await up(lab, program);
    expect(refused.output).toMatch(/actions\/variables\/CI_IMAGE: 403/);
    expect(refused.output).toMatch(/next: .*give the token the repository permission Variables: read and write/);
    expect(refused.code).toBe(1);

    withEnv({});
    expect(await up(lab, program)).toMatchObject({ code: 0, onGitHub: { "repository-CI_IMAGE": "update" } });
    expect(github.state().variables.CI_IMAGE?.value).toMatch(/\/fixture\/ci@sha256:/);

    const file = ".github/workflows/test.yml";
    await use({ metadata: "read", contents: "write", workflows: "read", actions_variables: "write" });
    await github.control("POST", `${github.where}/push`, { files: { [file]: "on: push\n" } });
    await refresh("RepositoryFile");
    const unwritten = await up(lab, program);
    expect(unwritten.output).toMatch(
        /next: .*give the token the repository permission Contents and Workflows: read and write/,
    );
    expect(unwritten.code).toBe(1);
});

test("too few requests for all that a run may need are told before it, and just enough are enough for everything", async () => {
    await github.control("POST", "repositories", { owner: "cs24-1", name: "other" });
    const program = make(settings("").replace("cs24-1-bot", "other"));
    const until = "2099-01-01T00:00:00Z";
    await github.control("PUT", "limits", { primary: { until, left: 60 } });
    const refused = await up(lab, program);
    expect(refused.output).toContain(`more requests until 2099-01-01T00:00:00.000Z; a run may need`);
    expect(refused).toMatchObject({ code: 1, onGitHub: {} });

    const need = Number(/a run may need (\d+)/.exec(refused.output)?.[1]);
    // The provider's start and the question whose answer is looked at come before.
    await github.control("PUT", "limits", { primary: { until, left: need + 2 } });
    const finished = await up(lab, program);
    expect(finished.code, finished.output).toBe(0);
    expect(Object.keys(finished.onGitHub).length).toBeGreaterThan(8);
});
