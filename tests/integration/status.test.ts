import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, utimesSync } from "node:fs";
import { request } from "node:https";
import { hostname } from "node:os";
import path from "node:path";
import { after, before, describe } from "mocha";
import { registryHost } from "../../lab/servers/tls";
import { blobReader } from "../../lib/registry/blobs";
import { repositoryOf } from "../../lib/registry/references";
import type { ReportedFinding, StatusReport } from "../../lib/status/status";
import { instanceFile, readInstance, writeInstance } from "../../lib/system/instance";
import { expectPictures, shownPage } from "../browser";
import { configWith, fixture, workflowsFile } from "../fixture";
import { type Outcome, type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { manifest, removeBlob } from "../registry";
import { type ImageOutput, imageOutputs } from "../stack";
import { type StandInRepository, standInRepository } from "../standIn";
import { except } from "../thorough";
import { writeTree } from "../tree";

/* `npm run status` as a user runs it, on a separate lab; the command that each finding names repairs it. */

const settings = `  layered-images:github:
    repository: cs24-1-bot
  github:writeDelayMs: "0"
  github:retryDelayMs: "10"
`;
const token = "hunter2-of-discord";
const secrets = { DISCORD_TOKEN: token, OTHER_TOKEN: "hunter2-of-another" } as const;
let lab: TestLab;
let program: string;
let github: StandInRepository;
let outputs: Record<string, ImageOutput>;

/**
 * Runs a shell command line in the repository as a user who has read only the README: the environment contains no
 * variable of the lab.
 */
const shell = (line: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> =>
    // npx, which takes a second to find the program, is in package.test.ts.
    runIn({ ...lab, env: { ...process.env, ...lab.variables, ...env } }, program, "sh", [
        "-c",
        line.replaceAll("npx layered-images", "node_modules/.bin/layered-images"),
    ]);
const status = async (options = "") => {
    const outcome = await shell(`node_modules/.bin/layered-images status --json ${options}`);
    return { ...outcome, report: JSON.parse(outcome.stdout) as StatusReport };
};
const driftOf = ({ findings }: StatusReport) => findings.filter(({ kind }) => kind === "drift");
const build = (image: string, platform = "linux/amd64") => outputs[image]?.platforms[platform] ?? "";
const repository = (image: string) => `${lab.instance.registry}/fixture/${image}`;

async function deleteManifest(image: string, digest: string): Promise<void> {
    const ca = readFileSync(path.join(lab.paths.state, "tls", "ca.pem"));
    const where = `/v2/fixture/${image}/manifests/${digest}`;
    const options = { method: "DELETE", host: "127.0.0.1", port: lab.instance.port, path: where, ca };
    const code = await new Promise((resolve, reject) => {
        request({ ...options, servername: registryHost, agent: false }, ({ statusCode }) => {
            resolve(statusCode);
        })
            .on("error", reject)
            .end();
    });
    expect(code).toBe(202);
}

before(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...fixture,
        ...workflowsFile(),
        ...configWith(settings),
    });
    github = standInRepository(lab);
    for (const [name, value] of Object.entries(secrets)) {
        const set = ["config", "set", "--secret", "--path", `repositorySecrets.${name}`, value];
        expect(await runIn(lab, program, "pulumi", set)).toMatchObject({ code: 0 });
    }
});
after(async () => {
    await lab.close();
});

test("before the first `up` there is nothing that could differ", async () => {
    const { code, report } = await status();
    expect(code).toBe(0);
    expect(report.findings).toContainEqual(
        expect.objectContaining({ text: "nothing was published yet", command: "npx layered-images up" }),
    );
});

test("after an `up` state and reality agree, and every build is described", async () => {
    const made = await shell("npx layered-images up");
    expect(made.code, made.output).toBe(0);
    outputs = await imageOutputs(lab, program);
    const { code, report } = await status();
    expect(report.findings).toEqual([]);
    expect({ code, verdict: report.verdict }).toEqual({ code: 0, verdict: "in step" });
    expect(report.images.map(({ image }) => image).sort()).toEqual(["base", "bot", "ci"]);
    const base = report.images.find(({ image }) => image === "base");
    const bot = report.images.find(({ image }) => image === "bot");
    expect(bot).toMatchObject({ parents: ["base"], promoted: outputs.bot?.digest, found: outputs.bot?.digest });
    expect(bot?.builds.map(({ platform }) => platform).sort()).toEqual(["linux/amd64", "linux/arm64"]);
    for (const one of bot?.builds ?? []) {
        const parent = base?.builds.find(({ platform }) => platform === one.platform);
        expect(one).toMatchObject({ present: true, sharedSize: parent?.size, sharedLayers: parent?.layers });
        expect(one.size).toBeGreaterThan(parent?.size ?? 0);
        expect(Date.parse(one.built ?? "")).toBeGreaterThan(Date.now() - 3_600_000);
    }
    expect(report.roots).toEqual([
        expect.objectContaining({ root: "python:3.12-slim", found: expect.stringMatching(/^sha256:/) as string }),
    ]);
});

