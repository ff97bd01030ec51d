import path from "node:path";
import { after, before } from "mocha";
import { stackSettings } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { type UpOutcome, changesOf, noChanges, reviewPlan, up } from "../stack";
import { writeTree } from "../tree";

/*
 * Two stacks on one file backend and one registry: "local" promotes to the tags of images.ts, "pr-1" to its own channel, and takes what "local" has
 * built. The tests run in order and depend on each other.
 */

let lab: TestLab;
let program: string;

const amd64 = 'platforms: ["linux/amd64"]';
const files = {
    "images.ts": `export const images = {
    base: { description: "below", name: "ghcr.io/fixture/base:latest", dockerfile: "base.Dockerfile", ${amd64}, smokeTest: "smoke.sh" },
    app: { description: "above", name: "ghcr.io/fixture/app:latest", tags: ["3.12"], dockerfile: "app.Dockerfile", ${amd64} },
};
`,
    "base.Dockerfile": "FROM python:3.12-slim\nCOPY base.txt /\nRUN cat /proc/sys/kernel/random/uuid > /id\n",
    "app.Dockerfile":
        "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /\nRUN cat /proc/sys/kernel/random/uuid > /app-id\n",
    "smoke.sh": "#!/bin/sh\ntest -s /base.txt\n",
    "base.txt": "base\n",
    "app.txt": "app\n",
};

const onMain = () => up(lab, program);
const onChannel = () => up(lab, program, "--stack", "pr-1");
const digestOf = async (repository: string, tag: string) => (await manifest(lab, `fixture/${repository}`, tag))?.digest;

/** What the builds of an update were, without the indexes. */
const builtBy = ({ operations }: UpOutcome) =>
    Object.entries(operations)
        .filter(([name]) => name.includes("-amd64"))
        .sort();

let latest: Readonly<Record<"base" | "app", string | undefined>>;
const latestNow = async () => ({ base: await digestOf("base", "latest"), app: await digestOf("app", "latest") });

before(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...files,
        // A build with other settings would be another build.
        "Pulumi.local.yaml": stackSettings({ registryCache: false }),
        // Both are one stack.
        "Pulumi.pr-1.yaml": stackSettings({
            channel: "{stack}",
            buildsFrom: ["local", "organization/layered-images/local"],
            buildSettingsOf: "local",
        }),
    });
    const built = await onMain();
    expect(built.code, built.output).toBe(0);
    latest = await latestNow();
    const init = await runIn(lab, program, "pulumi", ["stack", "init", "pr-1", "--no-select"]);
    expect(init.code, init.output).toBe(0);
});
after(() => lab.close());

test("a new stack builds only what differs from the stack that it takes builds from, and promotes to tags of its own", async () => {
    writeTree(program, { "app.txt": "changed\n" });
    const { images } = await reviewPlan(lab, program, "--stack", "pr-1");
    expect(images.map(({ image, action, causes }) => [image, action, causes])).toEqual([
        ["base", "retag", ["linux/amd64 is built by stack local"]],
        ["app", "rebuild", ["first build"]],
    ]);
    const done = await onChannel();
    expect(done.code, done.output).toBe(0);
    expect(builtBy(done)).toEqual([
        ["app-amd64", "create"],
        ["app-amd64-test", "create"],
    ]);
    expect(await latestNow()).toEqual(latest);
    expect(await digestOf("base", "pr-1")).toBe(latest.base);
    expect(await digestOf("app", "pr-1")).not.toBe(latest.app);
    expect(await digestOf("app", "pr-1_3.12")).toBe(await digestOf("app", "pr-1"));
    expect(await digestOf("app", "3.12")).toBe(latest.app);
    const layersOf = async (repository: string, tag: string) => {
        const index = await manifest(lab, `fixture/${repository}`, tag);
        const image = await manifest(lab, `fixture/${repository}`, index?.manifests?.[0]?.digest ?? "");
        return image?.layers?.map(({ digest }) => digest) ?? [];
    };
    const below = await layersOf("base", "latest");
    expect(below.length).toBeGreaterThan(1);
    expect((await layersOf("app", "pr-1")).slice(0, below.length)).toEqual(below);
});

test("a second update has nothing to do, also when the other stack has gone on to other inputs", async () => {
    expect(changesOf(await onChannel())).toEqual(noChanges);
    writeTree(program, { "app.txt": "app\n", "base.txt": "new\n" });
    const moved = await onMain();
    expect(moved.code, moved.output).toBe(0);
    writeTree(program, { "app.txt": "changed\n", "base.txt": "base\n" });
    expect(changesOf(await onChannel())).toEqual(noChanges);
    expect(await digestOf("base", "pr-1")).toBe(latest.base);
});

test("a build that is taken is tested by the channel's own tests, and not built again for them", async () => {
    writeTree(program, { "smoke.sh": "#!/bin/sh\ntest -s /base.txt && test -s /id\n" });
    const { images } = await reviewPlan(lab, program, "--stack", "pr-1");
    expect(images.map(({ action, causes }) => [action, causes])).toEqual([
        ["retest", ["smoke test smoke.sh changed"]],
        ["retest", ["smoke test smoke.sh changed"]],
    ]);
    expect(builtBy(await onChannel())).toEqual([
        ["app-amd64-test", "update"],
        ["base-amd64-test", "create"],
    ]);
    expect(changesOf(await onChannel())).toEqual(noChanges);
    writeTree(program, { "smoke.sh": files["smoke.sh"] });
    expect(builtBy(await onChannel())).toEqual([
        ["app-amd64-test", "update"],
        ["base-amd64-test", "delete"],
    ]);
});

test("what was built for the channel goes to the tags of images.ts without a rebuild, where that stack takes builds from it", async () => {
    // The pull request has main's new base, and is merged.
    writeTree(program, { "base.txt": "new\n" });
    const merged = await onChannel();
    expect(builtBy(merged)).toEqual([
        ["app-amd64", "update"],
        ["app-amd64-test", "update"],
    ]);
    const channel = await digestOf("app", "pr-1");
    writeTree(program, { "Pulumi.local.yaml": stackSettings({ registryCache: false, buildsFrom: ["pr-1"] }) });
    const { images } = await reviewPlan(lab, program);
    expect(images.map(({ image, action, causes }) => [image, action, causes])).toEqual([
        ["base", "unchanged", []],
        ["app", "retag", ["app.txt changed", "linux/amd64 is built by stack pr-1"]],
    ]);
    const done = await onMain();
    expect(done.code, done.output).toBe(0);
    // They leave the state of this stack, and stay in the registry.
    expect(builtBy(done)).toEqual([
        ["app-amd64", "delete"],
        ["app-amd64-test", "delete"],
    ]);
    expect(await digestOf("app", "latest")).toBe(channel);
    expect(await digestOf("app", "3.12")).toBe(channel);
    expect(changesOf(await onMain())).toEqual(noChanges);
    expect(changesOf(await onChannel())).toEqual(noChanges);
});

test("a stack that does not exist is refused before anything is built", async () => {
    writeTree(program, { "Pulumi.pr-1.yaml": stackSettings({ channel: "{stack}", buildsFrom: ["lokal"] }) });
    const refused = await onChannel();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("there is no stack lokal, from which builds are to be taken");
    expect(refused.operations).toEqual({});
});
