import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import type { ReleasesReport, RollbackReport } from "../../cli/rollback";
import { labRepository } from "../../lab/github/defaults";
import { configWith } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { type Sshd, hostSettings, setDeploymentKey, startSshd } from "../sshd";
import { changesOf, command, imageOutputs, noChanges, reviewPlan, up } from "../stack";
import { standInRepository } from "../standIn";
import { writeTree } from "../tree";

/* A parent, a child with a variable and a deployment, on real servers. The tests run in order and depend on each other. */

let lab: TestLab;
let sshd: Sshd;
let program: string;
/** Digests of the tag `latest`, by image, after each of the first two updates. */
const published: Record<string, string>[] = [];

const image = (name: string) =>
    `{ description: "", name: "ghcr.io/fixture/${name}:latest", dockerfile: "Dockerfile.${name}", platforms: ["linux/amd64", "linux/arm64"], smokeTest: "smoke.sh" }`;

before(async () => {
    lab = await startTestLab("host");
    const folder = path.join(lab.paths.state, "sshd");
    mkdirSync(folder);
    sshd = await startSshd(folder);
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        "images.ts": `export const images = { base: ${image("base")}, app: ${image("app")} };\n`,
        "Dockerfile.base": "FROM python:3.12-slim\nCOPY base.txt /base.txt\n",
        "Dockerfile.app": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /app.txt\n",
        "smoke.sh": "#!/bin/sh\ntest -s /base.txt\n",
        "base.txt": "1\n",
        "app.txt": "1\n",
        ...configWith(
            `  layered-images:github:
    repository: ${labRepository.name}
  github:writeDelayMs: "0"
  # Where the bot runs.
  layered-images:deployments:
    bot:
      image: app
${hostSettings(sshd)}      command: echo "$RELEASE_TAG $RELEASE_REF" >> "$DEPLOY_STATE/started"
`,
        ),
    });
    await setDeploymentKey(lab, program, "bot", sshd);
});
after(async () => {
    await sshd.stop();
    await lab.close();
});

const change = (files: Readonly<Record<string, string>>) => {
    writeTree(program, files);
};
const latest = async (): Promise<Record<string, string>> => ({
    base: (await manifest(lab, "fixture/base", "latest"))?.digest ?? "",
    app: (await manifest(lab, "fixture/app", "latest"))?.digest ?? "",
});
const deployed = () => readFileSync(path.join(sshd.state, "started"), "utf8").trimEnd().split("\n").at(-1) ?? "";
const variable = () => JSON.stringify(standInRepository(lab).state().variables);
/** Runs a command of the project that prints JSON. */
async function asked<Report>(...args: string[]): Promise<Report> {
    const { code, output, stdout } = await command(lab, program, [...args, "--json"]);
    expect(code, output).toBe(0);
    return JSON.parse(stdout) as Report;
}
/** The operations on builds and smoke tests of an update. */
const built = (operations: Readonly<Record<string, string>>) =>
    Object.keys(operations).filter((name) => /-(amd64|arm64)(-test)?$/.test(name));
const stackFile = () => readFileSync(path.join(program, "Pulumi.local.yaml"), "utf8");

test("two releases of a parent and its child are recorded, with what runs them", async () => {
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    published.push(await latest());
    change({ "base.txt": "2\n", "app.txt": "2\n" });
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    published.push(await latest());
    const { images } = await asked<ReleasesReport>("releases");
    expect(images.map((one) => [one.image, one.releases.map(({ digest }) => digest)])).toEqual([
        ["base", [published[1]?.base, published[0]?.base]],
        ["app", [published[1]?.app, published[0]?.app]],
    ]);
    const [[base], [app, before]] = images.map(({ releases }) => releases) as [
        ReleasesReport["images"][number]["releases"],
        ReleasesReport["images"][number]["releases"],
    ];
    expect(base).toMatchObject({
        current: true,
        present: true,
        users: { children: ["app"], variables: ["BASE_IMAGE"] },
    });
    expect(app).toMatchObject({ users: { variables: ["APP_IMAGE"], deployments: ["bot"], children: [] } });
    expect(before).toMatchObject({ current: false, users: { tags: [], variables: [], deployments: [] } });
    expect(Date.now() - Date.parse(app?.date ?? "")).toBeLessThan(600_000);
});