/**
 * A difference that another user causes: how it is caused, what status reports, and whether everything is restored
 * afterwards.
 */
interface Difference {
    readonly make: () => Promise<unknown>;
    readonly about: string;
    readonly text: RegExp;
    /** Text of another finding, if the same change causes two. */
    readonly also?: RegExp;
    readonly repaired: () => Promise<void>;
}

const testYml = ".github/workflows/test.yml";
const lintYml = ".github/workflows/lint.yml";
const wanted = new Map<string, string | undefined>();
const latestIsOurs = (image: string) => async () => {
    expect((await manifest(lab, `fixture/${image}`, "latest"))?.digest).toBe(outputs[image]?.digest);
};
const api = (method: string, where: string) =>
    fetch(`${lab.env.GITHUB_BASE_URL ?? ""}api/v3/repos/cs24-1/cs24-1-bot/${where}`, {
        method,
        headers: { authorization: `Bearer ${lab.env.GITHUB_TOKEN ?? ""}` },
    });
const moveLatest = (image: string, to: string) =>
    runIn(lab, program, "buildx", ["imagetools", "create", "--tag", `${repository(image)}:latest`, to]);
const secretIsOurs = (name: keyof typeof secrets) => async () => {
    expect(await github.secret("actions", name)).toBe(secrets[name]);
};
const fileIsOurs = (file: string) => () => {
    expect(github.file(file)).toBe(wanted.get(file));
    return Promise.resolve();
};
const variableIsOurs = (name: string, image: string) => () => {
    expect(github.state().variables[name]?.value).toBe(outputs[image]?.ref);
    return Promise.resolve();
};
const root = () => `${lab.instance.registry}/library/python:3.12-slim`;
const digestOfRoot = async () => (await manifest(lab, "library/python", "3.12-slim"))?.digest;
/** Moves the root to another index with the same manifests: every image is built again, with an unchanged digest. */
const moveRoot = async () => {
    const source = `${repositoryOf(root())}@${(await digestOfRoot()) ?? ""}`;
    const moved = ["--annotation", "index:moved=yes", "--tag", root(), source];
    expect(await runIn(lab, program, "buildx", ["imagetools", "create", ...moved])).toMatchObject({ code: 0 });
};
/** The digest is specific to this machine: it must not appear in the shared file. */
const rootIsTheLabs = async () => {
    const ref = `${repositoryOf(root())}@${(await digestOfRoot()) ?? ""}`;
    expect(readInstance(instanceFile(lab.env))?.roots).toEqual({ "python:3.12-slim": ref });
    expect(readFileSync(path.join(program, "Pulumi.local.yaml"), "utf8")).not.toContain("sha256");
};
const push = (file: string, text: string | null) => {
    wanted.set(file, github.file(file));
    return github.control("POST", `${github.where}/push`, { files: { [file]: text } });
};

const removed: string[] = [];
/** Whether the registry serves the removed blobs to a client that did not request them before. */
const blobsAreThere = async () => {
    const reader = blobReader(lab.env);
    const states = await Promise.all(removed.map((digest) => reader.look(repository("ci"), digest)));
    await reader.close();
    expect(states).toEqual(removed.map(() => "there"));
};

