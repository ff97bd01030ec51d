import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { configWith } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { command, exportState, up } from "../stack";
import { writeTree } from "../tree";

/* A parent and its child in a stack with a policy, on real servers. The tests run in order and depend on each other. */

let lab: TestLab;
let program: string;

/** Lines of an entry of images.ts. */
const smokeTest = 'smokeTest: "smoke.sh",';
const entry = (name: string, more: string) =>
    `${name}: { description: "", name: "ghcr.io/fixture/${name}:latest", dockerfile: "Dockerfile.${name}", platforms: ["linux/amd64", "linux/arm64"], ${more} },\n`;
const images = (app: string, base = smokeTest) => ({
    "images.ts": `export const images = {\n${entry("base", base)}${entry("app", app)}};\n`,
});
const policy = (settings: string) => configWith(`  layered-images:policy: ${settings}\n`);

before(async () => {
    lab = await startTestLab("host");
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...images(smokeTest),
        "Dockerfile.base": "FROM python:3.12-slim\nCOPY base.txt /base.txt\n",
        "Dockerfile.app": "FROM ghcr.io/fixture/base:latest\nARG DEPLOY_TOKEN\nCOPY app.txt /app.txt\n",
        "smoke.sh": "#!/bin/sh\ntest -s /base.txt\n",
        "base.txt": "1\n",
        "app.txt": "1\n",
        ...policy("{}"),
    });
});
after(async () => {
    await lab.close();
});

const change = (files: Readonly<Record<string, string>>) => {
    writeTree(program, files);
};
const latest = async () => (await manifest(lab, "fixture/app", "latest"))?.digest;
/** The names in the state, with what was built for each. */
const built = async () =>
    Object.entries(await exportState(lab, program)).map(([name, { outputs }]) => [name, outputs.digest ?? outputs.ref]);
const pack = ["--policy-pack", "node_modules/layered-images/dist/lib/policy"];
const engine = (operation: "preview" | "up") =>
    runIn(lab, program, "pulumi", [
        operation,
        "--non-interactive",
        ...(operation === "up" ? ["--yes", "--skip-preview"] : []),
        ...pack,
    ]);

test("a hierarchy that keeps to the policy is built and promoted, under the pack too", async () => {
    const { code, output } = await up(lab, program, ...pack);
    expect(code, output).toBe(0);
    expect(output).toContain("layered-images");
    expect(output).not.toContain("refused by policy");
    expect(await latest()).toMatch(/^sha256:/);
});

test("an untested image and one on a tag are refused by every command before anything is made", async () => {
    const before = await built();
    change({ ...images("", ""), "Dockerfile.base": "FROM elsewhere.example/python:3\nCOPY base.txt /base.txt\n" });
    for (const args of [["preview"], ["up"], ["review"]]) {
        const { code, output } = await command(lab, program, args);
        expect([args, code], output).toEqual([args, 3]);
        expect(output).toMatch(
            /refused by policy smoke-test: image base is published and has no smoke test.*\n *next: write/,
        );
        expect(output).toContain("refused by policy smoke-test: image app");
        expect(output).toMatch(
            /refused by policy parent-by-digest: image base is built from elsewhere\.example\/python:3/,
        );
    }
    expect(await built()).toEqual(before);
});

test("the pack refuses the same, and arguments that the program was told are public, of a stack without a policy", async () => {
    const before = await built();
    const secret = `ghp_${"a1".repeat(18)}`;
    change({
        ...policy("{ level: disabled }"),
        ...images(`buildArgs: { DEPLOY_TOKEN: "${secret}" }, plainArguments: ["DEPLOY_TOKEN"],`, 'maxSize: "1 kB",'),
    });
    for (const operation of ["preview", "up"] as const) {
        const { code, output } = await engine(operation);
        expect(code, output).not.toBe(0);
        expect(output).toMatch(/refused by policy smoke-test: image base/);
        expect(output).toMatch(/refused by policy parent-by-digest: image base is built from elsewhere/);
        if (operation === "preview")
            expect(output).toMatch(/refused by policy no-credentials: build argument DEPLOY_TOKEN of image app/);
        expect(output).not.toContain(secret);
    }
    expect(await built()).toEqual(before);
});

test("a build over its budget is tested and not promoted, until its budget allows it", async () => {
    const before = await latest();
    change({
        ...policy("{ maxSize: 2 GB }"),
        ...images(`${smokeTest} maxSize: "1 kB",`),
        "Dockerfile.base": "FROM python:3.12-slim\nCOPY base.txt /base.txt\n",
        "app.txt": "2\n",
    });
    const refused = await command(lab, program, ["up"]);
    expect(refused.code, refused.output).toBe(3);
    expect(refused.output).toMatch(
        /refused by policy max-size: image app is too large: .* bytes\), and 1 kB are allowed/,
    );
    expect(await latest()).toBe(before);
    const viewed = await runIn(lab, program, "pulumi", ["preview", "--non-interactive", ...pack]);
    expect(viewed.output).not.toContain("policy smoke-test");

    change(images(`${smokeTest} maxSize: "1 GB",`));
    const done = await command(lab, program, ["up"]);
    expect(done.code, done.output).toBe(0);
    expect(await latest()).not.toBe(before);
});

test("a pack compares the size of what is promoted already in a preview", async () => {
    change(images(`${smokeTest} maxSize: "1 kB",`));
    const { code, output } = await engine("preview");
    expect(code, output).not.toBe(0);
    expect(output).toMatch(/refused by policy max-size: image app is too large/);
});

test("an update that would remove a published digest from the registry is refused, and the digest stays", async () => {
    const file = path.join(lab.paths.state, "state.json");
    const state = ["--file", file];
    expect((await runIn(lab, program, "pulumi", ["stack", "export", ...state])).code).toBe(0);
    const text = readFileSync(file, "utf8");
    const { deployment, ...rest } = JSON.parse(text) as {
        deployment: { resources: { urn: string; retainOnDelete?: boolean }[] };
    };
    const resources = deployment.resources.map((one) =>
        /::app(-amd64|-arm64)$/.test(one.urn) ? { ...one, retainOnDelete: false } : one,
    );
    writeFileSync(file, JSON.stringify({ ...rest, deployment: { ...deployment, resources } }));
    expect((await runIn(lab, program, "pulumi", ["stack", "import", ...state])).code).toBe(0);
    const before = await built();
    change({ "images.ts": `export const images = {\n${entry("base", smokeTest)}};\n` });
    const { code, output } = await command(lab, program, ["up"]);
    expect(code, output).toBe(3);
    expect(output).toMatch(
        /refused by policy no-loss: deleting the build app-\w+ would remove its digest from the registry.*\n *next: /,
    );
    expect(await built()).toEqual(before);
    expect(await latest()).toMatch(/^sha256:/);
});
