import { spawn } from "node:child_process";
import { appendFileSync, chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { descendants, startOf } from "../../lib/system/processTable";
import type { Review } from "../../lib/forms/json";
import { expectPictures, shownPage } from "../browser";
import { fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { deleteManifest, tags } from "../registry";
import { command, commandScript, imageOutputs, review } from "../stack";
import { except } from "../thorough";
import { writeTree } from "../tree";

/* `npm run review` as a user runs it. The tests run in order: each test reverts its changes. */
const secret = "hunter2-of-the-index";
let lab: TestLab;
let program: string;

before(async () => {
    lab = await startTestLab();
    const images = (fixture["images.ts"] ?? "").replace(
        'dockerfile: "docker/Dockerfile",',
        'dockerfile: "docker/Dockerfile",\n        secrets: ["INDEX_PASSWORD"],',
    );
    program = makeRepository(path.join(lab.paths.state, "repository"), { ...fixture, "images.ts": images });
    const set = ["config", "set", "--secret", "--path", "buildSecrets.INDEX_PASSWORD", secret];
    expect(await runIn(lab, program, "pulumi", set)).toMatchObject({ code: 0 });
});
after(async () => {
    await lab.close();
});

const at = (name: string) => path.join(program, name);
/** Changes a file while `work` runs. */
async function changed<T>(file: string, change: (text: string) => string, work: () => Promise<T>): Promise<T> {
    const before = readFileSync(at(file), "utf8");
    writeFileSync(at(file), change(before));
    try {
        return await work();
    } finally {
        writeFileSync(at(file), before);
    }
}
const actions = (plan: Review | undefined) =>
    Object.fromEntries((plan?.images ?? []).map(({ image, action }) => [image, action]));
const causes = (plan: Review | undefined, key: string) => plan?.images.find(({ image }) => image === key)?.causes;
const everything = (action: string) => ({ base: action, bot: action, ci: action, devcontainer: action });

test("before the first `up` every image is a first build, and that is pending", async () => {
    const { code, plan } = await review(lab, program);
    expect(code).toBe(0);
    expect(actions(plan)).toEqual(everything("rebuild"));
    expect(plan?.images.flatMap((image) => image.causes)).toEqual(Array.from({ length: 4 }, () => "first build"));
    expect(plan?.expected.unknown).toEqual(["base", "bot", "ci", "devcontainer"]);
    expect(await review(lab, program, "--expect-no-changes")).toMatchObject({ code: 2 });
});

test("after an `up` nothing is pending", async () => {
    const made = await command(lab, program, ["up"]);
    expect(made.code, made.output).toBe(0);
    const { code, plan } = await review(lab, program, "--expect-no-changes");
    expect(actions(plan)).toEqual(everything("unchanged"));
    expect({ code, pending: plan?.pending }).toEqual({ code: 0, pending: false });
});

test("a change of the app rebuilds the bot, and its last build says how long that takes", async () => {
    await changed(
        "app/bot/__main__.py",
        (text) => `${text}# more\n`,
        async () => {
            const { plan } = await review(lab, program);
            expect(actions(plan)).toEqual({ ...everything("unchanged"), bot: "rebuild" });
            expect(causes(plan, "bot")).toEqual(["app/bot/__main__.py changed"]);
            const bot = plan?.images.find(({ image }) => image === "bot");
            const seconds = bot?.platforms.flatMap((one) => one.seconds ?? []) ?? [];
            expect(seconds).toHaveLength(2);
            const { least = 0, most = 0, unknown } = plan?.expected ?? {};
            expect({ least, unknown }).toEqual({ least: most, unknown: [] });
            // The image's test and promotion add to this time.
            expect(most).toBeGreaterThanOrEqual(Math.max(...seconds));
        },
    );
});

test("a comment in a Dockerfile is no change", async () => {
    await changed(
        "docker/Dockerfile.base",
        (text) => `# comment\n${text}`,
        async () => {
            const { code, plan } = await review(lab, program, "--expect-no-changes");
            expect(actions(plan)).toEqual(everything("unchanged"));
            expect({ code, pending: plan?.pending }).toEqual({ code: 0, pending: false });
        },
    );
});

describe("a file that the base's build looks at", () => {
    const comment = <T>(work: () => Promise<T>) => changed("docker/notes/base.txt", (text) => `${text}more\n`, work);

    test("rebuilds the base, and its children only if its digest changes, those with secrets too", async () => {
        const { plan } = await comment(() => review(lab, program));
        expect(actions(plan)).toEqual({ ...everything("maybe"), base: "rebuild" });
        expect(causes(plan, "base")).toEqual(["docker/notes/base.txt changed"]);
        expect(causes(plan, "bot")).toEqual(["parent base"]);
        const seconds = (key: string) =>
            (plan?.images.find(({ image }) => image === key)?.platforms ?? []).map((one) => one.seconds ?? NaN);
        const [base, bot] = [seconds("base"), seconds("bot")];
        const { least = 0, most = 0, unknown } = plan?.expected ?? {};
        expect(unknown).toEqual([]);
        // The base image installs a package. Tests and promotions, which count too, take less than a few seconds.
        expect(least).toBeGreaterThan(0);
        expect(least).toBeGreaterThanOrEqual(Math.max(...base));
        expect(most).toBeGreaterThanOrEqual(Math.max(...bot.map((one, index) => one + (base[index] ?? NaN))));
    });

    test("is told by a table without colours where there is no terminal", async () => {
        const { code, stdout } = await comment(() => command(lab, program, ["review"]));
        expect(code).toBe(0);
        expect(stdout).toMatch(/^base +rebuild .* docker\/notes\/base\.txt changed$/m);
        expect(stdout).not.toContain("\u001b");
    });

    test.each(
        except<[string, string, boolean]>(
            ["plain where NO_COLOR is set"],
            [
                ["coloured on a terminal", "", true],
                ["plain where NO_COLOR is set", "1", false],
            ],
        ),
    )("is %s", async (_title, NO_COLOR, coloured) => {
        writeTree(program, { "review.cjs": commandScript(["review"]) });
        const env = { ...process.env, ...lab.variables, NO_COLOR };
        const terminal = ["--quiet", "--return", "--command", "node review.cjs 2> review.log", "/dev/null"];
        const { code, stdout } = await comment(() => runIn({ ...lab, env }, program, "script", terminal));
        expect(code).toBe(0);
        expect(stdout).toContain(coloured ? "\u001b[33mrebuild\u001b[0m" : "base             rebuild");
        expect(stdout.includes("\u001b")).toBe(coloured);
    });

    test("is a page that a browser shows, in which nothing of a secret is", async () => {
        const page = at("review.html");
        const { code, output } = await comment(() =>
            command(lab, program, ["review", "--format", "html", "--output", page]),
        );
        expect({ code, output }).toMatchObject({ code: 0 });
        const shown = await shownPage(page);
        const row = /<tr id="image-base">.*?<\/tr>/s.exec(shown)?.[0].replace(/<[^>]*>/g, "|");
        expect(row).toMatch(/\|base\|+rebuild\|+docker\/notes\/base\.txt changed\|+amd64, arm64\|+[^|]+\|+[\d.]+ MB\|/);
        expect(shown.match(/<tr id="image-/g)).toHaveLength(4);
        expect(shown).not.toContain(secret);
        await expectPictures(page);
    });
});

test("`build` builds and tests on the changed base what stands on it, and changes neither the registry nor the state", async () => {
    const published = async () => [
        await Promise.all(["base", "bot", "ci"].map((key) => tags(lab, `fixture/${key}`))),
        (await runIn(lab, program, "pulumi", ["stack", "export"])).stdout,
    ];
    const before = await published();
    const grep = `grep -q ${secret} /run/secrets/INDEX_PASSWORD`;
    const built = await changed(
        "docker/Dockerfile.base",
        (text) => `${text}RUN touch /changed\n`,
        () =>
            changed(
                "docker/Dockerfile",
                (text) => text.replace("USER", `RUN --mount=type=secret,id=INDEX_PASSWORD ${grep}\nUSER`),
                () =>
                    changed(
                        "docker/smoke/bot.sh",
                        (text) => `${text}test -e /changed\n`,
                        async () => [
                            await command(lab, program, ["build"]),
                            await changed(
                                "docker/smoke/ci.sh",
                                (text) => `${text}test ! -e /changed\n`,
                                () => command(lab, program, ["build"]),
                            ),
                        ],
                    ),
            ),
    );
    expect(built).toMatchObject([
        { code: 0, output: expect.stringContaining("nothing is pushed") as string },
        { code: 1, output: expect.stringContaining("smoke test failed: docker/smoke/ci.sh") as string },
    ]);
    expect(built.some(({ output }) => output.includes("smoke test failed: docker/smoke/bot.sh"))).toBe(false);
    expect(await published()).toEqual(before);
    const { code, stdout } = await command(lab, program, ["build"]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/would build nothing for linux\//)]);
});

test.thorough("a build that the registry lost is recreated, where the registry is asked", async () => {
    const outputs = await imageOutputs(lab, program);
    await deleteManifest(lab, "fixture/ci", outputs.ci?.digest ?? "");
    const expecting = await review(lab, program, "--refresh", "--expect-no-changes");
    // An update without a refresh does not look at a promoted tag: no change is pending although the tag is missing.
    expect(expecting).toMatchObject({ code: 2, plan: { pending: false } });
    // The release has the same digest, and the registry deletes all tags of a manifest.
    const isLost = ["latest", String.raw`r-\w{12}`].map((tag) =>
        expect.stringMatching(`fixture/ci:${tag} is not in .*An update with --refresh puts it back$`),
    );
    expect(expecting.plan?.warnings).toEqual(isLost);
    await deleteManifest(lab, "fixture/ci", outputs.ci?.platforms["linux/amd64"] ?? "");
    expect(actions((await review(lab, program)).plan)).toEqual(everything("unchanged"));
    const { code, plan } = await review(lab, program, "--refresh");
    expect(code).toBe(0);
    expect(actions(plan)).toEqual({ ...everything("unchanged"), ci: "recreate" });
    expect(causes(plan, "ci")).toEqual(["the registry no longer has it"]);
    expect(plan?.warnings).toEqual(isLost);
});

test("an image that leaves, where the state does not retain it, is dangerous", async () => {
    const exported = JSON.parse((await runIn(lab, program, "pulumi", ["stack", "export"])).stdout) as {
        deployment: { resources: { urn: string; retainOnDelete?: boolean }[] };
    };
    const text = JSON.stringify(exported);
    for (const one of exported.deployment.resources) if (/::ci(-amd64)?$/.test(one.urn)) delete one.retainOnDelete;
    writeTree(program, { "state.json": JSON.stringify(exported), "before.json": text });
    const load = (file: string) => runIn(lab, program, "pulumi", ["stack", "import", "--file", file]);
    expect(await load("state.json")).toMatchObject({ code: 0 });
    const without = (images: string) =>
        images.slice(0, images.indexOf("    ci: {")) + images.slice(images.indexOf("    bot: {"));
    const { code, plan } = await changed("images.ts", without, () => review(lab, program));
    expect(await load("before.json")).toMatchObject({ code: 0 });
    expect(plan?.dangers.map((danger) => danger.split(" would ")[0])).toEqual([
        "deleting the promoted tag of ci",
        "deleting the build ci-amd64",
    ]);
    expect(code).toBe(3);
    // With retained resources, the same change is not a danger.
    expect(await changed("images.ts", without, () => review(lab, program))).toMatchObject({
        code: 0,
        plan: { dangers: [] },
    });
});

describe("what can't be reviewed is told: the exit code, the message, the next step", () => {
    const inStack = (stack: string, env: NodeJS.ProcessEnv = {}) =>
        command(lab, program, ["review", "--stack", stack], { ...lab.env, ...env });

    test("an unknown form", async () => {
        const { code, output } = await command(lab, program, ["review", "--format", "pdf"]);
        expect(code).toBe(64);
        expect(output).toMatch(/'pdf' is invalid.*table, markdown, json, html/s);
    });

    test("an unknown stack", async () => {
        const { code, output, stdout } = await inStack("nobody");
        expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
        expect(output).toMatch(/no stack "nobody".*\n +allowed: local\n +next: pulumi stack init nobody/s);
    });

    test("a wrong passphrase", async () => {
        expect(await runIn(lab, program, "pulumi", ["stack", "init", "other", "--no-select"])).toMatchObject({
            code: 0,
        });
        copyFileSync(at("Pulumi.local.yaml"), at("Pulumi.other.yaml"));
        expect(await inStack("other")).toMatchObject({ code: 0 });
        const { code, output } = await inStack("other", { PULUMI_CONFIG_PASSPHRASE: "wrong" });
        expect(code).toBe(1);
        expect(output).toMatch(/is not the passphrase of this stack[\s\S]*next: export PULUMI_CONFIG_PASSPHRASE/);
    });

    test("everything that a job lacks at once, by what to set on GitHub", async () => {
        const github = "  github:owner: cs24-1\n  layered-images:github:\n    repository: cs24-1-bot\n";
        const config = readFileSync(at("Pulumi.local.yaml"), "utf8").replace("config:\n", `config:\n${github}`);
        writeTree(program, { "Pulumi.nothing.yaml": config });
        const { code, output, stdout } = await inStack("nothing", {
            GITHUB_ACTIONS: "true",
            PULUMI_CONFIG_PASSPHRASE: "wrong",
        });
        expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
        expect(output).toMatch(/before the run, 4 things are missing:[\s\S]*no stack "nothing"/);
        expect(output).toMatch(
            /is not the passphrase of this stack[\s\S]*next: set the secret PULUMI_CONFIG_PASSPHRASE/,
        );
        expect(output).toMatch(/the run goes on without:[\s\S]*environment up: .*[\s\S]*environment review: /);
        expect(output).not.toMatch(/next: export/);
    });

    test("an engine that is too old", async () => {
        writeTree(program, { "old/pulumi": "#!/bin/sh\necho v3.100.0\n" });
        chmodSync(at("old/pulumi"), 0o755);
        const { code, output } = await inStack("local2", { PATH: `${at("old")}:${lab.env.PATH ?? ""}` });
        expect(code).toBe(1);
        expect(output).toMatch(/pulumi 3\.100\.0 is too old.*\n +allowed: 3\.\d+\.\d+ and later\n +next: update it/s);
    });

    test("a Dockerfile that names nobody's image: the program's own words, and no plan", async () => {
        const broken = () => "FROM ghcr.io/fixture/nobody:latest\n";
        const { code, stdout, output } = await changed("docker/Dockerfile", broken, () => review(lab, program));
        expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
        expect(output).toMatch(/the preview failed: [^\n]*\n[^\n]*ghcr\.io\/fixture\/nobody/);
        expect(output).not.toContain('"steps"');
    });
});

test.thorough("no form shows a value of a secret, nor of a build argument that looks like one", async () => {
    const token = `ghp_${"a1B2".repeat(9)}`;
    const images = (text: string) =>
        text.replace(
            'dockerfile: "docker/Dockerfile",',
            `dockerfile: "docker/Dockerfile",\n        buildArgs: { ACCESS: "${token}" },\n        plainArguments: ["ACCESS"],`,
        );
    await changed("images.ts", images, async () => {
        for (const form of ["table", "markdown", "json", "html"]) {
            const { code, output } = await command(lab, program, ["review", "--format", form]);
            expect(code).toBe(0);
            expect(output).toContain("ACCESS");
            for (const value of [secret, token, token.slice(4, 20)]) expect(output).not.toContain(value);
        }
    });
});

test("Ctrl-C ends everything that the review has started", async () => {
    appendFileSync(at("docker/notes/ci.txt"), "more\n");
    const env = { ...process.env, ...lab.variables };
    const child = spawn(process.execPath, ["--eval", commandScript(["review"])], { cwd: program, env, stdio: "pipe" });
    const pid = child.pid ?? 0;
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    // Waits for the engine, its language host and the program; the lab setup before them starts only short-lived
    // processes.
    const deadline = Date.now() + 60_000;
    let started: number[] = [];
    while (started.length < 3 && Date.now() < deadline) {
        await wait(50);
        if (said.includes("previewing")) started = descendants(pid);
    }
    expect(started.length, said).toBeGreaterThanOrEqual(3);
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    const end = Date.now() + 15_000;
    while (started.some((one) => startOf(one) !== undefined) && Date.now() < end) await wait(100);
    expect(started.filter((one) => startOf(one) !== undefined)).toEqual([]);
    expect(said).toMatch(/error: interrupted\s*$/);
});