/** Groups of differences that are made, found and repaired together, because they do not touch each other. */
const differences: Readonly<Record<string, Readonly<Record<string, Difference>>>> = {
    "of promoted tags and on GitHub": {
        "a moved `latest`": {
            make: () => moveLatest("base", `${repository("bot")}@${outputs.bot?.digest ?? ""}`),
            about: "image base",
            text: /base:latest points at sha256:\w+ instead of sha256:\w+, which was promoted$/,
            repaired: latestIsOurs("base"),
        },
        "a platform that `latest` lost": {
            make: () => moveLatest("bot", `${repository("bot")}@${build("bot")}`),
            about: "image bot",
            text: /bot:latest points at .*; it lacks .*linux\/arm64$/,
            repaired: latestIsOurs("bot"),
        },
        "a deleted `latest`": {
            // The release has the same digest, and the registry deletes all tags of a manifest.
            make: () => deleteManifest("ci", outputs.ci?.digest ?? ""),
            about: "image ci",
            text: /ci:latest is not in the registry/,
            also: /ci:r-\w{12} is not in the registry/,
            repaired: latestIsOurs("ci"),
        },
        "a hand-edited workflow": {
            make: () => push(testYml, "on: push\n"),
            about: `file ${testYml}`,
            text: /changed on branch main/,
            repaired: fileIsOurs(testYml),
        },
        "a deleted workflow": {
            make: () => push(lintYml, null),
            about: `file ${lintYml}`,
            text: /deleted/,
            repaired: fileIsOurs(lintYml),
        },
        "a changed secret": {
            make: async () => {
                // GitHub reports the time of a change in seconds.
                await new Promise((resolve) => setTimeout(resolve, 1100));
                await github.control("PUT", `${github.where}/secrets/actions/DISCORD_TOKEN`, { value: "theirs" });
            },
            about: "secret DISCORD_TOKEN",
            text: /set by another user at \d{4}-/,
            repaired: secretIsOurs("DISCORD_TOKEN"),
        },
        "a deleted secret": {
            make: () => api("DELETE", "actions/secrets/OTHER_TOKEN"),
            about: "secret OTHER_TOKEN",
            text: /deleted/,
            repaired: secretIsOurs("OTHER_TOKEN"),
        },
        "a changed variable": {
            make: () => github.control("PUT", `${github.where}/variables/BOT_IMAGE`, { value: "theirs" }),
            about: "variable BOT_IMAGE",
            text: /another value/,
            repaired: variableIsOurs("BOT_IMAGE", "bot"),
        },
        "a deleted variable": {
            make: () => api("DELETE", "actions/variables/CI_IMAGE"),
            about: "variable CI_IMAGE",
            text: /deleted/,
            repaired: variableIsOurs("CI_IMAGE", "ci"),
        },
    },
    "of builds": {
        "a deleted manifest that others stand on": {
            make: () => deleteManifest("base", build("base")),
            about: "image base",
            text: /linux\/amd64: sha256:\w+ is not in the registry/,
            repaired: async () => {
                expect((await manifest(lab, "fixture/base", build("base")))?.digest).toBe(build("base"));
            },
        },
        "a deleted platform": {
            make: () => deleteManifest("bot", build("bot", "linux/arm64")),
            about: "image bot",
            text: /linux\/arm64: sha256:\w+ is not in the registry/,
            repaired: async () => {
                const digest = build("bot", "linux/arm64");
                expect((await manifest(lab, "fixture/bot", digest))?.digest).toBe(digest);
            },
        },
        "a layer and the configuration of a build, which the registry still believes to have": {
            make: async () => {
                const { layers = [], config } = (await manifest(lab, "fixture/ci", build("ci"))) ?? {};
                for (const { digest } of [layers.at(-1), config].flatMap((one) => one ?? [])) {
                    removeBlob(lab, digest);
                    removed.push(digest);
                }
                expect(removed).toHaveLength(2);
            },
            about: "image ci",
            text: /linux\/amd64: of sha256:\w+ the registry lost its configuration \(.*\) and layer (\d+) of \1 \(.*\), but reports that it has them/,
            repaired: blobsAreThere,
        },
    },
    "of a root": {
        "a root whose tag somebody moved in the lab": {
            make: moveRoot,
            about: "root python:3.12-slim",
            text: /python:3\.12-slim moved to sha256:\w+; pinned is sha256:\w+$/,
            repaired: rootIsTheLabs,
        },
    },
    "of a root that the lab has taken": {
        "a root that the lab renewed and no `up` took": {
            make: async () => {
                await moveRoot();
                const instance = readInstance(instanceFile(lab.env));
                if (!instance) throw new Error("the lab has no instance file");
                const roots = { "python:3.12-slim": `${repositoryOf(root())}@${(await digestOfRoot()) ?? ""}` };
                writeInstance(instanceFile(lab.env), { ...instance, roots });
            },
            about: "root python:3.12-slim",
            text: /python:3\.12-slim moved to sha256:\w+; pinned is sha256:\w+$/,
            repaired: rootIsTheLabs,
        },
    },
};

