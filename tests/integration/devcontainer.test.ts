import path from "node:path";
import { after, before } from "mocha";
import { packageRoot } from "../../lib/system/paths";
import { type DockerDaemon, startDocker } from "../dockerDaemon";
import { configWith, fixture } from "../fixture";
import { type Outcome, type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { changesOf, command, noChanges, review, up } from "../stack";
import { writeTree } from "../tree";

/*
 * The devcontainer with the real Dev Containers CLI, on a Docker from Debian's package (20.10 in Debian 12, which reads no zstd). Its containers have the host's
 * network, because the daemon has no bridge. The tests run in order and depend on each other.
 */

let lab: TestLab;
let docker: DockerDaemon;
let program: string;

/** As an editor's file: a comment, a feature of the repository, an extension. */
const devcontainerJson = `{
    // Debian's Docker has no bridge here.
    "name": "fixture",
    "build": { "dockerfile": "Dockerfile", "context": "..", "options": ["--network=host"] },
    "runArgs": ["--network=host"],
    "features": { "./features/hello": { "greeting": "good day" } },
    "customizations": { "vscode": { "extensions": ["ms-python.python"] } },
}
`;

const files = {
    ...fixture,
    "images.ts": `export const images = {
    base: { description: "below", name: "ghcr.io/fixture/base:latest", dockerfile: "docker/Dockerfile.base", platforms: ["linux/amd64", "linux/arm64"] },
    devcontainer: { description: "never pushed", dockerfile: ".devcontainer/Dockerfile", platforms: "host" },
};
`,
    "docker/Dockerfile.base": "FROM python:3.12-slim\nCOPY requirements/base.txt /base.txt\n",
    ".devcontainer/Dockerfile":
        "FROM ghcr.io/fixture/base:latest\nCOPY requirements/dev.txt /dev.txt\nRUN apt-get update && apt-get install --yes --no-install-recommends gnupg\n",
    ".devcontainer/devcontainer.json": devcontainerJson,
    ".devcontainer/features/hello/devcontainer-feature.json": JSON.stringify({
        ...{ id: "hello", version: "1.0.0", name: "hello" },
        options: { greeting: { type: "string", default: "hello" } },
        customizations: { vscode: { extensions: ["fixture.from-a-feature"] } },
    }),
    ".devcontainer/features/hello/install.sh": '#!/bin/sh\nset -eu\necho "$GREETING" > /greeting\n',
    "app/tests/test_bot.py":
        "import unittest\n\n\nclass Test(unittest.TestCase):\n    def test_base(self) -> None:\n        self.assertTrue(open('/base.txt').read())\n",
};

const bin = path.join(packageRoot, "node_modules/.bin");

/** The environment of a machine with this Docker, on which the Dev Containers CLI is installed. */
const machine = () => ({ ...docker.variables, PATH: `${bin}:${process.env.PATH ?? ""}` });
const devcontainer = (...args: string[]) => command(lab, program, ["devcontainer", ...args], machine());
/** Runs a program of that machine. */
const run = (name: string, ...args: string[]): Promise<Outcome> =>
    runIn({ ...lab, env: { ...process.env, ...machine() } }, program, name, args);
const inside = (...words: string[]) => run("devcontainer", "exec", "--workspace-folder", program, ...words);
/** The lab, on that machine. */
const there = (): TestLab => ({
    ...lab,
    env: { ...lab.env, ...docker.variables, PATH: `${bin}:${lab.env.PATH ?? ""}` },
});

before(async () => {
    lab = await startTestLab("host");
    program = makeRepository(path.join(lab.paths.state, "repository"), files);
    docker = await startDocker((await runIn(lab, program, "which", ["buildx"])).stdout.trim());
});
after(async () => {
    await docker.close();
    await lab.close();
});

test("a property that the Dev Containers CLI would ignore is refused, with its line", async () => {
    writeTree(program, { ".devcontainer/devcontainer.json": devcontainerJson.replace('"runArgs"', '"runArg"') });
    const { code, output } = await devcontainer("--check");
    expect(code).toBe(1);
    expect(output).toContain(".devcontainer/devcontainer.json:5: runArg is no property of devcontainer.json");
    writeTree(program, { ".devcontainer/devcontainer.json": devcontainerJson });
    expect(await devcontainer("--check")).toMatchObject({ code: 0 });
});

test("one command builds a base that was changed here under its name, and the devcontainer on it, and starts it", async () => {
    writeTree(program, { "requirements/base.txt": "changed here\n" });
    const done = await devcontainer("--up");
    expect(done.code, done.output).toBe(0);
    expect(await inside("cat", "/base.txt", "/greeting")).toMatchObject({ stdout: "changed here\ngood day\n" });
    // What the image's label says is what an editor does on any machine.
    const { stdout } = await run("docker", "ps", "--quiet");
    const format = '{{index .Config.Labels "devcontainer.metadata"}}';
    const label = (await run("docker", "inspect", "--format", format, stdout.trim())).stdout;
    expect(label).toContain("fixture.from-a-feature");
    expect(label).toContain("ms-python.python");
    expect(label).toContain('"./features/hello"');
});

test("gpg and the app's tests run in it", async () => {
    expect((await inside("gpg", "--version")).stdout).toMatch(/^gpg \(GnuPG\) 2/);
    const tests = await inside("python", "-m", "unittest", "discover", "--start-directory", "app/tests");
    expect(tests.code, tests.output).toBe(0);
    expect(tests.output).toContain("Ran 1 test");
});

test("an update makes it if the stack says so, and again only for a change of what it is made from", async () => {
    expect((await up(there(), program)).code).toBe(0);
    writeTree(program, configWith('  layered-images:devcontainer: "true"\n'));
    const { plan } = await review(lab, program);
    expect(plan?.warnings).toContain("an update would also build the devcontainer into the Docker of its machine");
    const first = await up(there(), program);
    expect(first.code, first.output).toBe(0);
    expect(changesOf(await up(there(), program))).toEqual(noChanges);
    writeTree(program, { ".devcontainer/features/hello/install.sh": "#!/bin/sh\nexit 3\n" });
    const failing = await up(there(), program);
    expect(failing.code).not.toBe(0);
    expect(failing.output).toContain("next: correct what it says above");
    writeTree(program, files);
    const repaired = await up(there(), program);
    expect(repaired.code, repaired.output).toBe(0);
});

test.thorough("without Docker, and without the Dev Containers CLI, the command says what to install", async () => {
    const without = { ...machine(), DOCKER_HOST: `unix:///nobody.sock` };
    const unanswered = await command(lab, program, ["devcontainer"], without);
    expect(unanswered.code).toBe(1);
    expect(unanswered.output).toContain("next: install Docker");
    const uninstalled = await command(lab, program, ["devcontainer"], docker.variables);
    expect(uninstalled.code).toBe(1);
    expect(uninstalled.output).toContain("next: npm install --save-dev --save-exact @devcontainers/cli");
});
