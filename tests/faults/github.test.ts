import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, describe } from "mocha";
import { labToken } from "../../lab/github/defaults";
import { startLab } from "../../lab/lab";
import { labStatus, stopLab } from "../../lab/labState";
import { stopServer } from "../../lab/servers/server";
import { type Continuing, continuing } from "../../lib/engine/continuing";
import { readPreview } from "../../lib/engine/preview";
import { withoutGitHub } from "../../lib/engine/withoutGitHub";
import { factsOf, permissionNames } from "../../lib/github/permissions";
import { planRepository } from "../../lib/plan/repository";
import { serversFolder } from "../../lib/system/paths";
import { descendants, signal } from "../../lib/system/processTable";
import { configWith, fixture, fixtureWorkflows, workflowsFile } from "../fixture";
import { runStep } from "../github/steps";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { leftUndone } from "../../lib/update/leftUndone";
import { eventually, expect, test } from "../mocha";
import { manifest, repositories } from "../registry";
import { changesOf, command, exportState, generatedFiles, imageOutputs, noChanges, up } from "../stack";
import { type StandInRepository, standInRepository } from "../standIn";
import { except } from "../thorough";
import { writeTree } from "../tree";

/*
 * Refusals by GitHub, with the real engine and provider: they stop no image, no data on GitHub is lost, and the next
 * `up` repairs it.
 */

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
        ...workflowsFile(),
        ...configWith(config),
        ...files,
    });
/**
 * The option that `npm run up` uses: the failure of one resource does not prevent the creation of the other resources.
 */
const goOn = "--continue-on-error";
const withEnv = (changes: NodeJS.ProcessEnv) => Object.assign(lab, { env: { ...env, ...changes } });

