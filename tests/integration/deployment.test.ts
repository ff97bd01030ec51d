import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { run } from "../../lib/system/process";
import { configWith } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { type Sshd, startSshd } from "../sshd";
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
            `  layered-images:deployments:
    bot:
      image: app
      host: 127.0.0.1
      port: ${sshd.port}
      user: ${sshd.user}
      hostKey: ${sshd.hostKey}
      command: echo "pulling $RELEASE_REF"; echo "$RELEASE_IMAGE $RELEASE_TAG $RELEASE_REF" >> "$DEPLOY_STATE/started"
      health:
        command: test ! -e "$DEPLOY_STATE/broken" || ! tail -n 1 "$DEPLOY_STATE/started" | grep -f "$DEPLOY_STATE/broken"
        attempts: 2
        interval: 0
`,
        ),
    });
    // Pulumi encrypts what it reads from standard input.
    writeFileSync(path.join(folder, "set"), sshd.key);
    const set = 'pulumi config set --stack local --secret --path deployments.bot.key < "$0"';
    await run("pulumi", ["stack", "init", "local"], { cwd: program, env: lab.env }).catch(() => undefined);
    await run("sh", ["-c", set, path.join(folder, "set")], { cwd: program, env: lab.env });
});
after(async () => {
    await sshd.stop();
    await lab.close();
});

/** Runs the project's `up`, as in a step of a workflow. */
async function update() {
    const summary = path.join(lab.paths.state, "summary");
    rmSync(summary, { force: true });
    const env = { GITHUB_STEP_SUMMARY: summary };
    const outcome = await command(lab, program, ["up"], env);
    return { ...outcome, summary: existsSync(summary) ? readFileSync(summary, "utf8") : "" };
}

/** What was started on the host, one line for each time. */
const started = (): string[] => {
    const file = path.join(sshd.state, "started");
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
};
const refOf = async (image: string) => (await imageOutputs(lab, program))[image]?.ref ?? "";
const planned = async () => (await reviewPlan(lab, program)).deployments;
const change = (name: string, text: string) => {
    writeTree(program, { [name]: text });
};
/** Makes the health command fail for the release that is started next. */
const breakNext = (isBroken: boolean) => {
    const file = path.join(sshd.state, "broken");
    if (isBroken) writeFileSync(file, "r-\n");
    else rmSync(file, { force: true });
};

test("a preview needs no host, and a review says what would be deployed where, and why", async () => {
    await sshd.stop();
    const host = `${sshd.user}@127.0.0.1:${sshd.port}`;
    const first = { deployment: "bot", image: "app", host, action: "deploy", causes: ["first deployment"] };
    expect(await planned()).toEqual([first]);
    await sshd.start();
});

test("the first update deploys the release that it promoted, and the next one has nothing to do", async () => {
    const { code, output, summary } = await update();
    expect(code, output).toBe(0);
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
    expect(await planned()).toEqual([]);
    expect(await update()).toMatchObject({ code: 0 });
    expect(started()).toHaveLength(1);
});

test("another image's change deploys nothing; the app's change is announced, and deployed", async () => {
    change("other.txt", "2\n");
    expect(await planned()).toEqual([]);
    change("app.txt", "2\n");
    expect(await planned()).toMatchObject([{ action: "maybe", causes: ["only if the digest of image app changes"] }]);
    expect(await update()).toMatchObject({ code: 0 });
    expect(started()).toHaveLength(2);
    expect(started()[1]).toContain(await refOf("app"));
});
