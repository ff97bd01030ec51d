import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { run } from "../../lib/system/process";
import { type ImageRecord, type UpdateRecord, readHistory } from "../../lib/update/history";
import { fixture } from "../fixture";
import { runStep } from "../github/steps";
import { type Outcome, type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { command, commandScript } from "../stack";
import { writeTree } from "../tree";

/*
 * Records and files that updates leave, created by the project's commands. The tests run in order and depend on each
 * other.
 */
let lab: TestLab;
let program: string;
let temporary: string;

before(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "repository"), fixture);
    temporary = path.join(lab.paths.state, "temporary");
    mkdirSync(temporary);
    const git = (...args: string[]) =>
        run("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: program });
    await git("init", "--quiet");
    await git("add", "images.ts");
    await git("commit", "--quiet", "--message", "Begin");
});
after(async () => {
    await lab.close();
});

/** Arguments for `node` that run one of the project's commands, as `npm run` starts it. */
const script = (...args: string[]) => ["--eval", commandScript(args)];
const environment = () => ({ ...process.env, ...lab.variables, TMPDIR: temporary });
const upCommand = () => runIn({ ...lab, env: environment() }, program, "node", script("up"));

/** The outcome of a workflow's step. */
interface StepOutcome extends Outcome {
    readonly summary: string;
}

/** Runs the update step of the workflows as GitHub runs it, on a stack of the lab's backend. */
async function workflowStep(stack = "local", more: NodeJS.ProcessEnv = {}): Promise<StepOutcome> {
    const file = (name: string) => path.join(temporary, name);
    const env = {
        ...{ ...environment(), ...lab.env, TMPDIR: temporary, PULUMI_STACK: stack, GITHUB_ACTIONS: "true" },
        ...{ GITHUB_STEP_SUMMARY: file("summary"), GITHUB_OUTPUT: file("output"), ...more },
    };
    const { command, args } = await runStep("deploy.yml", "up");
    const outcome = await runIn({ ...lab, env }, program, command, args);
    const summary = readFileSync(file("summary"), "utf8");
    await run("rm", ["--force", file("summary"), file("output")]);
    return { ...outcome, summary };
}

const history = () => readHistory("local", lab.env, program);
const newest = async (): Promise<UpdateRecord> => {
    const [update] = await history();
    if (!update) throw new Error("nothing was recorded");
    return update;
};
const name = ({ image, platform = "", kind, operation }: ImageRecord) =>
    [image, platform.replace("linux/", ""), kind, operation].filter(Boolean).join(" ");

test("`up` records each build, test and promotion, with commit, uncommitted files, durations and what was pushed", async () => {
    expect(await upCommand()).toMatchObject({ code: 0 });
    const update = await newest();
    expect(update.result).toBe("succeeded");
    expect(update.commit).toBe((await run("git", ["rev-parse", "HEAD"], { cwd: program })).trim());
    const builds = ["base amd64", "base arm64", "bot amd64", "bot arm64", "ci amd64"];
    expect(update.images.map(name).sort()).toEqual(
        [
            ...builds.flatMap((one) => [`${one} build create`, `${one} test create`]),
            "devcontainer amd64 build create",
            ...["base", "bot", "ci"].map((one) => `${one} promotion create`),
        ].sort(),
    );
    const pushing = update.images.filter(({ kind, image }) => kind === "build" && image !== "devcontainer");
    expect(pushing.filter(({ digestMoved, bytesPushed = 0 }) => digestMoved !== true || bytesPushed <= 0)).toEqual([]);
    const base = pushing.filter(({ image }) => image === "base");
    expect(base.filter(({ seconds }) => seconds <= 0 || seconds > update.seconds)).toEqual([]);
    // A child's base layers are mounted from its parent's repository and not pushed again.
    const bytesOf = (image: string) => pushing.find((one) => one.image === image)?.bytesPushed ?? 0;
    expect(bytesOf("ci")).toBeLessThan(bytesOf("base"));
    // Only images.ts is committed, and nobody gets the devcontainer.
    const files = ["docker/Dockerfile.base", "docker/notes/base.txt", "requirements/base.txt"];
    expect(base.map(({ uncommitted }) => uncommitted)).toEqual([files, files]);
    const unpublished = update.images.filter(({ image, uncommitted }) => image === "devcontainer" && uncommitted);
    expect(unpublished).toEqual([]);
});

