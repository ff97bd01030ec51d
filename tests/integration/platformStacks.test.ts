import path from "node:path";
import { after, before } from "mocha";
import { fixture, stackSettings } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { deleteManifest, manifest } from "../registry";
import type { StatusReport } from "../../lib/status/status";
import { changesOf, command, exportState, imageOutputs, noChanges, reviewPlan, up } from "../stack";
import { writeTree } from "../tree";

/*
 * Two stacks on one file backend: "arm64" builds, tests and pushes what "local" promotes, as two runners do that share nothing but the backend and
 * the registry. The tests run in order and depend on each other; arm64 is emulated.
 */

let lab: TestLab;
let program: string;

const both = 'platforms: ["linux/amd64", "linux/arm64"]';
const files = {
    "images.ts": `export const images = {
    base: { description: "both", name: "ghcr.io/fixture/base:latest", dockerfile: "base.Dockerfile", ${both}, smokeTest: "smoke.sh" },
    app: { description: "both", name: "ghcr.io/fixture/app:latest", dockerfile: "app.Dockerfile", ${both} },
    arm: { description: "one", name: "ghcr.io/fixture/arm:latest", dockerfile: "arm.Dockerfile", platforms: ["linux/arm64"] },
    tools: { description: "never pushed", dockerfile: "tools.Dockerfile", platforms: ["linux/amd64"] },
};
`,
    "base.Dockerfile": "FROM python:3.12-slim\nCOPY base.txt /\n",
    "app.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /\nRUN cp /app.txt /copy.txt\n",
    "arm.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /arm.txt\n",
    "tools.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /tools.txt\n",
    "smoke.sh": "#!/bin/sh\ntest -s /base.txt\n",
    "base.txt": "base\n",
    "app.txt": "app\n",
};

/** The tests of a child are those of its parent. */
const onArm64 = ["app", "arm", "base"].flatMap((name) => [`${name}-arm64`, `${name}-arm64-test`]);

/** The configuration of the stack that builds arm64. */
const platformStack = stackSettings({ platforms: ["linux/arm64"], promote: false, buildSettingsOf: "local" });
const onMain = () => up(lab, program);
const onPlatform = () => up(lab, program, "--stack", "arm64");

/** What the registry has under a tag. */
const promoted = async (name: string) => {
    const index = await manifest(lab, `fixture/${name}`, "latest");
    const digests = index?.manifests?.map(({ platform, digest }) => [`linux/${platform?.architecture ?? ""}`, digest]);
    return { digest: index?.digest, platforms: Object.fromEntries(digests ?? []) as Readonly<Record<string, string>> };
};
type Promoted = Awaited<ReturnType<typeof promoted>>;
const all = async (): Promise<Readonly<Record<string, Promoted>>> =>
    Object.fromEntries(
        await Promise.all(["base", "app", "arm"].map(async (name) => [name, await promoted(name)] as const)),
    );

/** The releases of a stack with both platforms. */
let alone: Readonly<Record<string, Promoted>>;

before(async () => {
    lab = await startTestLab();
    const configured = { "Pulumi.local.yaml": fixture["Pulumi.local.yaml"] ?? "", "Pulumi.arm64.yaml": platformStack };
    program = makeRepository(path.join(lab.paths.state, "repository"), { ...files, ...configured });
    expect((await onMain()).code).toBe(0);
    alone = await all();
    expect(Object.keys(alone.app?.platforms ?? {})).toEqual(["linux/amd64", "linux/arm64"]);
    writeTree(program, { "Pulumi.local.yaml": stackSettings({ platformStacks: { "linux/arm64": "arm64" } }) });
});
after(() => lab.close());

test("before the other stack has built anything, a preview says so, and an update refuses to begin and names the command", async () => {
    const state = await exportState(lab, program);
    const { images } = await reviewPlan(lab, program);
    expect(images.map(({ image, action }) => [image, action])).toEqual([
        ["base", "retag"],
        ["app", "retag"],
        ["arm", "retag"],
        ["tools", "unchanged"],
    ]);
    expect(images[0]?.causes).toContain("waits for stack arm64, which has not built it for linux/arm64 yet");
    const refused = await onMain();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(
        /stack arm64, which builds linux\/arm64, is behind this checkout:\n.*the stack has built nothing yet/,
    );
    expect(refused.output).toContain("up --stack arm64");
    expect(await exportState(lab, program)).toEqual(state);
});