test("a rollback of the parent pins the child's release that was built on it; a review says what follows, and needs no registry", async () => {
    const text = stackFile();
    const report = await asked<RollbackReport>("rollback", "base");
    expect(report).toMatchObject({
        pins: [
            { image: "base", digest: published[0]?.base },
            { image: "app", digest: published[0]?.app },
        ],
        ...{ rebuilt: [], stay: [], variables: ["BASE_IMAGE", "APP_IMAGE"], deployments: ["bot"] },
    });
    // Everything else in the file stays, comments too.
    const lines = stackFile().split("\n");
    expect(text.split("\n").filter((line) => !lines.includes(line))).toEqual([]);
    const plan = await reviewPlan(lab, program);
    const names = report.pins.map(({ release }) => release);
    expect(plan.images.map((one) => [one.image, one.action, one.pinned])).toEqual([
        ["base", "retag", names[0]],
        ["app", "retag", names[1]],
    ]);
    expect(plan.images.flatMap(({ platforms }) => platforms.map(({ action }) => action))).toEqual([
        "unchanged",
        "unchanged",
    ]);
    expect(plan.repository.filter(({ kind }) => kind === "variable")).toEqual([
        { kind: "variable", name: "APP_IMAGE", action: "update" },
        { kind: "variable", name: "BASE_IMAGE", action: "update" },
    ]);
    expect(plan.deployments).toMatchObject([{ deployment: "bot", action: "deploy" }]);
    expect(plan.warnings.filter((warning) => warning.includes("is pinned to"))).toHaveLength(2);
});

test("an update moves tags, variables and the deployment to it and builds nothing; status finds no drift", async () => {
    const { code, operations, output } = await up(lab, program);
    expect(code, output).toBe(0);
    expect(built(operations)).toEqual([]);
    expect(await latest()).toEqual(published[0]);
    for (const digest of Object.values(published[0] ?? {})) expect(variable()).toContain(digest);
    expect(deployed()).toContain(published[0]?.app ?? "nothing");
    expect(deployed()).toContain((await imageOutputs(lab, program)).app?.ref ?? "nothing");
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
    const status = await command(lab, program, ["status"]);
    expect(status.output).toContain("it is pinned to");
    expect(status.code, status.output).toBe(0);
    const { images } = await asked<ReleasesReport>("releases", "app");
    expect(images[0]?.releases.map(({ current, pinned }) => [current, pinned])).toEqual([
        [false, false],
        [true, true],
    ]);
});

test("without the pins everything is as before, and nothing is built for that", async () => {
    await asked("unpin", "base");
    expect(stackFile()).not.toContain("layered-images:pins");
    const { code, operations, output } = await up(lab, program);
    expect(code, output).toBe(0);
    expect(built(operations)).toEqual([]);
    expect(await latest()).toEqual(published[1]);
    expect(deployed()).toContain(published[1]?.app ?? "nothing");
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test.thorough("an image that changes while it is pinned is built when the pin goes, not before", async () => {
    await asked("rollback", "app");
    change({ "app.txt": "3\n" });
    const plan = await reviewPlan(lab, program);
    expect(plan.images.find((one) => one.image === "app")).toMatchObject({ action: "retag", changedSincePinned: true });
    const pinned = await up(lab, program);
    expect(pinned.code, pinned.output).toBe(0);
    expect(pinned.operations).not.toMatchObject({ "app-amd64": "create" });
    expect(Object.entries(pinned.operations).filter(([, operation]) => /create|update/.test(operation))).toEqual([
        ["app", "update"],
    ]);
    expect((await latest()).app).toBe(published[0]?.app);
    expect((await command(lab, program, ["status"])).code).toBe(0);
    await asked("unpin", "--all");
    const planned = await reviewPlan(lab, program);
    expect(planned.images.map((one) => [one.image, one.action])).toEqual([
        ["base", "unchanged"],
        ["app", "rebuild"],
    ]);
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    expect(built(operations)).toEqual(["app-amd64", "app-amd64-test"]);
    expect((await latest()).app).not.toBe(published[1]?.app);
});
