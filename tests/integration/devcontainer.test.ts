import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { packageRoot } from "../../lib/system/paths";
import { type DockerDaemon, startDocker } from "../dockerDaemon";
import { configWith, fixture } from "../fixture";
import { type Outcome, type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { command, imageOutputs, review } from "../stack";
import { writeTree } from "../tree";

/*
 * The devcontainer with the real Dev Containers CLI, on a Docker from Debian's package (20.10 in Debian 12, which reads no zstd). Its
 * containers have the host's network, because the daemon has no bridge. The tests run in order and depend on each other.
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
const install = ".devcontainer/features/hello/install.sh";

const files = {
    ...fixture,
    "images.ts": `export const images = {
    base: { description: "below", name: "ghcr.io/fixture/base:latest", dockerfile: "docker/Dockerfile.base", platforms: ["linux/amd64", "linux/arm64"] },
    devcontainer: { description: "never pushed", dockerfile: ".devcontainer/Dockerfile", platforms: "host" },
};
`,
    // With the packages in the base, a changed base is a matter of a second.
    "docker/Dockerfile.base": `FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends gnupg
COPY requirements/base.txt /base.txt
`,
    "requirements/base.txt": "published\n",
    ".devcontainer/Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY requirements/dev.txt /dev.txt\n",
    ".devcontainer/devcontainer.json": devcontainerJson,
    ".devcontainer/features/hello/devcontainer-feature.json": JSON.stringify({
        ...{ id: "hello", version: "1.0.0", name: "hello" },
        options: { greeting: { type: "string", default: "hello" } },
        customizations: { vscode: { extensions: ["fixture.from-a-feature"] } },
    }),
    [install]: '#!/bin/sh\nset -eu\necho "$GREETING" > /greeting\n',
    "app/tests/test_bot.py": `import unittest


class Test(unittest.TestCase):
    def test_base(self) -> None:
        with open("/base.txt") as file:
            self.assertTrue(file.read())
`,
};

const bin = path.join(packageRoot, "node_modules/.bin");

/** The environment of a machine with this Docker, on which the Dev Containers CLI is installed. */
const machine = () => ({ ...docker.variables, PATH: `${bin}:${process.env.PATH ?? ""}` });
const devcontainer = (...args: string[]) => command(lab, program, ["devcontainer", ...args], machine());
/** Runs a program of that machine. */
const run = (name: string, ...args: string[]): Promise<Outcome> =>
    runIn({ ...lab, env: { ...process.env, ...machine() } }, program, name, args);
const inside = (...words: string[]) => run("devcontainer", "exec", "--workspace-folder", program, ...words);
/** An update of the stack on that machine. */
const upThere = (...options: string[]) => command(lab, program, ["up", ...options], machine());
/** What an update did with the command that makes the devcontainer, in the words of Pulumi's progress. */
const made = ({ output }: Outcome): readonly string[] =>
    [...output.matchAll(/command:local:Command devcontainer (created|replaced|updated|deleted)/g)].map(
        ([, word = ""]) => word,
    );
/** The content of a file in the image that the Dev Containers CLI built last. */
async function built(file: string): Promise<string> {
    const { stdout } = await run("docker", "images", "--filter", "reference=vsc-*", "--format", "{{.ID}}");
    const [newest = ""] = stdout.split("\n");
    return (await run("docker", "run", "--rm", "--network=none", newest, "cat", file)).stdout;
}

before(async () => {
    lab = await startTestLab("host");
    program = makeRepository(path.join(lab.paths.state, "repository"), files);
    docker = await startDocker((await runIn(lab, program, "which", ["buildx"])).stdout.trim());
});
after(async () => {
    await docker.close();
    await lab.close();
});

test("an update makes it on published digests if the stack says so, and once", async () => {
    writeTree(program, configWith('  layered-images:devcontainer: "true"\n'));
    const first = await upThere();
    expect(first.code, first.output).toBe(0);
    expect(made(first)).toEqual(["created"]);
    expect(await built("/base.txt")).toBe("published\n");
    const second = await upThere("--expect-no-changes");
    expect(second.code, second.output).toBe(0);
    expect(made(second)).toEqual([]);
});

test("one command builds a base that was changed here under its name, and the devcontainer on it, and starts it", async () => {
    writeTree(program, { "requirements/base.txt": "changed here\n" });
    const done = await devcontainer("--up");
    expect(done.code, done.output).toBe(0);
    expect(await inside("cat", "/base.txt", "/greeting")).toMatchObject({ stdout: "changed here\ngood day\n" });
    const named = await run("docker", "image", "inspect", "ghcr.io/fixture/base:latest");
    expect(named).toMatchObject({ code: 0 });
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

test.thorough(
    "after another base that was changed here, the same command again puts the container on the new one",
    async () => {
        writeTree(program, { "docker/Dockerfile.base": `${files["docker/Dockerfile.base"]}RUN echo again > /again\n` });
        const done = await devcontainer("--up");
        expect(done.code, done.output).toBe(0);
        expect(await inside("cat", "/again")).toMatchObject({ stdout: "again\n" });
        const running = await run("docker", "ps", "--quiet");
        expect(running.stdout.trim().split("\n")).toHaveLength(1);
    },
);

test.thorough("an update makes it again for a change of what it is made from, and for nothing else", async () => {
    // The base was changed in the tests before.
    const { plan } = await review(lab, program);
    expect(plan?.warnings).toContain("an update would also build the devcontainer into the Docker of its machine");
    const before = await imageOutputs(lab, program);
    const onNewBase = await upThere();
    expect(made(onNewBase)).toContain("replaced");
    expect((await imageOutputs(lab, program)).base?.digest).not.toBe(before.base?.digest);
    expect(await built("/again")).toBe("again\n");

    writeTree(program, { [install]: "#!/bin/sh\nexit 3\n" });
    const failing = await upThere();
    expect(failing.code).not.toBe(0);
    expect(failing.output).toContain("next: correct what it says above");
    writeTree(program, { [install]: '#!/bin/sh\necho "$GREETING, you" > /greeting\n' });
    const repaired = await upThere();
    expect(repaired.code, repaired.output).toBe(0);
    expect(await built("/greeting")).toBe("good day, you\n");

    writeTree(program, configWith(""));
    const without = await upThere();
    expect(without.code, without.output).toBe(0);
    expect(made(without)).toEqual(["deleted"]);
    expect(await built("/greeting")).toBe("good day, you\n");
});

test.thorough("published images are fetched by digest, without asking the stack", async () => {
    const { base } = await imageOutputs(lab, program);
    const ref = `${base?.ref?.split("@")[0] ?? ""}@${base?.platforms["linux/amd64"] ?? ""}`;
    const on = (text: string) => ["devcontainer", "--on", text];
    const there = { ...lab.env, ...docker.variables, PATH: `${bin}:${lab.env.PATH ?? ""}` };
    const done = await command(lab, program, on(`ghcr.io/fixture/base:latest=${ref}`), there);
    expect(done.code, done.output).toBe(0);
    expect(done.output).not.toContain("previewing");
    const wrong = await command(lab, program, on("ghcr.io/fixture/base:latest"), there);
    expect(wrong.code).toBe(1);
    expect(wrong.output).toMatch(/--on ghcr\.io\/fixture\/base:latest\s+allowed: <name>=<repository>@sha256:/);
});

test.thorough("Ctrl-C while the devcontainer is built leaves nothing behind", async () => {
    const step = "sleep 617";
    writeTree(program, { [install]: `#!/bin/sh\n${step}\n` });
    const env = { ...process.env, ...lab.variables, ...machine() };
    const child = spawn("npx", ["layered-images", "devcontainer"], {
        cwd: program,
        env,
        detached: true,
        stdio: "ignore",
    });
    const ended = once(child, "exit");
    const isRunning = async () => (await run("pgrep", "--full", step)).code === 0;
    await eventually(
        async () => {
            expect(await isRunning()).toBe(true);
        },
        { timeout: 120_000, interval: 500 },
    );
    process.kill(-(child.pid ?? 0), "SIGINT");
    expect((await ended)[0]).not.toBe(0);
    await eventually(
        async () => {
            expect(await isRunning()).toBe(false);
        },
        { timeout: 30_000, interval: 500 },
    );
    expect(readdirSync(docker.variables.TMPDIR).filter((name) => name.startsWith("layered-images-"))).toEqual([]);
    expect((await run("docker", "ps", "--quiet")).stdout.trim().split("\n")).toHaveLength(1);
});
