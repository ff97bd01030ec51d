import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { after, before } from "mocha";
import type { ChannelReport } from "../../cli/removeChannel";
import type { CleanupReport } from "../../lib/forms/cleanupText";
import { reviewSchema } from "../../lib/forms/json";
import { backendFolder } from "../../lib/system/paths";
import { stackSettings } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest, tags } from "../registry";
import { command, up } from "../stack";
import { writeTree } from "../tree";

/*
 * The stack of a pull request, from its first review to the removal of its tags. It lies on one file backend and one registry with the stack whose
 * builds it takes. The tests run in order and depend on each other.
 */

let lab: TestLab;
let program: string;

const files = {
    "images.ts": `const platforms = ["linux/amd64"];
export const images = {
    base: { description: "below", name: "ghcr.io/fixture/base:latest", dockerfile: "base.Dockerfile", platforms },
    app: { description: "above", name: "ghcr.io/fixture/app:latest", tags: ["3.12", "{date}", "{release}"], dockerfile: "app.Dockerfile", platforms },
};
`,
    "base.Dockerfile": "FROM scratch\nCOPY base.txt /\n",
    "app.Dockerfile": "FROM ghcr.io/fixture/base:latest\nCOPY app.txt /\n",
    "base.txt": "base\n",
    "app.txt": "app\n",
    "Pulumi.local.yaml": stackSettings({}),
    "Pulumi.preview.yaml": stackSettings({ channel: "{stack}", buildsFrom: ["local"] }),
};

/** Runs a command as on another machine than the lab's: with the lab's parts on PATH, and its backend. */
const run = (...args: string[]) => command(lab, program, args, lab.env);
const onPreview = ["--stack", "pr-1", "--settings-of", "preview"];
const copied = () => path.join(program, "Pulumi.pr-1.yaml");
const digestOf = async (repository: string, tag: string) => (await manifest(lab, `fixture/${repository}`, tag))?.digest;
const stacks = async (): Promise<string[]> => {
    const { stdout } = await runIn(lab, program, "pulumi", ["stack", "ls", "--json"]);
    return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name).sort();
};
/** Returns what gc would remove, as if everything had been pushed a week ago: it keeps what is new. */
const removable = async () => {
    const folder = path.join(lab.paths.state, "registry", "data");
    const week = Date.now() / 1000 - 7 * 24 * 60 * 60;
    for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" }))
        if (/_manifests\/revisions\/.*\/link$/.test(entry)) utimesSync(path.join(folder, entry), week, week);
    const { code, stdout, output } = await run("gc", "--keep-releases", "0", "--keep-days", "0", "--json");
    expect(code, output).toBe(0);
    return (JSON.parse(stdout) as CleanupReport).repositories.flatMap((one) =>
        one.removable.map(({ digest }) => digest),
    );
};
const removal = async (...args: string[]) => {
    const done = await run("remove-channel", "--json", ...args);
    return { ...done, report: JSON.parse(done.stdout || "{}") as Partial<ChannelReport> };
};
const outcomes = ({ report }: Awaited<ReturnType<typeof removal>>) =>
    Object.fromEntries(
        (report.tags ?? []).map(({ repository, tag, outcome }) => [`${repository.split("/").at(-1)}:${tag}`, outcome]),
    );

before(async () => {
    lab = await startTestLab("host");
    program = makeRepository(path.join(lab.paths.state, "repository"), files);
    const built = await up(lab, program);
    expect(built.code, built.output).toBe(0);
    writeTree(program, { "app.txt": "changed\n" });
});
after(() => lab.close());

test("the review of a stack that does not exist says what would be built, and leaves neither stack nor file", async () => {
    const { code, stdout, output } = await run("review", "--format", "json", ...onPreview);
    expect(code, output).toBe(0);
    const { images } = reviewSchema.parse(JSON.parse(stdout));
    expect(images.map(({ image, action }) => [image, action])).toEqual([
        ["base", "retag"],
        ["app", "rebuild"],
    ]);
    expect(await stacks()).toEqual(["local"]);
    expect(existsSync(copied())).toBe(false);
});