/** Checks that a browser shows these commands on a page, as they are to be typed. */
async function expectOnPage(page: string, commands: Iterable<string>): Promise<void> {
    const shown = (await shownPage(page)).replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    for (const command of commands) expect(shown).toContain(`<pre>${command}</pre>`);
    await expectPictures(page);
}

describe("are found, and repaired by the very commands that are named:", () => {
    test.each(except(["of a root", "of a root that the lab has taken"], Object.entries(differences)))(
        "differences %s",
        async (_, group) => {
            for (const { make } of Object.values(group)) await make();
            const before = await status();
            expect(before).toMatchObject({ code: 2, report: { verdict: "drift" } });
            const found: readonly ReportedFinding[] = driftOf(before.report);
            const expected = Object.entries(group).flatMap(([name, { about, text, also }]) =>
                [text, ...(also ? [also] : [])].map((one) => ({ name, about, text: one })),
            );
            for (const { name, about, text } of expected) {
                const matching = found.filter((finding) => finding.about === about && text.test(finding.text));
                expect(matching, name).toHaveLength(1);
            }
            expect(found).toHaveLength(expected.length);
            const commands = new Set(found.map(({ command }) => command ?? ""));
            const page = path.join(lab.paths.state, "differences.html");
            const people = await shell(`npx layered-images status --html ${page}`);
            expect(people.code).toBe(2);
            const lines = people.stdout.split("\n").map((line) => line.trim());
            for (const command of commands) expect(lines).toContain(command);
            await expectOnPage(page, commands);
            for (const value of Object.values(secrets)) expect(before.output + people.output).not.toContain(value);
            for (const command of commands) expect(await shell(command)).toMatchObject({ code: 0 });
            for (const { repaired } of Object.values(group)) await repaired();
            expect(await status()).toMatchObject({ code: 0, report: { findings: [] } });
            expect(await imageOutputs(lab, program)).toEqual(outputs);
        },
    );
});

test.thorough(
    "a layer that images share is lost in each of them, and comes back with the one that it is of",
    async () => {
        const { layers = [] } = (await manifest(lab, "fixture/base", build("base"))) ?? {};
        removeBlob(lab, layers.at(-1)?.digest ?? "");
        const review = await shell("npx layered-images review --refresh --format json");
        const plan = JSON.parse(review.stdout) as { images: { image: string; action: string }[]; warnings: string[] };
        const recreated = plan.images.filter(({ action }) => action === "recreate").map(({ image }) => image);
        expect(recreated).toEqual(["base", "bot", "ci"]);
        expect(plan.warnings).toContainEqual(
            expect.stringMatching(/that it lost as present, .*: npx layered-images down first$/),
        );
        // A restarted registry has an empty cache.
        const restarted = await shell("npx layered-images down && npx layered-images lab start");
        expect(restarted.code, restarted.output).toBe(0);
        const { report } = await status();
        const found = driftOf(report);
        // Both platforms contain the blob: the same file in the same place.
        const images = ["image base", "image base", "image bot", "image bot", "image ci"];
        expect(found.map(({ about }) => about)).toEqual(images);
        for (const { text } of found)
            expect(text).toMatch(/linux\/\w+: of \S+ the registry lost layer \d+ of \d+ \([^)]*\)$/);
        for (const { builds } of report.images)
            for (const { lostBlobs } of builds) expect(lostBlobs).toEqual([layers.at(-1)?.digest]);
        expect(report.repairs).toEqual([
            expect.stringMatching(/^npx layered-images up( --replace \S+)( --replace \S+){4}$/),
        ]);
        const [ofBase = "none", , ofBot = "none"] = found.flatMap(({ command }) => command ?? []);
        expect(ofBase).toMatch(/^npx layered-images up --replace \S+::base-\w+'$/);
        // Each command is sufficient by itself: the builds of the base images come first.
        expect(ofBot).toMatch(
            /^npx layered-images up --replace \S+::base-\w+' --replace \S+::base-\w+' --replace \S+::bot-\w+'$/,
        );
        expect(await shell(ofBase)).toMatchObject({ code: 0 });
        expect(await status()).toMatchObject({ code: 0, report: { findings: [] } });
        expect(await imageOutputs(lab, program)).toEqual(outputs);
    },
);

