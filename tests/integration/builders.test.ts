import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import type { BuilderSettings } from "../../lib/builders/settings";
import { instancesFor } from "../../lib/builders/settings";
import { type Engine, type Pairs, makePairs, startEngine } from "../engine";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { changesOf, command, commandScript, exportState, imageOutputs, noChanges, up } from "../stack";
import { writeTree } from "../tree";

/*
 * Two BuildKits with mutual TLS, one for each platform, as the builder of a stack. The tests run in order and depend on each other. buildx's
 * folder is empty at first, and its variable BUILDX_BUILDER is not set: nothing but the stack's setting leads to the engines.
 */

let lab: TestLab;
/** The lab, for programs that know nothing of its builder. */
let apart: TestLab;
let program: string;
let pairs: Pairs;
let amd64: Engine;
let arm64: Engine;

const definitions = `export const images = {
    base: { description: "both", name: "ghcr.io/fixture/base:latest", dockerfile: "base.Dockerfile", platforms: ["linux/amd64", "linux/arm64"], smokeTest: "smoke.sh" },
    app: { description: "both", name: "ghcr.io/fixture/app:latest", dockerfile: "app.Dockerfile", platforms: ["linux/amd64", "linux/arm64"], smokeTest: "smoke.sh" },
    tools: { description: "never pushed", dockerfile: "tools.Dockerfile", platforms: ["linux/amd64"] },
};
`;

/** What is on the disk is relative to the repository's root. */
const tls = { ca: "tls/ca.pem", cert: "tls/client.pem", key: "tls/client.key" };
const both = (): BuilderSettings => ({
    driver: "remote",
    nodes: [
        { endpoint: amd64.endpoint, platforms: ["linux/amd64"], tls },
        { endpoint: arm64.endpoint, platforms: ["linux/arm64"], tls },
    ],
});
const set = (builder?: BuilderSettings) => {
    const lines = builder ? `  layered-images:builder: ${JSON.stringify(builder)}\n` : "";
    writeTree(program, configWith(lines));
};
const changeApp = (text: string) => {
    writeTree(program, { "app.txt": text });
};
const instances = () => readdirSync(path.join(apart.env.BUILDX_CONFIG ?? "", "instances")).sort();

const named = () => [...instancesFor(both(), ["linux/amd64", "linux/arm64"], program).values()].map(({ name }) => name);

/** The platforms for which an instance has built, each once. */
async function builtOn(name = ""): Promise<string[]> {
    const { stdout } = await runIn(apart, program, "buildx", ["--builder", name, "history", "ls", "--format", "json"]);
    const lines = stdout.split("\n").filter(Boolean);
    const found = await Promise.all(
        lines.map(async (line) => {
            const { ref } = JSON.parse(line) as { ref: string };
            const ask = ["--builder", name, "history", "inspect", ref.split("/").at(-1) ?? "", "--format", "json"];
            const build = JSON.parse((await runIn(apart, program, "buildx", ask)).stdout) as { Platform?: string[] };
            return build.Platform ?? [];
        }),
    );
    return [...new Set(found.flat())].sort();
}

before(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        "Pulumi.local.yaml": fixture["Pulumi.local.yaml"] ?? "",
        "images.ts": definitions,
        "base.Dockerfile": "FROM python:3.12-slim\nCOPY base.txt /\n",
        "app.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /\nRUN cp /app.txt /copy.txt\n",
        "tools.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY tools.txt /\n",
        "smoke.sh": "#!/bin/sh\ntest -s /base.txt\n",
        "base.txt": "base\n",
        "app.txt": "app\n",
        "tools.txt": "tools\n",
    });
    apart = { ...lab, env: { ...lab.env, BUILDX_CONFIG: path.join(lab.paths.state, "own-buildx") } };
    delete apart.env.BUILDX_BUILDER;
    pairs = await makePairs(path.join(program, "tls"));
    const at = (name: string) => path.join(lab.paths.state, name);
    amd64 = await startEngine(lab, at("engine-amd64"), { platforms: ["linux/amd64"], pairs });
    arm64 = await startEngine(lab, at("engine-arm64"), { platforms: ["linux/arm64"], pairs });
});
after(async () => {
    await Promise.all([amd64.kill(), arm64.kill()]);
    await lab.close();
});