test("the other stack builds, tests and pushes its platform, promotes nothing, and gets the digests that one stack got", async () => {
    const init = await runIn(lab, program, "pulumi", ["stack", "init", "arm64", "--no-select"]);
    expect(init.code, init.output).toBe(0);
    const done = await onPlatform();
    expect(done.code, done.output).toBe(0);
    expect(Object.keys(done.operations).sort()).toEqual(onArm64);
    const shown = await runIn(lab, program, "pulumi", ["stack", "output", "images", "--json", "--stack", "arm64"]);
    const outputs = JSON.parse(shown.stdout) as Record<string, { ref: unknown; platforms: Record<string, string> }>;
    for (const [name, { platforms, ref }] of Object.entries(outputs)) {
        expect(ref).toBeNull();
        expect(platforms["linux/arm64"]).toBe(alone[name]?.platforms["linux/arm64"]);
    }
    expect(await all()).toEqual(alone);
});

test("the switch builds nothing, and loses and moves nothing that was published", async () => {
    const done = await onMain();
    expect(done.code, done.output).toBe(0);
    // They leave the state of this stack, and stay in the registry.
    expect(done.operations).toEqual(Object.fromEntries(onArm64.map((name) => [name, "delete"])));
    expect(await all()).toEqual(alone);
    for (const [name, { platforms }] of Object.entries(alone)) {
        for (const digest of Object.values(platforms))
            expect(await manifest(lab, `fixture/${name}`, digest)).toBeDefined();
    }
});

test("a second update of both has nothing to do", async () => {
    expect(changesOf(await onPlatform())).toEqual(noChanges);
    expect(changesOf(await onMain())).toEqual(noChanges);
    expect((await reviewPlan(lab, program)).images.map(({ action }) => action)).toEqual([
        "unchanged",
        "unchanged",
        "unchanged",
        "unchanged",
    ]);
});

test("after a change the update waits for the other stack, and then promotes an index over both", async () => {
    writeTree(program, { "app.txt": "changed\n" });
    const refused = await onMain();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/image app for linux\/arm64: built from other inputs/);
    expect(refused.output).not.toContain("image base for");
    expect(refused.operations).toEqual({});
    expect((await onPlatform()).code).toBe(0);
    const done = await onMain();
    expect(done.code, done.output).toBe(0);
    expect(done.operations).toEqual(
        Object.fromEntries(
            ["app", "app-amd64", "app-amd64-test", "arm", "tools-amd64"].map((name) => [name, "update"]),
        ),
    );
    const now = await all();
    expect(now.base).toEqual(alone.base);
    expect(now.app?.platforms["linux/arm64"]).not.toBe(alone.app?.platforms["linux/arm64"]);
    expect((await imageOutputs(lab, program)).app).toMatchObject({
        digest: now.app?.digest,
        platforms: now.app?.platforms,
    });
    const status = await command(lab, program, ["status"]);
    expect(status.code, status.output).toBe(0);
});

test("what the registry lost of the other stack's builds is seen here, and built again there", async () => {
    const lost = (await all()).app?.platforms["linux/arm64"] ?? "";
    await deleteManifest(lab, "fixture/app", lost);
    const found = await command(lab, program, ["status", "--json"]);
    expect(found.code, found.output).toBe(2);
    const { findings } = JSON.parse(found.stdout) as StatusReport;
    expect(findings.filter(({ kind }) => kind !== "note")).toMatchObject([
        {
            kind: "drift",
            about: "image app",
            text: expect.stringContaining(
                `linux/arm64: ${lost} is not in the registry; stack arm64 built it`,
            ) as string,
            command: "npx layered-images status --stack 'arm64'",
        },
    ]);
    const repaired = await command(lab, program, ["up", "--refresh", "--stack", "arm64"], lab.env);
    expect(repaired.code, repaired.output).toBe(0);
    expect(await manifest(lab, "fixture/app", lost)).toBeDefined();
    const status = await command(lab, program, ["status"]);
    expect(status.code, status.output).toBe(0);
});

test("what failed its smoke test on the other platform is not promoted", async () => {
    writeTree(program, {
        "base.txt": "new\n",
        "smoke.sh": '#!/bin/sh\ntest -s /base.txt && test "$(uname -m)" != aarch64\n',
    });
    expect((await onPlatform()).code).not.toBe(0);
    const refused = await onMain();
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("image base for linux/arm64: built from other inputs");
});