test("an update makes the stack with the settings of another one, and the next one, on a runner without the copied file, finds nothing to do", async () => {
    const before = { latest: await digestOf("app", "latest"), base: await digestOf("base", "latest") };
    const first = await run("up", ...onPreview);
    expect(first.code, first.output).toBe(0);
    expect(await stacks()).toEqual(["local", "pr-1"]);
    expect(await digestOf("app", "pr-1")).not.toBe(before.latest);
    expect(await digestOf("app", "pr-1_3.12")).toBe(await digestOf("app", "pr-1"));
    expect(await digestOf("base", "pr-1")).toBe(before.base);
    expect(await digestOf("app", "latest")).toBe(before.latest);
    expect(readFileSync(copied(), "utf8")).toMatch(/^# Written by layered-images from Pulumi\.preview\.yaml/);
    rmSync(copied());
    const again = await run("up", ...onPreview);
    expect(again.code, again.output).toBe(0);
    expect(again.output).toMatch(/Resources:\n +\d+ unchanged/);
});

test.thorough("gc of one stack keeps what another one names, and takes a stack without resources", async () => {
    expect((await runIn(lab, program, "pulumi", ["stack", "init", "empty", "--no-select"])).code).toBe(0);
    const listed = await removable();
    expect(listed).not.toContain(await digestOf("app", "pr-1"));
    expect(listed).not.toContain(await digestOf("base", "pr-1"));
    expect((await runIn(lab, program, "pulumi", ["stack", "rm", "empty", "--yes"])).code).toBe(0);
});

test("a stack without a channel keeps its tags", async () => {
    // The settings of another stack are not its own.
    const { code, output } = await removal("--stack", "local", "--settings-of", "preview", "--yes");
    expect(code, output).toBe(3);
    expect(output).toContain("stack local has no channel");
    // On a machine without its file.
    const file = path.join(program, "Pulumi.local.yaml");
    rmSync(file);
    const other = await removal("--stack", "local", "--settings-of", "preview", "--yes");
    writeFileSync(file, files["Pulumi.local.yaml"]);
    expect(other.code, other.output).toBe(3);
    expect(other.output).toMatch(/has promoted to tags that are not in channel local: .*:latest/);
    expect(await stacks()).toContain("local");
    expect(await digestOf("app", "latest")).toBeDefined();
});

test("a stack that is being updated keeps its tags", async () => {
    const folder = path.join(backendFolder(lab.paths), ".pulumi", "locks", "organization", "layered-images", "pr-1");
    mkdirSync(folder, { recursive: true });
    const lock = path.join(folder, "lock.json");
    writeFileSync(
        lock,
        JSON.stringify({ pid: process.pid, hostname: hostname(), timestamp: new Date().toISOString() }),
    );
    const { code, output } = await removal(...onPreview, "--yes");
    rmSync(lock);
    expect(code, output).toBe(1);
    expect(output).toContain(`stack pr-1 is being updated: pid ${process.pid.toString()}`);
    expect(await digestOf("app", "pr-1")).toBeDefined();
});

test("the removal of a channel removes its tags and its stack, and nothing that other tags name", async () => {
    const day = `pr-1_${new Date().toISOString().slice(0, 10)}`;
    const releases = async () => (await tags(lab, "fixture/app")).filter((tag) => /^pr-1_[0-9a-f]{12}$/.test(tag));
    // The state says only of the newest release what its tags are.
    writeTree(program, { "app.txt": "changed again\n" });
    const updated = await run("up", ...onPreview);
    expect(updated.code, updated.output).toBe(0);
    const named = await releases();
    expect(named.length).toBe(2);
    const app = await digestOf("app", "pr-1");
    const base = await digestOf("base", "pr-1");
    const listed = await removal(...onPreview);
    expect(listed.code, listed.output).toBe(0);
    const all = ["base:pr-1", "app:pr-1", "app:pr-1_3.12", `app:${day}`, ...named.map((tag) => `app:${tag}`)];
    expect(outcomes(listed)).toEqual(Object.fromEntries(all.map((tag) => [tag, "listed"])));
    // Somebody moved a tag.
    const at = `${lab.instance.registry}/fixture/app`;
    const moved = await runIn(lab, program, "buildx", [
        "imagetools",
        "create",
        "--tag",
        `${at}:pr-1_3.12`,
        `${at}:latest`,
    ]);
    expect(moved.code, moved.output).toBe(0);
    const left = (await tags(lab, "fixture/app"))
        .filter((tag) => tag !== "pr-1" && tag !== day && !named.includes(tag))
        .sort();
    const done = await removal(...onPreview, "--yes");
    expect(done.code, done.output).toBe(0);
    expect(outcomes(done)).toEqual({
        ...Object.fromEntries(all.map((tag) => [tag, "removed"])),
        "app:pr-1_3.12": "stays",
    });
    expect(done.report.removed).toBe(true);
    expect((await tags(lab, "fixture/app")).sort()).toEqual(left);
    // Its release has the same digest as its tag had.
    expect(await digestOf("app", app ?? "")).toBe(app);
    expect(await digestOf("base", "latest")).toBe(base);
    expect(await stacks()).toEqual(["local"]);
    expect(existsSync(copied())).toBe(false);
    expect(await removable()).toContain(app);
    const again = await removal(...onPreview, "--yes");
    expect([again.code, again.report.exists]).toEqual([0, false]);
});