test.thorough(
    "several differences are on a page that a browser shows, and repaired together by the commands that it names",
    async () => {
        await deleteManifest("ci", build("ci"));
        await moveLatest("base", `${repository("bot")}@${outputs.bot?.digest ?? ""}`);
        await push(testYml, "on: push\n");
        await api("DELETE", "actions/variables/CI_IMAGE");
        const page = path.join(lab.paths.state, "drift.html");
        const { report } = await status(`--html ${page}`);
        expect(driftOf(report)).toHaveLength(4);
        expect(report.repairs).toHaveLength(2);
        await expectOnPage(page, [...driftOf(report).map(({ command = "none" }) => command), ...report.repairs]);
        for (const command of report.repairs) expect(await shell(command)).toMatchObject({ code: 0 });
        expect(await status()).toMatchObject({ code: 0, report: { findings: [] } });
        await latestIsOurs("base")();
    },
);

test("a lock that a crash left empty is named, and removed by the command that is named; another project's update goes on", async () => {
    const locks = path.join(lab.paths.state, "pulumi/.pulumi/locks/organization");
    const held = JSON.stringify({ pid: process.pid, hostname: hostname(), timestamp: new Date().toISOString() });
    const [broken, other] = ["layered-images/local/a.json", "another/local/b.json"];
    writeTree(locks, { [broken]: "", [other]: held });
    const file = path.join(locks, broken);
    // An earlier time than the start of any pulumi process that may run on this machine.
    utimesSync(file, 0, 0);
    const refused = await runIn(lab, program, "pulumi", ["up", "--yes", "--skip-preview", "--non-interactive"]);
    expect(refused.output).toContain("unexpected end of JSON input");
    const { code, report } = await status();
    expect({ code, findings: report.findings }).toEqual({
        code: 0,
        findings: [
            {
                kind: "note",
                about: "stack local",
                text: `pulumi refuses to update it because of a lock that can't be read: ${file} (it is empty)`,
                command: "npx layered-images up",
            },
        ],
    });
    const repaired = await shell("npx layered-images up");
    expect(repaired.output).toContain(`removed a lock that no pulumi on this machine can hold: ${file} (it is empty)`);
    expect(repaired).toMatchObject({ code: 0 });
    expect(readFileSync(path.join(locks, other), "utf8")).toBe(held);
    rmSync(path.join(locks, other));
    expect(await status()).toMatchObject({ code: 0, report: { findings: [] } });
});

test("no value of a secret is in any form, and the page needs no network", async () => {
    const file = path.join(lab.paths.state, "status.html");
    const { output } = await status(`--html ${file}`);
    const page = readFileSync(file, "utf8");
    expect(page).toMatch(/<td[^>]*>linux\/arm64<\/td>/);
    expect(page).not.toMatch(/<script|src=|href=/);
    expect(output + page).not.toContain(token);
});

test("a wrong passphrase does not matter: no secret is read", async () => {
    const engine = { PULUMI_CONFIG_PASSPHRASE: "wrong" };
    const { stdout } = await runIn({ ...lab, env: { ...lab.env, ...engine } }, program, "pulumi", ["stack", "export"]);
    expect(stdout).toContain("ciphertext");
    expect(await shell("npx layered-images status", engine)).toMatchObject({ code: 0 });
});

test("an unknown stack is told with the known ones", async () => {
    const line = "npx layered-images status --stack nope";
    const outcome = await shell(line, lab.env);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.output).toMatch(/there is no stack "nope".*\n +allowed: local\n/);
});

test("an unknown option is wrong use", async () => {
    expect(await shell("npx layered-images status --format json")).toMatchObject({ code: 64 });
});

test("what can't be asked is named, and is no difference", async () => {
    const servers = path.join(lab.paths.state, "servers");
    for (const name of ["registry", "github"]) {
        const { pid } = JSON.parse(readFileSync(path.join(servers, `${name}.pid`), "utf8")) as { pid: number };
        spawnSync("kill", [pid.toString()]);
        await eventually(
            () => {
                expect(spawnSync("kill", ["-0", pid.toString()]).status).not.toBe(0);
            },
            { timeout: 10_000 },
        );
    }
    const { code, report } = await status();
    expect({ code, verdict: report.verdict }).toEqual({ code: 1, verdict: "unknown" });
    const unknown = report.findings.filter(({ kind }) => kind === "unknown").map(({ about }) => about);
    expect(unknown.sort()).toEqual(["GitHub", `registry ${lab.instance.registry}`]);
    expect(report.findings.find(({ about }) => about.startsWith("registry"))?.text).toMatch(/refused.*fixture\/base/);
    expect(report.findings.filter(({ kind }) => kind === "drift")).toEqual([]);
});
