import { appendFileSync, chmodSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { manifest } from "../registry";
import { type ImageOutput, imageOutputs, pendingImages, up } from "../stack";
import { writeTree } from "../tree";

/*
 * The table of changes: what `up` builds is exactly what had to be built, the digests that move are exactly those that had
 * to, and preview said so before. Each row starts where the one before ended.
 */
let lab: TestLab;
let program: string;
let outputs: Record<string, ImageOutput>;

beforeAll(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "a path with spaces"), fixture);
    const { code } = await up(lab, program);
    expect(code).toBe(0);
    outputs = await imageOutputs(lab, program);
});
afterAll(async () => {
    await lab.close();
});

const at = (name: string) => path.join(program, name);
const write = (files: Readonly<Record<string, string>>) => () => {
    writeTree(program, files);
};
const append = (file: string, text: string) => () => {
    appendFileSync(at(file), text);
};
const inImages = (from: string, to: string) => () => {
    const text = images.replace(from, to);
    expect(text).not.toBe(images);
    images = text;
    writeFileSync(at("images.ts"), images);
};
let images = fixture["images.ts"] ?? "";

/** The builds of an image, by name. */
const builds = {
    base: ["base-amd64", "base-arm64"],
    ci: ["ci-amd64"],
    bot: ["bot-amd64", "bot-arm64"],
    devcontainer: ["devcontainer-amd64"],
};
const aBuild = /^(base|ci|bot|devcontainer)-(amd64|arm64)$/;
const everything = Object.values(builds).flat();
const children = [...builds.ci, ...builds.bot, ...builds.devcontainer];

interface Row {
    readonly change: () => void;
    /** Builds that `up` must do, and no other. */
    readonly built: readonly string[];
    /** Images of which a platform's digest must move, and no other. */
    readonly moved: readonly string[];
    /** Smoke tests that run; those of the moved images without. */
    readonly tested?: readonly string[];
}

const buildArgsConfig = (lines: string) => `  layered-images:buildArgs:\n    base:\n${lines}`;
const buildArgs = (lines: string) => write(configWith(buildArgsConfig(lines)));

test.each<[string, Row]>([
    ["a file that nothing reads", { change: write({ "NOTES.md": "notes" }), built: [], moved: [] }],
    [
        "mtime, group bits and umask of an input",
        {
            change: () => {
                utimesSync(at("app/bot/__main__.py"), 1, 1);
                chmodSync(at("app/bot/__main__.py"), 0o664);
                chmodSync(at("requirements/base.txt"), 0o600);
            },
            built: [],
            moved: [],
        },
    ],
    [
        "the executable bit of an input",
        {
            change: () => {
                chmodSync(at("app/bot/__main__.py"), 0o755);
            },
            built: builds.bot,
            moved: ["bot"],
        },
    ],
    ["an input added", { change: write({ "app/bot/extra.txt": "extra" }), built: builds.bot, moved: ["bot"] }],
    [
        "an input renamed",
        {
            change: () => {
                renameSync(at("app/bot/extra.txt"), at("app/bot/more.txt"));
            },
            built: builds.bot,
            moved: ["bot"],
        },
    ],
    [
        "a comment in the base's Dockerfile",
        { change: append("docker/Dockerfile.base", "# a comment\n"), built: builds.base, moved: [] },
    ],
    ["a blank line in a Dockerfile", { change: append("docker/Dockerfile.ci", "\n"), built: builds.ci, moved: [] }],
    [".dockerignore without effect", { change: write({ ".dockerignore": "docs\n" }), built: [], moved: [] }],
    [
        ".dockerignore with effect",
        { change: write({ ".dockerignore": "docs\napp/bot/more.txt\n" }), built: builds.bot, moved: ["bot"] },
    ],
    [
        "a package of the base",
        {
            change: write({ "requirements/base.txt": "six==1.16.0\n" }),
            built: everything,
            moved: ["base", "ci", "bot"],
        },
    ],
    [
        "a requirement of all children",
        { change: append("requirements/app.txt", "# more\n"), built: children, moved: ["ci", "bot"] },
    ],
    [
        "a development requirement",
        {
            change: append("requirements/dev.txt", "# more\n"),
            built: [...builds.ci, ...builds.devcontainer],
            moved: ["ci"],
        },
    ],
    ["the app", { change: append("app/bot/__main__.py", "# more\n"), built: builds.bot, moved: ["bot"] }],
    ["a test of the app", { change: append("app/tests/test_bot.py", "# more\n"), built: [], moved: [] }],
    [
        "a build argument that is used",
        { change: buildArgs("      GREETING: hi\n"), built: everything, moved: ["base", "ci", "bot"] },
    ],
    [
        "a build argument that is not used",
        { change: buildArgs("      GREETING: hi\n      UNUSED: x\n"), built: builds.base, moved: [] },
    ],
    [
        "a label, where there was none",
        {
            change: inImages('docker/smoke/ci.sh",', 'docker/smoke/ci.sh",\n        labels: { "org.example": "x" },'),
            built: builds.ci,
            moved: ["ci"],
        },
    ],
    [
        "the registry cache switched off",
        {
            change: inImages('docker/smoke/ci.sh",', 'docker/smoke/ci.sh",\n        registryCache: false,'),
            built: builds.ci,
            moved: [],
        },
    ],
    [
        "the registry cache switched on, where there was none",
        {
            change: inImages("        registryCache: false,", "        registryCache: true,"),
            built: builds.ci,
            moved: [],
        },
    ],
    [
        "a smoke test",
        { change: append("docker/smoke/ci.sh", "# more\n"), built: [], moved: [], tested: ["ci-amd64-test"] },
    ],
    [
        "two changes at once",
        {
            change: () => {
                append("requirements/dev.txt", "# twice\n")();
                append("app/bot/__main__.py", "# twice\n")();
            },
            built: children,
            moved: ["ci", "bot"],
        },
    ],
    [
        "a platform added",
        {
            change: inImages('platforms: ["linux/amd64"],', 'platforms: ["linux/amd64", "linux/arm64"],'),
            built: ["ci-arm64"],
            moved: ["ci"],
            tested: ["ci-arm64-test"],
        },
    ],
])("%s", async (_name, { change, built, moved, tested }) => {
    change();
    const pending = await pendingImages(lab, program);
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    const changed = Object.keys(operations);
    const changedBuilds = changed.filter((name) => aBuild.test(name));
    expect(changedBuilds.sort()).toEqual([...built].sort());
    const after = await imageOutputs(lab, program);
    const moves = Object.keys(after).filter(
        (name) => JSON.stringify(after[name]?.platforms) !== JSON.stringify(outputs[name]?.platforms),
    );
    expect(moves.sort()).toEqual([...moved].sort());
    const expectedTests =
        tested ??
        changedBuilds.filter((name) => moved.includes(name.split("-")[0] ?? "")).map((name) => `${name}-test`);
    expect(changed.filter((name) => name.endsWith("-test")).sort()).toEqual([...expectedTests].sort());
    // What was built had been announced; what was announced and not built stood on something that was.
    expect(built.filter((name) => !pending.includes(name))).toEqual([]);
    const announced = pending.filter((name) => !built.includes(name));
    expect(
        announced.filter((name) => !children.includes(name) || !built.some((one) => one.startsWith("base"))),
    ).toEqual([]);
    for (const name of ["base", "bot", "ci"]) {
        expect((await manifest(lab, `fixture/${name}`, "latest"))?.digest).toBe(after[name]?.digest);
    }
    outputs = after;
});

