import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { parse, stringify } from "yaml";
import { labRepository } from "../../lab/github/defaults";
import { run } from "../../lib/system/process";
import type { PromotedRelease } from "../../lib/update/promoted";
import { configWith } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { type Sshd, hostSettings, setDeploymentKey, startSshd } from "../sshd";
import { standInRepository } from "../standIn";
import { command, imageOutputs, reviewPlan } from "../stack";
import { writeTree } from "../tree";

/* Deployments to a real OpenSSH server on loopback. The tests run in order and depend on each other. */

let lab: TestLab;
let sshd: Sshd;
let program: string;

before(async () => {
    lab = await startTestLab("host");
    const folder = path.join(lab.paths.state, "sshd");
    mkdirSync(folder);
    sshd = await startSshd(folder);
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        "images.ts": `export const images = {
    app: { description: "deployed", name: "ghcr.io/fixture/app:latest", dockerfile: "Dockerfile", platforms: ["linux/amd64", "linux/arm64"] },
    other: { description: "not deployed", name: "ghcr.io/fixture/other:latest", dockerfile: "Dockerfile.other", platforms: ["linux/amd64", "linux/arm64"] },
};
`,
        Dockerfile: "FROM scratch\nCOPY app.txt /app.txt\n",
        "Dockerfile.other": "FROM scratch\nCOPY other.txt /other.txt\n",
        "app.txt": "1\n",
        "other.txt": "1\n",
        ...configWith(
            `  layered-images:github:
    repository: ${labRepository.name}
    dispatch: true
    deployments: true
  github:writeDelayMs: "0"
  layered-images:deployments:
    bot:
      image: app
${hostSettings(sshd)}      command: echo "pulling $RELEASE_REF"; echo "$RELEASE_IMAGE $RELEASE_TAG $RELEASE_REF" >> "$DEPLOY_STATE/started"
      health:
        command: test "$(wc -l < "$DEPLOY_STATE/started")" != "$(cat "$DEPLOY_STATE/broken" 2> /dev/null)"
        attempts: 2
        interval: 0
`,
        ),
    });
    await setDeploymentKey(lab, program, "bot", sshd);
});
after(async () => {
    await sshd.stop();
    await lab.close();
});

/** Runs the project's `up`, as in a step of a workflow. */
async function update() {
    const files = ["summary", "output"].map((name) => path.join(lab.paths.state, name));
    const [summary = "", output = ""] = files;
    for (const file of files) writeFileSync(file, "");
    const outcome = await command(lab, program, ["up"], { GITHUB_STEP_SUMMARY: summary, GITHUB_OUTPUT: output });
    const [, releases = "null"] = /^releases<<(?:.*)\n(.*)\n/m.exec(readFileSync(output, "utf8")) ?? [];
    return { ...outcome, summary: readFileSync(summary, "utf8"), releases: JSON.parse(releases) as unknown };
}

const stackFile = () => path.join(program, "Pulumi.local.yaml");
/** Removes a key from the stack's configuration. */
function configureWithout(key: string): void {
    const { config, ...rest } = parse(readFileSync(stackFile(), "utf8")) as { config: Record<string, unknown> };
    const others = Object.entries(config).filter(([name]) => name !== key);
    // Long lines are not folded, so that a text in one is found again.
    writeFileSync(stackFile(), stringify({ ...rest, config: Object.fromEntries(others) }, { lineWidth: 0 }));
}

/** What was started on the host, one line for each time. */
const started = (): string[] => {
    const file = path.join(sshd.state, "started");
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
};
const refOf = async (image: string) => (await imageOutputs(lab, program))[image]?.ref ?? "";
/** Whether the tag of an image names the release that the state has. */
const isPromoted = async (image: string) =>
    (await refOf(image)).endsWith((await manifest(lab, `fixture/${image}`, "latest"))?.digest ?? "nothing");
const planned = async () => (await reviewPlan(lab, program)).deployments;
const change = (name: string, text: string) => {
    writeTree(program, { [name]: text });
};
/** Makes the health command fail for whatever is started next, and for nothing that is started after it. */
const breakNext = () => {
    writeFileSync(path.join(sshd.state, "broken"), (started().length + 1).toString());
};
/** Lines of the private key between the first and the last, which are those of every key. */
const secretLines = () => sshd.key.trim().split("\n").slice(1, -1);
const stateText = async () => run("pulumi", ["stack", "export"], { cwd: program, env: lab.env });

test("a preview needs no host, and a review says what would be deployed where, and why", async () => {
    await sshd.stop();
    const host = `${sshd.user}@127.0.0.1:${sshd.port}`;
    const first = { deployment: "bot", image: "app", host, action: "deploy", causes: ["first deployment"] };
    expect(await planned()).toEqual([first]);
});

/** What the first update promoted. */
let promoted: readonly { readonly image: string; readonly ref: string; readonly release: string }[] = [];
const untoldFile = () => path.join(lab.paths.state, "updates", "layered-images", "local.untold.json");