test("another `up` adds to it: a base that is built to the same digest pushes nothing", async () => {
    const [first] = await history();
    appendFileSync(path.join(program, "docker/notes/base.txt"), "more\n");
    expect(await upCommand()).toMatchObject({ code: 0 });
    const [second, ...before] = await history();
    expect(before).toEqual([first]);
    expect(second?.images.map(name).sort()).toEqual(["base amd64 build update", "base arm64 build update"]);
    expect(second?.images.map(({ digestMoved, bytesPushed }) => [digestMoved, bytesPushed])).toEqual([
        [false, 0],
        [false, 0],
    ]);
});

/** Folders that hold the engine's log of an `up`. */
const logs = () => readdirSync(temporary).filter((one) => one.startsWith("layered-images-up-"));

test("the engine's log is gone afterwards", () => {
    expect(logs()).toEqual([]);
});

test("the summary of a workflow's step names what was built, cut off and unchanged, and what that saved", async () => {
    appendFileSync(path.join(program, "docker/notes/base.txt"), "and more\n");
    writeTree(program, { "app/bot/__main__.py": 'print("changed")\n' });
    const { summary: cutOff } = await workflowStep();
    expect(cutOff).toContain("2 built (base, bot), 2 cut off (ci, devcontainer), 0 unchanged.");
    expect(cutOff).toMatch(
        /\n\| bot \| built, another digest \| linux\/amd64 (\d+ min )?\d+ s, linux\/arm64 (\d+ min )?\d+ s \| \d+(\.\d)? k?B \|\n/,
    );
    const { summary: unchanged } = await workflowStep();
    expect(unchanged).toContain("0 built, 0 cut off, 4 unchanged (");
    expect(unchanged).toMatch(/Builds took 0 s in all; (\d+ min \d\d|[1-9]\d*) s of building were saved/);
    expect(unchanged).not.toContain("no duration is recorded");
    expect(await history()).toHaveLength(4);
});

/** Lines of a build secret. */
const secret = ["not-for-anybody-else", "nor-is-its-second-line", "nor-its-last"];

test("a workflow's step updates the stack that it is told, and records that too", async () => {
    writeTree(program, { "Pulumi.ci.yaml": fixture["Pulumi.local.yaml"] ?? "" });
    await runIn(lab, program, "pulumi", ["stack", "init", "ci", "--no-select"]);
    const { code, output, summary } = await workflowStep("ci");
    expect(code, output).toBe(0);
    expect(summary).toContain("4 built (base, bot, ci, devcontainer), 0 cut off, 0 unchanged.");
    const { code: again, summary: unchanged } = await workflowStep("ci");
    expect([again, unchanged.includes("0 built, 0 cut off, 4 unchanged (")]).toEqual([0, true]);
    expect(await readHistory("ci", lab.env, program)).toHaveLength(2);
});

