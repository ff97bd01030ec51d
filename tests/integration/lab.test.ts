import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname } from "node:os";
import path from "node:path";
import { after, before } from "mocha";
import { vi } from "vitest";
import { startLab } from "../../lab/lab";
import { labStatus, stopLab } from "../../lab/labState";
import { startServer } from "../../lab/servers/server";
import { systemBundle } from "../../lab/servers/tls";
import { labPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, stubEnv, test } from "../mocha";
import { commandScript } from "../stack";
import { writeTree } from "../tree";

let lab: TestLab;
before(async () => {
    lab = await startTestLab();
});
after(async () => {
    await lab.close();
});

const pidFile = (name: string) => path.join(lab.paths.state, "servers", `${name}.pid`);
const pids = async () =>
    Object.entries(await labStatus(lab.paths)).map(([name, status]) => [
        name,
        status.state === "running" ? status.pid : 0,
    ]);

test("starting twice keeps servers, port, roots, builder and stack", async () => {
    const before = await pids();
    const builder = () => statSync(path.join(lab.paths.state, "buildx/instances/layered-images")).mtimeMs;
    const made = builder();
    const again = await startLab({ paths: lab.paths });
    expect(again.instance).toEqual(lab.instance);
    expect(builder()).toBe(made);
    expect(await pids()).toEqual(before);
});

test("what a start would start anew is kept while an update runs, and started anew by the next", async () => {
    const { LAYERED_IMAGES_SYSTEM_CA: trusted } = process.env;
    const bundle = path.join(lab.paths.state, "another-bundle.pem");
    writeFileSync(bundle, `${readFileSync(systemBundle(), "utf8")}# another\n`);
    const locks = path.join(lab.paths.state, "pulumi/.pulumi/locks/organization/layered-images/local");
    writeTree(locks, { "a.json": JSON.stringify({ pid: process.pid, hostname: hostname(), timestamp: "" }) });
    const before = await pids();
    try {
        process.env.LAYERED_IMAGES_SYSTEM_CA = bundle;
        await startLab({ paths: lab.paths });
        expect(await pids()).toEqual(before);
        rmSync(path.join(locks, "a.json"));
        await startLab({ paths: lab.paths });
        expect((await pids()).filter(([name, pid]) => before.some(([n, p]) => n === name && p !== pid))).toEqual([
            ["buildkitd", expect.any(Number)],
        ]);
    } finally {
        if (trusted === undefined) delete process.env.LAYERED_IMAGES_SYSTEM_CA;
        else process.env.LAYERED_IMAGES_SYSTEM_CA = trusted;
    }
});