test("a host that does not answer holds nothing up for long: everything is promoted, and the run ends red", async () => {
    const github = standInRepository(lab);
    await github.control("PUT", "refusal", { path: "/dispatches", status: 403, message: "Forbidden" });
    const begun = Date.now();
    const { code, output, releases } = await update();
    expect((Date.now() - begun) / 1000).toBeLessThan(90);
    expect(code).toBe(1);
    expect(output).toMatch(/gave up after 3 attempts/);
    expect(output.split("left to do:")[1]).toContain("failed, and the host did not say what it runs");
    expect([await isPromoted("app"), await isPromoted("other")]).toEqual([true, true]);
    expect(releases).toMatchObject([
        { image: "app", ref: await refOf("app") },
        { image: "other", ref: await refOf("other") },
    ]);
    // GitHub refused the events, which is left to do. Who deploys the other image reports how that went.
    promoted = (releases as PromotedRelease[]).map(({ image, ref, release }) => ({ image, ref, release }));
    for (const { image } of promoted)
        expect(output.split("left to do:")[1]).toContain(`GitHub: event for image ${image}: `);
    const { dispatches = [], deployments } = github.state();
    expect(dispatches).toEqual([]);
    expect(JSON.parse(readFileSync(untoldFile(), "utf8"))).toEqual({ dispatches: promoted, records: [] });
    expect(deployments?.map(({ environment, statuses }) => [environment, statuses.map(({ state }) => state)])).toEqual([
        ["bot", ["failure"]],
        ["other", []],
    ]);
    expect(await planned()).toMatchObject([
        { action: "deploy", causes: ["the last deployment failed or was not reached"] },
    ]);
});

test("the next update deploys the release that was promoted, and the one after it has nothing to do", async () => {
    await sshd.start();
    await standInRepository(lab).control("DELETE", "refusal");
    const { code, output, summary, releases } = await update();
    expect(code, output).toBe(0);
    expect(releases).toEqual([]);
    // It moved nothing, and tells workflows what the first one could not.
    const { dispatches } = standInRepository(lab).state();
    expect(dispatches).toEqual(promoted.map((payload) => ({ type: "image-promoted", payload })));
    expect(existsSync(untoldFile())).toBe(false);
    const ref = await refOf("app");
    const [line, ...more] = started();
    expect(more).toEqual([]);
    expect(line).toMatch(/^app r-[0-9a-f]{12} \S+$/);
    expect(line?.endsWith(` ${ref}`)).toBe(true);
    // The tag is that of the same release.
    const tag = line?.split(" ")[1] ?? "";
    expect(ref).toContain((await manifest(lab, "fixture/app", tag))?.digest ?? "no manifest");
    expect(summary).toContain(`${ref} runs.`);
    expect(summary).toContain(`pulling ${ref}`);
    expect(standInRepository(lab).state().deployments?.at(-1)).toMatchObject({
        ...{ environment: "bot", description: `image app, release ${tag}` },
        statuses: [{ state: "success" }],
    });
    expect(await planned()).toEqual([]);
    expect(await update()).toMatchObject({ code: 0 });
    expect(started()).toHaveLength(1);
});

test("another image's change deploys nothing; the app's change is announced, and deployed", async () => {
    // The rest of this file is faster without GitHub.
    configureWithout("layered-images:github");
    change("other.txt", "2\n");
    expect(await planned()).toEqual([]);
    change("app.txt", "2\n");
    expect(await planned()).toMatchObject([{ action: "maybe", causes: ["only if the digest of image app changes"] }]);
    expect(await update()).toMatchObject({ code: 0 });
    expect(started()).toHaveLength(2);
    expect(started()[1]).toContain(await refOf("app"));
});

test("an unhealthy release is promoted all the same; the former one runs again, which the run says, and it ends red", async () => {
    const former = await refOf("app");
    change("app.txt", "3\n");
    change("other.txt", "3\n");
    breakNext();
    const { code, output, summary } = await update();
    expect(code).toBe(1);
    const failed = await refOf("app");
    expect(failed).not.toBe(former);
    expect([await isPromoted("app"), await isPromoted("other")]).toEqual([true, true]);
    expect(
        started()
            .slice(2)
            .map((line) => line.split(" ")[2]),
    ).toEqual([failed, former]);
    const said =
        `${failed} failed: its health command ended with exit code 1, 2 times. ` +
        `The former release was started again and runs: ${former}`;
    expect(output.split("left to do:")[1]).toContain(`: ${said}; the next \`up\` tries again`);
    expect(summary).toMatch(/#### Deployment bot of image app to .* failed/);
    expect(summary).toContain(said);
    expect(summary).not.toContain("Other errors");
    for (const text of [output, summary, await stateText()])
        expect(secretLines().filter((line) => text.includes(line))).toEqual([]);
    expect(await planned()).toMatchObject([
        { action: "deploy", causes: ["the last deployment failed or was not reached"] },
    ]);
});

test("the next update tries again", async () => {
    expect(await update()).toMatchObject({ code: 0 });
    expect(started()).toHaveLength(5);
    expect(started()[4]).toContain(await refOf("app"));
    expect(await planned()).toEqual([]);
});

test("a host with another key than the configured one gets no command", async () => {
    const config = readFileSync(stackFile(), "utf8");
    const other = (await run("ssh-keygen", ["-y", "-f", path.join(lab.paths.state, "sshd", "client")])).trim();
    writeFileSync(stackFile(), config.replace(sshd.hostKey, other));
    expect(await planned()).toMatchObject([{ action: "deploy", causes: ["changed: hostKey"] }]);
    const { code, output } = await update();
    expect(code).toBe(1);
    expect(output).toContain("the server's key is not `hostKey`");
    expect(started()).toHaveLength(5);
    writeFileSync(stackFile(), config);
});

test("a deployment that leaves the configuration needs no host, and leaves what runs alone", async () => {
    await sshd.stop();
    configureWithout("layered-images:deployments");
    expect(await planned()).toMatchObject([{ action: "remove" }]);
    expect(await update()).toMatchObject({ code: 0 });
    expect(started()).toHaveLength(5);
});