test("a failed update is recorded too, with image and platform; no line of a secret that its build printed is told", async () => {
    writeTree(program, {
        "images.ts": (fixture["images.ts"] ?? "").replace('smokeTest: "docker/smoke/ci.sh",', 'secrets: ["INDEX"],'),
        "docker/Dockerfile.ci":
            "FROM ghcr.io/fixture/base:latest\nRUN --mount=type=secret,id=INDEX cat /run/secrets/INDEX; echo; echo oh no; false\n",
    });
    const set = ["config", "set", "--secret", "--path", "buildSecrets.INDEX", secret.join("\n")];
    expect(await runIn(lab, program, "pulumi", set)).toMatchObject({ code: 0 });
    const { code, output, summary } = await workflowStep();
    expect(code).not.toBe(0);
    // GitHub receives each line as a mask first and shows none of them; the output after the masks contains none of
    // them either.
    const [masks, told] = [/^(::add-mask::.*\n)+/m.exec(output)?.[0] ?? "", output.replace(/^::add-mask::.*$/gm, "")];
    for (const line of secret) expect(masks).toContain(`::add-mask::${line}\n`);
    expect(told).toMatch(/\[secret\][\s\S]*oh no/);
    for (const line of secret) expect(told).not.toContain(line);
    expect(told).toMatch(/^left to do:\n {2}image ci: its build failed on linux\/amd64$/m);
    expect(summary).toContain("#### Left to do\n\n- image ci: its build failed on linux/amd64\n");
    expect(summary).toMatch(/^### The update failed after/);
    expect(summary).toContain("1 failed (ci)");
    expect(summary).toMatch(
        /#### build of image ci on linux\/amd64 failed\n\n```\n(\[secret\]\n){3}oh no\nfailed to solve: /,
    );
    // The last output of the step may be missing from the engine's log; the failed command is always present.
    expect(summary).toMatch(
        /<summary>The end of the log<\/summary>\n\n```\n[^`]*oh no; false[^`]*\n```\n\n<\/details>\n$/,
    );
    for (const line of secret) expect(summary).not.toContain(line);
    const update = await newest();
    expect(update.result).toBe("failed");
    expect(update.images.filter(({ result }) => result === "failed").map(name)).toEqual(["ci amd64 build update"]);
    for (const line of secret) expect(JSON.stringify(await history())).not.toContain(line);
});

test.thorough("no line of a secret is in anything that `up`, `preview` and `review` print", async () => {
    const { code, output } = await upCommand();
    expect(code).not.toBe(0);
    expect(output).toMatch(
        /^image ci failed on linux\/amd64, at .*cat \/run\/secrets\/INDEX.*:\n( {4}\[secret\]\n){3} {4}oh no$/m,
    );
    // A line of the secret is also written in files that everyone can read.
    const files = ["images.ts", "docker/Dockerfile.ci"];
    const [definitions = "", dockerfile = ""] = files.map((file) => readFileSync(path.join(program, file), "utf8"));
    writeTree(program, {
        "images.ts": definitions.replace("secrets:", `buildArgs: { NOTE: "${secret[1] ?? ""}" }, secrets:`),
        "docker/Dockerfile.ci": `${dockerfile}ARG NOTE\n`,
    });
    const previewed = await command(lab, program, ["preview", "--diff"]);
    expect(previewed.output).toMatch(/NOTE *: "\[secret\]"/);
    const forms = ["table", "markdown", "json", "html"];
    const reviewed = await Promise.all(forms.map((form) => command(lab, program, ["review", "--format", form])));
    expect(reviewed[0]?.output).toMatch(/build argument NOTE added:[\s│]+\[secret\]/);
    for (const one of [previewed, ...reviewed]) expect(one.code, one.output).toBe(0);
    for (const told of [output, previewed.output, ...reviewed.map((one) => one.output)]) {
        for (const line of secret) expect(told).not.toContain(line);
    }
    writeTree(program, { "images.ts": definitions, "docker/Dockerfile.ci": dockerfile });
});

test("where the secrets can't be read nothing is run, and that is told with the next step", async () => {
    const set = ["config", "set", "--stack", "ci", "--secret", "--path", "buildSecrets.INDEX", "unreadable"];
    expect(await runIn(lab, program, "pulumi", set)).toMatchObject({ code: 0 });
    const { code, output, summary } = await workflowStep("ci", { PULUMI_CONFIG_PASSPHRASE: "another" });
    expect(code).toBe(1);
    expect(output).toMatch(
        /PULUMI_CONFIG_PASSPHRASE is not the passphrase of this stack[\s\S]*next: set the secret PULUMI_CONFIG_PASSPHRASE of the job's environment/,
    );
    expect(summary).toMatch(/^### The update failed before it came to any resource\n/);
});

test("Ctrl-C leaves the record of a failed update, and no log of the engine", async () => {
    const before = await newest();
    writeTree(program, { "docker/Dockerfile.ci": "FROM ghcr.io/fixture/base:latest\nRUN sleep 600\n" });
    const child = spawn("node", script("up"), { cwd: program, env: environment(), stdio: "ignore", detached: true });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const isBuilding = () =>
        logs().some((one) => readFileSync(path.join(temporary, one, "events.jsonl"), "utf8").includes("RUN sleep 600"));
    await eventually(
        () => {
            expect(isBuilding()).toBe(true);
        },
        { timeout: 120_000, interval: 500 },
    );
    // A terminal sends the signal to every process in the foreground.
    process.kill(-(child.pid ?? 0), "SIGINT");
    expect(await ended).not.toBe(0);
    expect(logs()).toEqual([]);
    const update = await newest();
    expect(update.start).not.toBe(before.start);
    expect(update.images.filter(({ result }) => result === "failed").map(name)).toEqual(["ci amd64 build update"]);
});