test.each(["registry", "buildkitd", "github"])("a dead %s is started again, with its data", async (name) => {
    const { pid } = JSON.parse(readFileSync(pidFile(name), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    await eventually(async () => {
        expect((await labStatus(lab.paths))[name]).toEqual({ state: "stopped" });
    });
    const again = await startLab({ paths: lab.paths });
    expect(again.instance.roots).toEqual(lab.instance.roots);
    expect((await labStatus(lab.paths))[name]?.state).toBe("running");
});

test("the stack's environment leads to the GitHub stand-in, whose changes outlive it", async () => {
    const { GITHUB_BASE_URL: url = "", GITHUB_TOKEN: token = "", GITHUB_OWNER: owner = "" } = lab.env;
    const variables = `${url}api/v3/repos/${owner}/cs24-1-bot/actions/variables`;
    const headers = { authorization: `Bearer ${token}` };
    const body = JSON.stringify({ name: "KEPT", value: "kept" });
    expect((await fetch(variables, { method: "POST", headers, body })).status).toBe(201);
    await stopLab(lab.paths);
    await startLab({ paths: lab.paths });
    expect(await (await fetch(`${variables}/KEPT`, { headers })).json()).toMatchObject({ value: "kept" });
});

test("the servers take less than 300 MB when nothing is going on", async () => {
    const resident = (pid: number) => {
        const [, kilobytes = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid.toString()}/status`, "utf8")) ?? [];
        return Number(kilobytes) / 1024;
    };
    const sizes = (await pids()).map(([name, pid]) => [name, Math.round(resident(pid as number))] as const);
    console.log(Object.fromEntries(sizes));
    expect(sizes.reduce((sum, [, size]) => sum + size, 0)).toBeLessThan(300);
});

test("a lab that was moved is one again, with its builder, and its environment works in a shell, whatever its path", async () => {
    await stopLab(lab.paths);
    const home = path.dirname(lab.paths.state);
    const variables = { LAYERED_IMAGES_HOME: `${home}, it's "moved"` };
    const moved = labPaths(variables);
    renameSync(home, variables.LAYERED_IMAGES_HOME);
    try {
        const { instance, env } = await startLab({ paths: moved });
        expect(instance).toEqual(lab.instance);
        const [, endpoint] = /Endpoint:\s+(.+)/.exec(await run("buildx", ["inspect"], { env })) ?? [];
        expect(endpoint).toBe(`unix://${path.join(moved.state, "buildkit", "buildkitd.sock")}`);

        const program = makeRepository(path.join(moved.state, "a repository"), fixture);
        const script = `eval "$("$0" --eval "$1")" && pulumi preview && buildx build --file docker/Dockerfile.base .`;
        const shell = { ...lab, env: { ...process.env, ...variables } };
        const args = ["-c", script, process.execPath, commandScript(["lab", "env"])];
        const { code, output } = await runIn(shell, program, "sh", args);
        expect(output).toMatch(/\+ \d+ to create/);
        expect(code, output).toBe(0);
    } finally {
        await stopLab(moved);
        renameSync(variables.LAYERED_IMAGES_HOME, home);
        await startLab({ paths: lab.paths });
    }
});

/** Starts the lab with these environment variables, which a user may have set. */
async function startWith(variables: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(variables)) stubEnv(name, value);
    try {
        return await startLab({ paths: lab.paths });
    } finally {
        vi.unstubAllEnvs();
    }
}

test("the lab's builder is found whatever builder and Docker engine the user works with", async () => {
    const foreign = { DOCKER_HOST: "unix:///nowhere/docker.sock", BUILDX_BUILDER: "foreign" };
    rmSync(path.join(lab.paths.state, "buildx"), { recursive: true });
    const { env } = await startWith(foreign);
    const found = async (more: NodeJS.ProcessEnv) =>
        /^Name:\s+(\S+)/.exec(await run("buildx", ["inspect"], { env: { ...env, ...more } }))?.[1];
    // docker-build does not read BUILDX_BUILDER.
    for (const BUILDX_BUILDER of [env.BUILDX_BUILDER, undefined]) {
        for (const DOCKER_HOST of [foreign.DOCKER_HOST, "unix:///elsewhere.sock", undefined]) {
            expect(await found({ BUILDX_BUILDER, DOCKER_HOST })).toBe("layered-images");
        }
    }
    // A builder that was created before it was set for every endpoint is changed to apply to every endpoint.
    const current = path.join(lab.paths.state, "buildx/current");
    writeFileSync(current, readFileSync(current, "utf8").replace('"Global":true', '"Global":false'));
    await startLab({ paths: lab.paths });
    expect(await found({ BUILDX_BUILDER: undefined, DOCKER_HOST: "unix:///elsewhere.sock" })).toBe("layered-images");
});

test("behind a proxy the lab's servers are reached without it, and build steps see those of Docker's configuration", async () => {
    // No process listens on this port: every request to it fails.
    const proxy = "http://127.0.0.1:9";
    const [root = ""] = Object.values(lab.instance.roots);
    const folder = path.join(lab.paths.state, "proxied");
    const dockerfile = `FROM ${root}\nRUN env | sed "s/^/saw /"\n`;
    const proxies = { default: { httpsProxy: "http://proxy.test:3128" } };
    writeTree(folder, { Dockerfile: dockerfile, "config.json": JSON.stringify({ proxies }) });
    try {
        const variables = { HTTPS_PROXY: proxy, https_proxy: proxy, BUILDX_NO_DEFAULT_ATTESTATIONS: "true" };
        const { env: started } = await startWith(variables);
        const env = { ...started, ...variables, DOCKER_CONFIG: folder };
        await run("buildx", ["imagetools", "inspect", root], { env });
        const log = path.join(folder, "log");
        const build = ["build", "--no-cache", "--progress", "plain", "--output", "type=cacheonly", folder];
        await run("buildx", build, { env, log });
        const seen = [...readFileSync(log, "utf8").matchAll(/ saw (\w*proxy)=(\S+)/gi)].map(([, name, value]) => [
            name,
            value,
        ]);
        expect(new Map(seen as [string, string][])).toEqual(
            new Map([
                ["HTTPS_PROXY", "http://proxy.test:3128"],
                ["https_proxy", "http://proxy.test:3128"],
            ]),
        );
    } finally {
        await startLab({ paths: lab.paths });
    }
});

test("a server that hangs is told apart from one that serves, and replaced", async () => {
    const { pid } = JSON.parse(readFileSync(pidFile("registry"), "utf8")) as { pid: number };
    process.kill(pid, "SIGSTOP");
    expect((await labStatus(lab.paths)).registry).toMatchObject({ state: "unhealthy", pid });
    // The server gets time to respond, then time to exit.
    await startLab({ paths: lab.paths });
    expect((await labStatus(lab.paths)).registry).toEqual({ state: "running", pid: expect.any(Number) as number });
    expect(existsSync(`/proc/${pid.toString()}`)).toBe(false);
});

test("the pid of a process that is not ours is left alone", async () => {
    await stopLab(lab.paths);
    writeFileSync(pidFile("registry"), JSON.stringify({ pid: process.pid, started: "0", key: "" }));
    expect(await stopLab(lab.paths)).toEqual([]);
    await startLab({ paths: lab.paths });
});

test("stopping ends every server, and says so once", async () => {
    expect(await stopLab(lab.paths)).toEqual(["buildkitd", "github", "registry"]);
    expect(await stopLab(lab.paths)).toEqual([]);
    expect(await labStatus(lab.paths)).toEqual({
        registry: { state: "stopped" },
        buildkitd: { state: "stopped" },
        github: { state: "stopped" },
    });
});

test("a server that can't start fails with the end of its log", async () => {
    const folder = path.join(lab.paths.state, "broken");
    const script = "echo preparing; echo 'address already in use' >&2; exit 7";
    const server = {
        name: "broken",
        command: "sh",
        args: ["-c", script],
        config: { file: path.join(folder, "config"), text: "" },
        check: () => Promise.reject(new Error("nobody answers")),
    };
    await expect(startServer(folder, server)).rejects.toThrow(
        /broken did not start: it ended with exit code 7\n {4}preparing\n {4}address already in use/,
    );
});

test("another program on the registry's port is told, and nothing is left running", async () => {
    const thief = createServer((socket) => socket.destroy()).listen(lab.instance.port, "127.0.0.1");
    try {
        await expect(startLab({ paths: lab.paths })).rejects.toThrow(
            /registry did not start[\s\S]*address already in use/,
        );
    } finally {
        await new Promise((resolve) => thief.close(resolve));
    }
    expect((await labStatus(lab.paths)).registry).toEqual({ state: "stopped" });
});