before(async () => {
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
after(async () => {
    await lab.close();
});

describe("what the configuration gets wrong is refused before anything is built", () => {
    test.each(
        except<[string, string, RegExp]>(
            ["an unknown branch"],
            [
                [
                    "an unknown repository",
                    settings("").replace("cs24-1-bot", "cs24-1-bott"),
                    /there is no repository cs24-1\/cs24-1-bott/,
                ],
                ["an unknown branch", settings("    branch: mian\n"), /has no branch mian/],
                [
                    "a secret's name",
                    settings("", "  layered-images:repositorySecrets:\n    GITHUB_X: x\n"),
                    /\(at GITHUB_X\): GitHub refuses this name[\s\S]*readable by everyone/,
                ],
            ],
        ),
    )("%s", async (_, config, message) => {
        const program = make(config);
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
});

test("GitHub is down: a review says so after three attempts, and how to plan the images alone", async () => {
    await github.control("PUT", "outages", { count: 100 });
    const reviewed = await command(lab, make(settings("")), ["review"]);
    expect(reviewed).toMatchObject({ code: 1, stdout: "" });
    expect(reviewed.output).toMatch(/\nerror: the preview failed: /);
    expect(reviewed.output).toContain(
        "GitHub can't be asked to read the repository cs24-1/cs24-1-bot: it answered 502",
    );
    expect(reviewed.output).toContain("pulumi preview --exclude '**github:index/**'");
    expect(reviewed.output).not.toContain(labToken);
});

test.thorough("without GitHub the images alone can be planned, and the preview says how", async () => {
    const program = make(settings(""));
    withEnv({ GITHUB_BASE_URL: "http://127.0.0.1:9/" });
    const failed = await runIn(lab, program, "pulumi", ["preview"]);
    expect(failed.output).toContain("pulumi preview --exclude '**github:index/**'");
    expect(failed.code).not.toBe(0);
    const alone = await runIn(lab, program, "pulumi", ["preview", "--exclude", "**github:index/**"]);
    expect(alone.output).toContain("base-amd64");
    expect(alone.code).toBe(0);
});

test.thorough(
    "with the builder stopped a preview plans all; with the lab stopped the images, until `npm run preview` starts it",
    async () => {
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
    },
);

/** Digest in the value of an image's variable on GitHub. */
const variableOf = (image: string) =>
    github.state().variables[`${image.toUpperCase()}_IMAGE`]?.value.replace(/^.*@/, "");
/** Digest of an image's tag in the registry. */
const promoted = async (image: string) => (await manifest(lab, `fixture/${image}`, "latest"))?.digest ?? "none";

test("a file that was never ours is left alone, until it is to be adopted; nothing else waits for that", async () => {
    const file = ".github/workflows/test.yml";
    await github.control("POST", `${github.where}/push`, { files: { [file]: "name: Theirs\n" } });
    const before = github.files();
    const refused = await up(lab, make(settings("")), goOn);
    expect(refused.output).toMatch(/test\.yml \(begins with "name: Theirs"\)[\s\S]*github\.adopt true/);
    expect(refused.code).toBe(1);
    expect(github.files()).toEqual(before);
    for (const image of ["base", "ci", "bot"]) expect(variableOf(image)).toBe(await promoted(image));

    expect((await up(lab, make(settings("    adopt: true\n")))).code).toBe(0);
    expect(github.file(file)).toContain("name: Testing Checks");
});

/** Whether a process runs where another host name holds. */
const isOnAnotherMachine = (pid: number): boolean => {
    const machine = (one: string) => readlinkSync(`/proc/${one}/ns/uts`);
    try {
        return machine(pid.toString()) !== machine("self");
    } catch {
        return false;
    }
};

/** Permissions of a token that may do everything. */
const everything = Object.fromEntries(permissionNames.map((name) => [name, factsOf(name).level]));
/** The GitHub resources in the state, without their place in the program. */
async function onGitHub(program: string): Promise<unknown[]> {
    // Secrets are shown, because each run encrypts them again.
    const { stdout } = await runIn(lab, program, "pulumi", ["stack", "export", "--show-secrets"]);
    const { deployment } = JSON.parse(stdout) as {
        deployment: { resources: (object & { type: string; urn: string })[] };
    };
    // Updates register them in another order each time.
    return deployment.resources
        .filter(({ type }) => type.startsWith("github:") || type.includes(":WorkflowFiles"))
        .map((resource) => ({ ...resource, stackTrace: undefined, sourcePosition: undefined }))
        .sort((a, b) => (a.urn < b.urn ? -1 : 1));
}
/** The content on GitHub. */
const remote = () => {
    const { variables, secrets } = github.state();
    return { variables, secrets, messages: github.messages() };
};
let changes = 0;
/** The stack's file with an encrypted secret that is delivered to GitHub. */
let withSecret: Readonly<Record<string, string>>;
/** A program with the secret, and with `ci` as the last change left it. */
const sameProgram = () => make(settings(""), { ...withSecret, "requirements/dev.txt": `# change ${changes}\n` });
/** The same with a changed `ci`. */
function changedProgram(): string {
    changes++;
    return sameProgram();
}

describe("what GitHub refuses today is left as it is, in the state and there, and images are promoted", () => {
    before(async () => {
        const program = make(settings(""));
        const set = ["config", "set", "--secret", "--path", "repositorySecrets.DISCORD_TOKEN", "hunter2"];
        expect(await runIn(lab, program, "pulumi", set)).toMatchObject({ code: 0 });
        const file = "Pulumi.local.yaml";
        withSecret = { [file]: readFileSync(path.join(program, file), "utf8") };
        expect(await up(lab, changedProgram())).toMatchObject({ code: 0 });
        expect(Object.keys(github.state().secrets.actions)).toEqual(["DISCORD_TOKEN"]);
    });
    after(async () => {
        // The next `up` completes the update without a build.
        const outcome = await up(lab, sameProgram());
        expect(changesOf(outcome)).toEqual({ ...noChanges, onGitHub: { "repository-CI_IMAGE": "update" } });
        expect(variableOf("ci")).toBe(await promoted("ci"));
    });

    const useToken = async (name: string, rights: object) => {
        await github.control("PUT", `tokens/${name}`, { login: name, ...rights });
        withEnv({ GITHUB_TOKEN: name });
    };
    test.each(
        except<[string, () => unknown, RegExp, "files" | undefined]>(
            [
                "no token",
                "a token that GitHub does not know",
                "a token without the permission for variables",
                "an archived repository",
                "a rate limit that is used up",
            ],
            [
                [
                    "a token without the scope for workflows",
                    () => useToken("narrow", { scopes: ["repo"] }),
                    /this token lacks the scope workflow[\s\S]*it has repo/,
                    "files",
                ],
                [
                    "no token",
                    () => withEnv({ GITHUB_TOKEN: "" }),
                    /GITHUB_TOKEN is not set[\s\S]*export GITHUB_TOKEN/,
                    undefined,
                ],
                [
                    "a token that GitHub does not know",
                    () => withEnv({ GITHUB_TOKEN: "expired" }),
                    /GITHUB_TOKEN: GitHub does not know this token[\s\S]*Contents, Workflows, Secrets/,
                    undefined,
                ],
                [
                    "a token without the permission for variables",
                    () => {
                        const permissions = {
                            metadata: "read",
                            contents: "write",
                            workflows: "write",
                            secrets: "write",
                        };
                        return useToken("without", { permissions });
                    },
                    /this token may not use variables of cs24-1\/cs24-1-bot/,
                    undefined,
                ],
                [
                    "an archived repository",
                    () => github.control("PATCH", github.where, { archived: true }),
                    /cs24-1\/cs24-1-bot is archived/,
                    undefined,
                ],
                [
                    "a rate limit that is used up",
                    () => github.control("PUT", "limits", { primary: { until: "2099-01-01T00:00:00Z" } }),
                    /rate limit for this token is used up until 2099-01-01T00:00:00/,
                    undefined,
                ],
                [
                    "GitHub is down",
                    () => github.control("PUT", "outages", { count: 100 }),
                    /GitHub can't be asked to read the repository cs24-1\/cs24-1-bot: it answered 502/,
                    undefined,
                ],
            ],
        ),
    )("%s", async (_, prepare, message, left) => {
        const program = changedProgram();
        const [state, there] = [left === undefined ? await onGitHub(program) : [], remote()];
        const [tag, said] = [await promoted("ci"), variableOf("ci")];
        await prepare();
        const { code, output } = await up(lab, program, goOn);
        expect(output).toMatch(message);
        expect(output).toContain("on GitHub are left as they are");
        expect(output).not.toMatch(/\bat .*\.ts:\d+/);
        expect(output).not.toContain(labToken);
        expect(code).toBe(1);
        expect(await promoted("ci")).not.toBe(tag);
        expect((await imageOutputs(lab, program)).ci?.digest).toBe(await promoted("ci"));
        // If only the files are left as they are, the variable follows the promotion.
        expect(variableOf("ci")).toBe(left === "files" ? await promoted("ci") : said);
        if (left !== undefined) return;
        expect(remote()).toEqual(there);
        expect(await onGitHub(program)).toEqual(state);
    });

    test.thorough("no token in a workflow: one warning says where it comes from, and nothing is wrong", async () => {
        const program = changedProgram();
        const [state, there] = [await onGitHub(program), remote()];
        const env = { GITHUB_TOKEN: "", GITHUB_ACTIONS: "true" };
        const more = withoutGitHub(env, []);
        withEnv({ ...env, ...more.env });
        const preview = await runIn(lab, program, "pulumi", ["preview", "--json", "--show-sames", ...more.args]);
        const { steps, diagnostics } = readPreview(preview.stdout);
        expect(planRepository(steps)).toEqual([]);
        expect(steps.filter(({ op }) => op === "delete")).toEqual([]);
        expect(diagnostics.map(({ severity, message }) => [severity, message])).toEqual([
            ["warning", expect.stringContaining('docs/operations.md, "The token that writes to GitHub"') as string],
        ]);

        const { code, output } = await up(lab, program, ...more.args);
        expect(output).toContain("GITHUB_TOKEN is not set");
        expect(output).not.toMatch(/export GITHUB_TOKEN|error/);
        expect(code).toBe(0);
        expect(remote()).toEqual(there);
        expect(await onGitHub(program)).toEqual(state);
        expect((await imageOutputs(lab, program)).ci?.digest).toBe(await promoted("ci"));
        expect(variableOf("ci")).not.toBe(await promoted("ci"));
    });
});

test.thorough(
    "the lock of a job that was killed is removed by the next job once GitHub says that it ended, and no other lock is",
    async () => {
        const config = configWith(settings(""))["Pulumi.local.yaml"] ?? "";
        const slow = `${fixture["docker/Dockerfile.ci"] ?? ""}RUN sleep 8 && echo killed\n`;
        const program = make(settings(""), { "Pulumi.ci.yaml": config, "docker/Dockerfile.ci": slow });
        await runIn(lab, program, "pulumi", ["stack", "init", "ci", "--no-select"]);
        const locks = path.join(lab.paths.state, "pulumi/.pulumi/locks/organization/layered-images/ci");
        const held = () => (existsSync(locks) ? readdirSync(locks).filter((name) => name.endsWith(".json")) : []);
        const { command: shell, args } = await runStep("deploy.yml", "up");
        /** Runs the step as a job of its own, on a machine of this name. */
        const start = (run: string, host: string) => {
            const environment = {
                ...{
                    GITHUB_ACTIONS: "true",
                    RUNNER_ENVIRONMENT: "github-hosted",
                    RUNNER_NAME: `GitHub Actions ${run}`,
                },
                ...{ GITHUB_REPOSITORY: "cs24-1/cs24-1-bot", GITHUB_RUN_ID: run, GITHUB_RUN_ATTEMPT: "1" },
                ...{ GITHUB_TOKEN: "", WORKFLOW_TOKEN: "job", PULUMI_STACK: "ci" },
            };
            const machine = ["--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host, shell, ...args];
            return runIn({ ...lab, env: { ...env, ...environment } }, program, "unshare", machine);
        };
        const startedAt = new Date().toISOString();
        const tellJob = (completedAt?: string) =>
            github.control("PUT", `${github.where}/runs/1/1`, {
                jobs: [{ name: "Up", runner: "GitHub Actions 1", startedAt, ...(completedAt && { completedAt }) }],
            });
        await github.control("PUT", "tokens/job", { login: "job", permissions: { actions: "read" } });
        await tellJob();

        const killed = start("1", "runnervm1");
        await eventually(
            () => {
                expect(held()).toHaveLength(1);
            },
            { timeout: 120_000, interval: 50 },
        );
        for (const pid of descendants(process.pid).filter(isOnAnotherMachine)) signal(pid, "SIGKILL");
        expect((await killed).code).not.toBe(0);
        expect(held()).toHaveLength(1);

        const early = await start("2", "runnervm2");
        expect(early.output).toMatch(
            /note: the lock of \S+@runnervm1, .* stays: run 1 of cs24-1\/cs24-1-bot, attempt 1, has not ended/,
        );
        expect(early.code).not.toBe(0);
        expect(held()).toHaveLength(1);

        await tellJob(new Date(Date.now() + 1000).toISOString());
        const next = await start("3", "runnervm3");
        expect(next.output).toMatch(/removing the lock of \S+@runnervm1/);
        expect(next.code, next.output).toBe(0);
        expect(held()).toEqual([]);
        const tags = await runIn(lab, program, "pulumi", ["stack", "tag", "ls", "--stack", "ci", "--json"]);
        expect(tags.stdout).not.toContain("layered-images:run");

        const laptop = { pid: 7, username: "me", hostname: "laptop", timestamp: new Date().toISOString() };
        writeFileSync(path.join(locks, "laptop.json"), JSON.stringify(laptop));
        const refused = await start("4", "runnervm1");
        expect(refused.output).toMatch(/the lock of me@laptop, .* stays: no job of this repository took it/);
        expect(refused.code).not.toBe(0);
        expect(held()).toEqual(["laptop.json"]);
        rmSync(path.join(locks, "laptop.json"));
    },
);

test("a workflow's step without a token builds and promotes, and says once what it leaves alone", async () => {
    const config = configWith(settings(""))["Pulumi.local.yaml"] ?? "";
    const program = make(settings(""), { "Pulumi.ci.yaml": config });
    await runIn(lab, program, "pulumi", ["stack", "init", "ci", "--no-select"]);
    const there = remote();
    const summary = path.join(program, "summary");
    withEnv({ GITHUB_TOKEN: "", GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: summary, PULUMI_STACK: "ci" });
    const { command: shell, args } = await runStep("deploy.yml", "up");
    const { code, output } = await runIn(lab, program, shell, args);
    expect(output).toContain('docs/operations.md, "The token that writes to GitHub"');
    expect(output).not.toMatch(/export GITHUB_TOKEN|error/);
    expect(code, output).toBe(0);
    expect(readFileSync(summary, "utf8")).toMatch(
        /^```\nthe run goes on without:\n[^]*\n### The update succeeded after/,
    );
    expect(remote()).toEqual(there);
});

describe("images come first, in every order of failures:", () => {
    /** Both images change, and `ci` is ready seconds after everything else could have failed. */
    const slow = () => {
        const change = `# change ${(++changes).toString()}\n`;
        return {
            "docker/Dockerfile.ci": `${fixture["docker/Dockerfile.ci"] ?? ""}RUN sleep 6\n`,
            "requirements/app.txt": change,
        };
    };
    /** Another name of a workflow, which has to be committed. */
    const renamed = () =>
        workflowsFile({
            ...fixtureWorkflows,
            checks: fixtureWorkflows.checks.map((check) => ({ ...check, name: `${check.name} ${changes.toString()}` })),
        });
    const broken = { ".devcontainer/Dockerfile": `${fixture[".devcontainer/Dockerfile"] ?? ""}RUN false\n` };
    const adopting = settings("    adopt: true\n");
    const refuseCommits = () => github.control("PATCH", github.where, { protected: ["main"] });
    // `npm run up` always uses the lab's token.
    const use = (rights: object) => github.control("PUT", `tokens/${labToken}`, { login: "lab", ...rights });
    /** Has the token expire this many requests after the provider began. */
    const loseToken = (after: number) => use({ permissions: everything, left: planned + after });
    /** Number of requests before the plan. */
    let planned = 0;
    before(async () => {
        const program = make(adopting, slow());
        expect((await up(lab, program)).code).toBe(0);
        const response = await fetch(`${lab.env.GITHUB_BASE_URL ?? ""}_lab/requests`);
        const requests = ((await response.json()) as { path: string }[]).map(({ path: where }) => where);
        const start = requests.findLastIndex((where) => where.includes("/orgs/"));
        planned = start - requests.slice(0, start).findLastIndex((where) => /\/repos\/[^/]+\/[^/]+$/.test(where));
        expect(planned).toBeGreaterThan(5);
    });

    afterEach(() => use({ permissions: everything }));

    /** Options and environment of `pulumi up`, and of the one that `npm run up` runs, which goes on after failures. */
    const [plain, goingOn] = [{ args: [], env: {} }, continuing([])];
    const nothing = () => Promise.resolve();
    test.each(
        except<[string, Continuing, () => Promise<unknown>, object, RegExp]>(
            [
                "a broken devcontainer",
                "a refused commit",
                "a refused variable",
                "a token that is lost when the provider begins",
                "a token that is lost in the middle",
                "going on, a broken devcontainer and a token that is lost when the provider begins",
            ],
            [
                [
                    "a broken devcontainer",
                    plain,
                    nothing,
                    broken,
                    /^image devcontainer: its build failed on linux\/amd64$/,
                ],
                ["a refused commit", plain, refuseCommits, {}, /GitHub: file .*test\.yml/],
                [
                    "a refused variable",
                    plain,
                    () => use({ permissions: { ...everything, actions_variables: "read" } }),
                    {},
                    /GitHub: variable (CI|BOT)_IMAGE/,
                ],
                [
                    "a token that is lost when the provider begins",
                    plain,
                    () => loseToken(0),
                    {},
                    /GitHub: .* did not reach/,
                ],
                ["a token that is lost in the middle", plain, () => loseToken(4), {}, /GitHub: /],
                [
                    "going on, a broken devcontainer and a token that is lost when the provider begins",
                    goingOn,
                    () => loseToken(0),
                    broken,
                    /image devcontainer: its build failed[^]*GitHub: .* did not reach/,
                ],
                [
                    "going on, a broken devcontainer, a refused commit and a token that is lost in the middle",
                    goingOn,
                    async () => {
                        await refuseCommits();
                        await loseToken(6);
                    },
                    broken,
                    /image devcontainer: its build failed[^]*GitHub: /,
                ],
            ],
        ),
    )("%s", async (_, { args, env: variables }, prepare, more, left) => {
        const program = make(adopting, { ...slow(), ...renamed(), ...more });
        const tags = await Promise.all(["ci", "bot"].map(promoted));
        await prepare();
        withEnv(variables);
        const { code, output, log } = await up(lab, program, ...args);
        expect(log && leftUndone(log).join("\n")).toMatch(left);
        expect(output).not.toMatch(/\bat .*\.ts:\d+/);
        expect(code).not.toBe(0);
        const after = await Promise.all(["ci", "bot"].map(promoted));
        for (const [index, tag] of tags.entries()) expect(after[index]).not.toBe(tag);
    });

    test("and `npm run up` does what is left, also of commits that the state does not know of, without a build", async () => {
        const program = make(adopting, { ...slow(), ...renamed() });
        await refuseCommits();
        expect((await up(lab, program)).code).toBe(1);
        await github.control("PATCH", github.where, { protected: [] });
        const tags = await Promise.all(["base", "ci", "bot"].map(promoted));
        const { code, output } = await command(lab, program, ["up"]);
        expect(code, output).toBe(0);
        expect(output).not.toMatch(/docker-build:index:Image (base|ci|bot)-amd64 (creating|updating)/);
        expect(await Promise.all(["base", "ci", "bot"].map(promoted))).toEqual(tags);
        for (const image of ["base", "ci", "bot"]) expect(variableOf(image)).toBe(await promoted(image));
        expect(github.file(".github/workflows/test.yml")).toContain(`name: Testing Checks ${changes.toString()}`);
    });
});

test.thorough(
    "GitHub that goes down in the middle of an `up` loses nothing: the next one finishes, and builds nothing that was promoted",
    async () => {
        const adopting = settings("    adopt: true\n");
        expect((await up(lab, make(adopting))).code).toBe(0);
        const tags = path.join(
            lab.paths.state,
            "registry/data/docker/registry/v2/repositories/fixture/base/_manifests/tags",
        );
        const before = readdirSync(tags).length;
        const program = make(adopting, { "requirements/base.txt": "six==1.16.0\n" });
        const running = up(lab, program);
        // At this time, planning has sent its requests to GitHub; the variables follow the promotion, which waits for the
        // smoke test.
        await eventually(
            () => {
                expect(readdirSync(tags).length).toBeGreaterThan(before);
            },
            { timeout: 120_000, interval: 20 },
        );
        await github.control("PUT", "outages", { count: 100_000 });
        const failed = await running;
        expect(failed.output).toContain(": 502");
        expect(failed.code).toBe(1);
        // The image was promoted; only its variable remains to be set.
        const promoted = (await manifest(lab, "fixture/base", "latest"))?.digest ?? "none";
        expect(github.state().variables.BASE_IMAGE?.value).not.toContain(promoted);

        await github.control("PUT", "outages", { count: 0 });
        const finished = await up(lab, program);
        expect(finished.code).toBe(0);
        // Images that are never pushed come after GitHub, where a failure ends the update.
        expect(Object.keys(finished.operations).filter((name) => !name.startsWith("devcontainer-"))).toEqual([]);
        expect(Object.keys(finished.onGitHub)).toContain("repository-BASE_IMAGE");
        expect(github.state().variables.BASE_IMAGE?.value).toContain(promoted);
        expect((await imageOutputs(lab, program)).base?.digest).toBe(promoted);
    },
);

test.thorough(
    "what a token may read but not change is told with the permission that it lacks, and the next `up` finishes it",
    async () => {
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
    },
);

test.thorough("a workflow that is generated no longer stays until what takes its place is there", async () => {
    const [taken, old] = [".github/workflows/ci-image.yml", ".github/workflows/renamed.yml"];
    expect(await command(lab, make(settings("    adopt: true\n")), ["up"])).toMatchObject({ code: 0 });
    const ours = github.file(taken) ?? "";
    const header = ours.split("\n", 1)[0] ?? "";
    // The branch gets a leftover generated file, and a push that makes the next commit fail: that commit names the
    // version in the state.
    const files = { [old]: `${header}\non: push\n`, [taken]: `${ours}# theirs\n` };
    await github.control("POST", `${github.where}/push`, { files });
    const program = make(settings("    adopt: true\n"), {
        "docker/Dockerfile.ci":
            "FROM ghcr.io/fixture/base:latest\nCOPY requirements/dev.txt app/bot/__init__.py /\nRUN mv /dev.txt /d && cp /d /dev.txt && echo x >> /dev.txt\n",
    });
    const refused = await up(lab, program, goOn);
    expect(refused.output).toContain("does not match");
    expect(refused.code).toBe(1);
    expect(github.file(old)).toBeDefined();
    expect(await command(lab, program, ["up"])).toMatchObject({ code: 0 });
    expect(github.file(old)).toBeUndefined();
    expect(github.file(taken)).not.toContain("# theirs");
});

test("after a failure nothing on GitHub is deleted, and the next `up` that comes to its end does it", async () => {
    const program = make(settings("    adopt: true\n"));
    const set = ["config", "set", "--secret", "--path", "repositorySecrets.LEAVING", "hunter2"];
    expect(await runIn(lab, program, "pulumi", set)).toMatchObject({ code: 0 });
    expect(await command(lab, program, ["up"])).toMatchObject({ code: 0 });
    await runIn(lab, program, "pulumi", ["config", "rm", "repositorySecrets"]);
    const dockerfile = fixture[".devcontainer/Dockerfile"] ?? "";
    writeTree(program, { ".devcontainer/Dockerfile": `${dockerfile}RUN false\n` });
    const failed = await command(lab, program, ["up"]);
    expect(failed.output).toContain("resources that are no longer in the program stay until an update succeeds");
    expect(failed.output).toMatch(/left to do:\n {2}image devcontainer: its build failed on linux\/amd64\n/);
    expect(failed.code).not.toBe(0);
    expect(await github.secret("actions", "LEAVING")).toBe("hunter2");
    writeTree(program, { ".devcontainer/Dockerfile": dockerfile });
    expect(await command(lab, program, ["up"])).toMatchObject({ code: 0 });
    expect(await github.secret("actions", "LEAVING")).toBeUndefined();
});

test.thorough(
    "too few requests for all that a run may need are told before it, and just enough are enough for everything",
    async () => {
        await github.control("POST", "repositories", { owner: "cs24-1", name: "other" });
        const program = make(settings("").replace("cs24-1-bot", "other"));
        const until = "2099-01-01T00:00:00Z";
        await github.control("PUT", "limits", { primary: { until, left: 60 } });
        const refused = await up(lab, program);
        expect(refused.output).toContain(`more requests until 2099-01-01T00:00:00.000Z; a run may need`);
        expect(refused).toMatchObject({ code: 1, onGitHub: {} });

        const need = Number(/a run may need (\d+)/.exec(refused.output)?.[1]);
        // Two requests come first: the provider's request at its start, and the request whose response is checked.
        await github.control("PUT", "limits", { primary: { until, left: need + 2 } });
        const finished = await up(lab, program);
        expect(finished.code, finished.output).toBe(0);
        expect(Object.keys(finished.onGitHub).length).toBeGreaterThan(8);
    },
);

test.thorough(
    "files that people committed to a protected branch are taken over without a commit, also by a new stack",
    async () => {
        const name = "guarded";
        const where = `repositories/cs24-1/${name}`;
        const program = make(settings("").replace("cs24-1-bot", name));
        const generated = await generatedFiles(lab, program);
        await github.control("POST", "repositories", { owner: "cs24-1", name });
        await github.control("POST", `${where}/push`, { message: "Add CI", files: generated });
        await github.control("PATCH", where, { protected: ["main"] });
        const guarded = () => standInRepository(lab, name);
        const taken = await up(lab, program);
        expect(taken.code, taken.output).toBe(0);
        expect(guarded().messages()).toEqual(["Add CI", "Initial commit"]);
        expect(changesOf(await up(lab, program))).toEqual(noChanges);

        // A pull request brought the wanted files; the state still holds the previous ones.
        const [file = "", text = ""] = Object.entries(generated)[0] ?? [];
        await github.control("POST", `${where}/push`, { message: "By hand", files: { [file]: `${text}# by hand\n` } });
        await github.control("POST", `${where}/push`, { message: "Back", files: { [file]: text } });
        expect(changesOf(await up(lab, program))).toEqual(noChanges);
        expect(guarded().messages()).toEqual(["Back", "By hand", "Add CI", "Initial commit"]);
    },
);