/** Digests of the app by platform. */
let digests: Readonly<Record<string, string>> | undefined;

test("a stack that gets a builder builds nothing again, and neither makes nor asks one while nothing is to be built", async () => {
    expect((await up(lab, program)).code).toBe(0);
    digests = (await imageOutputs(lab, program)).app?.platforms;
    set(both());
    const preview = await runIn(apart, program, "pulumi", ["preview", "--non-interactive", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
    expect(changesOf(await up(apart, program))).toEqual(noChanges);
    expect(() => instances()).toThrow(/ENOENT/);
});

test("another DOCKER_HOST is no reason to build: `up` keeps it from Pulumi, and Pulumi by itself is refused it", async () => {
    const variables = { DOCKER_HOST: "unix:///nowhere/docker.sock" };
    const { code, output } = await command(lab, program, ["up", "--expect-no-changes"], variables);
    expect(code, output).toBe(0);
    const refused = await up({ ...apart, env: { ...apart.env, ...variables } }, program);
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(
        /DOCKER_HOST is unix:\/\/\/nowhere\/docker\.sock, and was not set when the stack's images were built/,
    );
    expect(refused.operations).toEqual({});
});

test("each platform of what is built then is built and tested on its node, without a builder of the lab", async () => {
    changeApp("first\n");
    const done = await up(apart, program);
    expect(done.code, done.output).toBe(0);
    expect(Object.keys(done.operations).sort()).toEqual([
        "app",
        "app-amd64",
        "app-amd64-test",
        "app-arm64",
        "app-arm64-test",
    ]);
    expect(instances()).toEqual(named().sort());
    expect(await Promise.all(named().map(builtOn))).toEqual([["linux/amd64"], ["linux/arm64"]]);
    const state = await exportState(lab, program);
    expect(
        Object.entries(state)
            .filter(([, { inputs }]) => inputs.builder)
            .map(([key]) => key)
            .sort(),
    ).toEqual(["app-amd64", "app-amd64-test", "app-arm64", "app-arm64-test"]);
    expect(changesOf(await up(apart, program))).toEqual(noChanges);
});

test("what was built elsewhere gets the same digests there", async () => {
    changeApp("app\n");
    const done = await up(apart, program);
    expect(done.code, done.output).toBe(0);
    expect((await imageOutputs(lab, program)).app?.platforms).toEqual(digests);
});

test.thorough("a stack that loses its builder builds nothing again either", async () => {
    set();
    const preview = await runIn(lab, program, "pulumi", ["preview", "--non-interactive", "--expect-no-changes"]);
    expect(preview.code, preview.output).toBe(0);
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

describe("before the first build are refused, with the next step,", () => {
    const refused = async (builder: BuilderSettings, ...texts: RegExp[]) => {
        set(builder);
        changeApp("second\n");
        const { code, output, log } = await up(apart, program);
        expect(code).not.toBe(0);
        for (const text of texts) expect(output).toMatch(text);
        expect(
            log?.steps
                .filter(({ result, operation }) => result === "succeeded" && operation !== "same")
                .map(({ urn }) => urn),
        ).toEqual([]);
    };

    test("a node that is down", async () => {
        const [first, second] = both().nodes;
        if (!first || !second) throw new Error("there are two");
        await refused(
            { driver: "remote", nodes: [first, { ...second, endpoint: "tcp://127.0.0.1:9" }] },
            /node tcp:\/\/127\.0\.0\.1:9 can't be used: .*connection refused/,
            /next: start its BuildKit, or correct `endpoint`/,
        );
    });

    test("a platform that nobody offers", async () => {
        const [first, second] = both().nodes;
        if (!first || !second) throw new Error("there are two");
        await refused(
            { driver: "remote", nodes: [first] },
            /no node builds linux\/arm64, which the stack builds\s+allowed: linux\/amd64\s+next: add a node for it/,
        );
        const extra = `    extra: { description: "rare", name: "ghcr.io/fixture/extra:latest", dockerfile: "extra.Dockerfile", platforms: ["linux/riscv64"] },\n};\n`;
        writeTree(program, {
            "images.ts": definitions.replace(/\};\n$/, extra),
            "extra.Dockerfile": "FROM scratch\nCOPY app.txt /\n",
        });
        const nodes = [first, { ...second, platforms: ["linux/arm64", "linux/riscv64"] as const }];
        await refused(
            { driver: "remote", nodes },
            /node tcp:\S+ is to build linux\/riscv64, which its engine does not offer\s+allowed: linux\/arm64/,
        );
        writeTree(program, { "images.ts": definitions });
    });

    test("a certificate that the engine does not trust, and an engine whose certificate is not trusted", async () => {
        await makePairs(path.join(program, "other"));
        const [first, second] = both().nodes;
        if (!first || !second) throw new Error("there are two");
        const wrong = { cert: "other/client.pem", key: "other/client.key" };
        await refused(
            { driver: "remote", nodes: [first, { ...second, tls: { ...tls, ...wrong } }] },
            /can't be used: /,
            /next: the engine ends the connection: set `tls\.cert` and `tls\.key`/,
        );
        await refused(
            { driver: "remote", nodes: [first, { ...second, tls: { ...tls, ca: "other/ca.pem" } }] },
            /can't be used: .*x509: /,
            /next: set `tls\.ca` of this node/,
        );
    });

    test("a builder that somebody else made, which stays", async () => {
        const made = await runIn(apart, program, "buildx", [
            "create",
            "--name",
            "theirs",
            "--driver",
            "remote",
            "tcp://127.0.0.1:9",
        ]);
        expect(made.code, made.output).toBe(0);
        await refused(
            {
                driver: "remote",
                nodes: both().nodes.map((node, index) => (index === 0 ? { ...node, name: "theirs" } : node)),
            },
            /builder theirs is on this machine already, and was not made by this program \(driver remote, tcp:\/\/127\.0\.0\.1:9\)/,
            /give the node another `name` in the setting\s+or, if nothing else uses it, remove it: docker buildx rm theirs/,
        );
        expect(instances()).toContain("theirs");
    });
});

test("an engine that dies in the middle fails the update with the image's name, and the next one converges", async () => {
    set(both());
    changeApp("third\n");
    writeTree(program, { "app.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /\nRUN sleep 5\n" });
    const failing = up(apart, program);
    const running = ["--builder", named()[1] ?? "", "history", "ls", "--format", "{{.Ref}} {{.Status}}"];
    await eventually(
        async () => {
            expect((await runIn(apart, program, "buildx", running)).stdout).toMatch(/ Running/);
        },
        { timeout: 20_000, interval: 200 },
    );
    await arm64.kill();
    const failed = await failing;
    expect(failed.code).not.toBe(0);
    expect(failed.output).toMatch(/image app: next: .*`builder`: start the engine of the node that ended/);
    await arm64.start();
    const done = await up(apart, program);
    expect(done.code, done.output).toBe(0);
});

test("`remove-builders` removes what the program made on this machine, and nothing of others", async () => {
    expect(instances().length).toBeGreaterThan(1);
    const { code, output } = await runIn(apart, program, process.execPath, [
        "--eval",
        commandScript(["remove-builders"]),
    ]);
    expect(code, output).toBe(0);
    expect(instances()).toEqual(["theirs"]);
    rmSync(path.join(program, "other"), { recursive: true });
});