test("a change that is taken back brings the same digests back", async () => {
    const before = outputs;
    write({ "requirements/base.txt": "six==1.17.0\n" })();
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    expect(await imageOutputs(lab, program)).not.toEqual(before);
    write({ "requirements/base.txt": "six==1.16.0\n" })();
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    expect(await imageOutputs(lab, program)).toEqual(before);
});

test("a root that moves rebuilds everything, and moved back brings the same digests back", async () => {
    const before = outputs;
    const settings = buildArgsConfig("      GREETING: hi\n      UNUSED: x\n");
    const moved = `${lab.instance.registry}/library/python:moved`;
    const folder = path.join(lab.paths.state, "moved");
    writeTree(folder, { Dockerfile: "FROM python:3.12-slim\nRUN echo moved > /moved\n" });
    const build = ["build", "--provenance=false", "--platform", "linux/amd64,linux/arm64"];
    const pushed = await runIn(lab, folder, "buildx", [
        ...build,
        "--output",
        `type=image,push=true,name=${moved}`,
        ".",
    ]);
    expect(pushed).toMatchObject({ code: 0 });
    const digest = (await manifest(lab, "library/python", "moved"))?.digest ?? "";
    const root = `  layered-images:roots:\n    "python:3.12-slim": ${lab.instance.registry}/library/python@${digest}\n`;
    write(configWith(settings + root))();
    const { operations } = await up(lab, program);
    expect(
        Object.keys(operations)
            .filter((name) => aBuild.test(name))
            .sort(),
    ).toEqual([...everything, "ci-arm64"].sort());
    const after = await imageOutputs(lab, program);
    for (const name of ["base", "bot", "ci"]) expect(after[name]?.digest).not.toBe(before[name]?.digest);
    write(configWith(settings))();
    expect(await up(lab, program)).toMatchObject({ code: 0 });
    expect(await imageOutputs(lab, program)).toEqual(before);
});

test("an image that is renamed, added or removed in images.ts touches no other and deletes nothing in the registry", async () => {
    const text = images;
    writeFileSync(at("images.ts"), text.replace("    ci: {", "    checks: {"));
    const renamed = await up(lab, program);
    expect(renamed.code).toBe(0);
    expect(Object.keys(renamed.operations).filter((name) => !/^(ci|checks)(-|$)/.test(name))).toEqual([]);
    expect((await imageOutputs(lab, program)).checks?.platforms).toEqual(outputs.ci?.platforms);
    rmSync(at("docker/Dockerfile.ci"));
    const [start, end] = [text.indexOf("    ci: {"), text.indexOf("    bot: {")];
    writeFileSync(at("images.ts"), text.slice(0, start) + text.slice(end));
    const removed = await up(lab, program);
    expect(removed.code).toBe(0);
    expect(Object.keys(removed.operations).filter((name) => !name.startsWith("checks"))).toEqual([]);
    for (const reference of ["latest", ...Object.values(outputs.ci?.platforms ?? {})]) {
        expect(await manifest(lab, "fixture/ci", reference)).toBeDefined();
    }
});
