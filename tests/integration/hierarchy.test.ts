import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe } from "mocha";
import { startLab } from "../../lab/lab";
import { stopLab } from "../../lab/labState";
import { stopServer } from "../../lab/servers/server";
import { serversFolder } from "../../lib/system/paths";
import { failedBuilds } from "../../lib/update/failedBuilds";
import { configWith, fixture } from "../fixture";
import { type TestLab, makeRepository, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { manifest, repositories, tags } from "../registry";
import { command, exportState, imageOutputs, reviewPlan, up } from "../stack";
import { writeTree } from "../tree";

/*
 * The program on another project's hierarchy, with the real engine, provider, BuildKit and registry. The tests run in
 * order: each test starts from the state that the previous test left.
 */
let lab: TestLab;
let program: string;

before(async () => {
    lab = await startTestLab();
    program = makeRepository(path.join(lab.paths.state, "repository"), fixture);
});
after(async () => {
    await lab.close();
});

const layers = async (repository: string, digest: string) =>
    (await manifest(lab, repository, digest))?.layers?.map((layer) => layer.digest) ?? [];
const preview = (...args: string[]) =>
    runIn(lab, program, "pulumi", ["preview", "--non-interactive", "--color", "never", ...args]);

test("a preview of a fresh stack needs no builder and no registry, and publishes nothing", async () => {
    await stopLab(lab.paths);
    const { code, output } = await preview();
    expect(output).toMatch(/\+ \d+ to create/);
    expect(output).toContain("no repository on GitHub is configured (github.repository): images only");
    expect(output).not.toContain("warning");
    // Unknown values are shown as unknown.
    expect(output).toMatch(/^Outputs:\n {4}builds: [^]*^ {4}images: /m);
    expect(code).toBe(0);
    const { env } = await startLab({ paths: lab.paths });
    expect(env.BUILDX_CONFIG).toBe(lab.env.BUILDX_CONFIG);
    expect(await repositories(lab)).toEqual(["library/python"]);
});

describe("the first up", () => {
    test("builds every image", async () => {
        const { code, output, operations } = await up(lab, program);
        expect(output).toContain("Resources:");
        expect(code).toBe(0);
        const builds = ["base-amd64", "base-arm64", "bot-amd64", "bot-arm64", "ci-amd64", "devcontainer-amd64"];
        const tests = ["base-amd64-test", "base-arm64-test", "bot-amd64-test", "bot-arm64-test", "ci-amd64-test"];
        expect(Object.keys(operations).sort()).toEqual([...builds, ...tests, "base", "bot", "ci"].sort());
        expect(new Set(Object.values(operations))).toEqual(new Set(["create"]));
    });

    test("publishes base, ci and bot under a build tag a platform and latest beside their caches, and no devcontainer", async () => {
        expect(await repositories(lab)).toEqual(["fixture/base", "fixture/bot", "fixture/ci", "library/python"]);
        const arches = { base: ["amd64", "arm64"], bot: ["amd64", "arm64"], ci: ["amd64"] };
        for (const [name, own] of Object.entries(arches)) {
            const found = (await tags(lab, `fixture/${name}`)).map((tag) =>
                tag.replace(/^b-[0-9a-f]{12}-|-[0-9a-f]{12}$/, ""),
            );
            expect(found.sort()).toEqual([...own, ...own.map((arch) => `cache-${arch}`), "latest", "r"]);
        }
    });

    test("points latest at an index over the digests of the platforms that were built", async () => {
        const outputs = await imageOutputs(lab, program);
        for (const name of ["base", "bot", "ci"]) {
            const index = await manifest(lab, `fixture/${name}`, "latest");
            const image = outputs[name];
            expect(index?.digest).toBe(image?.digest);
            expect(image?.ref).toBe(`${lab.instance.registry}/fixture/${name}@${index?.digest ?? ""}`);
            const platforms = index?.manifests?.map(({ platform, digest }) => [
                `${platform?.os ?? ""}/${platform?.architecture ?? ""}`,
                digest,
            ]);
            expect(Object.fromEntries(platforms ?? [])).toEqual(image?.platforms);
        }
        expect(outputs.devcontainer).toMatchObject({ ref: null, digest: null, parent: "base" });
    });

    test("makes the parent's layers a prefix of the child's, on each platform", async () => {
        const { base, bot, ci } = await imageOutputs(lab, program);
        for (const [platform, digest] of Object.entries(base?.platforms ?? {})) {
            const parent = await layers("fixture/base", digest);
            expect(parent.length).toBeGreaterThan(1);
            for (const [name, child] of Object.entries({ bot, ci })) {
                const own = child?.platforms[platform];
                if (own === undefined) continue;
                const all = await layers(`fixture/${name}`, own);
                expect(all.slice(0, parent.length)).toEqual(parent);
                expect(all.length).toBeGreaterThan(parent.length);
            }
        }
    });

    test("leaves a state in which everything is retained, nothing builds on preview and children name digests", async () => {
        const state = await exportState(lab, program);
        expect(Object.values(state).filter(({ retainOnDelete }) => retainOnDelete !== true)).toEqual([]);
        const images = Object.values(state).filter(({ type }) => type === "docker-build:index:Image");
        expect(images).toHaveLength(11);
        expect(images.filter(({ inputs }) => inputs.buildOnPreview !== false)).toEqual([]);
        for (const arch of ["amd64", "arm64"]) {
            const parent = String(state[`base-${arch}`]?.outputs.digest);
            expect(parent).toMatch(/^sha256:[0-9a-f]{64}$/);
            const context = state[`bot-${arch}`]?.inputs.context as { named: Record<string, { location: string }> };
            const location = `docker-image://${lab.instance.registry}/fixture/base@${parent}`;
            expect(context.named["ghcr.io/fixture/base:latest"]?.location).toBe(location);
        }
    });

    test("writes no path of the checkout into the state", async () => {
        expect(JSON.stringify(await exportState(lab, program))).not.toContain(program);
    });
});

describe("nothing is rebuilt", () => {
    test("by a second clone at another path, with another umask", async () => {
        const before = process.umask(0o077);
        try {
            // Engine, program and staging run under this umask too.
            const clone = makeRepository(path.join(lab.paths.state, "another clone"), fixture);
            const { code, operations } = await up(lab, clone, "--expect-no-changes");
            expect({ code, operations }).toEqual({ code: 0, operations: {} });
        } finally {
            process.umask(before);
        }
    });

    test("by a second up, although a file changed that no Dockerfile reads", async () => {
        appendFileSync(path.join(program, "app/tests/test_bot.py"), "# changed\n");
        const { code, operations } = await up(lab, program, "--expect-no-changes");
        expect({ code, operations }).toEqual({ code: 0, operations: {} });
    });
});

test("a change of the app rebuilds, tests and promotes the bot alone, and preview says so before", async () => {
    writeFileSync(path.join(program, "app/bot/__main__.py"), 'print("changed")\n');
    const changed = ["bot", "bot-amd64", "bot-amd64-test", "bot-arm64", "bot-arm64-test"];
    const { images } = await reviewPlan(lab, program);
    const pending = images.filter(({ action }) => action !== "unchanged");
    expect(pending).toMatchObject([{ image: "bot", action: "rebuild", causes: ["app/bot/__main__.py changed"] }]);
    const before = await imageOutputs(lab, program);
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    expect(Object.keys(operations).sort()).toEqual(changed);
    const after = await imageOutputs(lab, program);
    expect(after.bot?.digest).not.toBe(before.bot?.digest);
    expect({ ...after, bot: null }).toEqual({ ...before, bot: null });
});

test("what the base's build only looks at builds the base to the same digest and stops there", async () => {
    const before = await imageOutputs(lab, program);
    appendFileSync(path.join(program, "docker/notes/base.txt"), "more\n");
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    expect(Object.keys(operations).sort()).toEqual(["base-amd64", "base-arm64"]);
    expect(await imageOutputs(lab, program)).toEqual(before);
});

test("a failing smoke test names image and script, leaves latest of image and children, and one up recovers", async () => {
    const before = await imageOutputs(lab, program);
    writeTree(program, {
        "docker/smoke/base.sh": '#!/bin/sh\necho "about to fail"\ntest "$(uname -m)" != aarch64\n',
        "requirements/base.txt": "six==1.16.0\n",
    });
    const failed = await up(lab, program);
    expect(failed.code).not.toBe(0);
    expect(failed.output).toMatch(/base-arm64-test.*failed/);
    if (!failed.log) throw new Error("the engine logged nothing");
    const told = await failedBuilds({ env: lab.env, root: program, log: failed.log, mask: (line) => line });
    expect(told.map(({ build }) => [build.image, build.kind, build.platform])).toEqual([
        ["base", "test", "linux/arm64"],
    ]);
    expect(told[0]?.known?.output.join("\n")).toMatch(/about to fail\n.*smoke test failed: docker\/smoke\/base\.sh/);
    for (const name of ["base", "bot", "ci"]) {
        expect((await manifest(lab, `fixture/${name}`, "latest"))?.digest).toBe(before[name]?.digest);
    }
    writeTree(program, { "docker/smoke/base.sh": fixture["docker/smoke/base.sh"] ?? "" });
    const recovered = await up(lab, program);
    expect(recovered.code).toBe(0);
    const after = await imageOutputs(lab, program);
    for (const name of ["base", "bot", "ci"]) {
        expect((await manifest(lab, `fixture/${name}`, "latest"))?.digest).toBe(after[name]?.digest);
        expect(after[name]?.digest).not.toBe(before[name]?.digest);
    }
});

/** Returns the digest of each repository's `latest` tag. */
const promoted = async (...images: string[]) =>
    Object.fromEntries(
        await Promise.all(
            images.map(async (image) => [image, (await manifest(lab, `fixture/${image}`, "latest"))?.digest] as const),
        ),
    );
/** The text that represents an unknown value in a state (sdk/v3/go/common/resource/plugin, UnknownStringValue). */
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

test.thorough(
    "a broken image that nothing stands on leaves every other one built, tested and promoted; the run ends red with what is left",
    async () => {
        const before = await promoted("base", "bot", "ci");
        const [outputs, dockerfile] = [await imageOutputs(lab, program), fixture[".devcontainer/Dockerfile"] ?? ""];
        writeTree(program, {
            ".devcontainer/Dockerfile": `${dockerfile}RUN echo broken; false\n`,
            "app/bot/__main__.py": 'print("changed while another image is broken")\n',
        });
        const { code, output } = await command(lab, program, ["up"]);
        expect(code).not.toBe(0);
        expect(output).toMatch(/left to do:\n {2}image devcontainer: its build failed on linux\/amd64\n$/);
        const after = await promoted("base", "bot", "ci");
        expect(after.bot).not.toBe(before.bot);
        expect({ ...after, bot: null }).toEqual({ ...before, bot: null });
        // If a value of one image is unknown, no output changes: the output holds the values of the last completed update.
        expect(await imageOutputs(lab, program)).toEqual(outputs);
        writeTree(program, { ".devcontainer/Dockerfile": dockerfile });
        expect(await command(lab, program, ["up"])).toMatchObject({ code: 0 });
        expect((await imageOutputs(lab, program)).bot?.digest).toBe(after.bot);
    },
);

/** An entry of images.ts, including its end. */
const other = `    other: {
        description: "stands on nothing of ours",
        name: "ghcr.io/fixture/other:latest",
        dockerfile: "docker/Dockerfile.other",
        platforms: ["linux/amd64"],
    },
};`;

test.thorough(
    "a folder whose files are all ignored is in the image as in one that is built without Pulumi",
    async () => {
        const before = await promoted("base", "bot", "ci");
        writeTree(program, {
            "images.ts": (fixture["images.ts"] ?? "").replace(/\};\s*$/, other),
            "docker/Dockerfile.other": `FROM python:3.12-slim
COPY logs /logs/
RUN --mount=source=logs,target=/mounted [ -z "$(ls -A /logs /mounted | grep -v :)" ]
`,
            "docker/Dockerfile.other.dockerignore": "logs/*\n",
            "logs/.gitkeep": "",
        });
        const build = ["build", "--file", "docker/Dockerfile.other", "--output", "type=cacheonly", "."];
        expect(await runIn(lab, program, "buildx", build)).toMatchObject({ code: 0 });
        const { code, output } = await command(lab, program, ["up"]);
        expect(code, output).toBe(0);
        expect(await promoted("base", "bot", "ci")).toEqual(before);
        const { stdout } = await runIn(lab, program, "pulumi", ["stack", "export"]);
        expect(stdout).toContain(JSON.stringify({ "logs/": "folder" }).slice(1, -1).replace(":", ": "));
        expect((await up(lab, program)).operations).toEqual({});
    },
);

test("nothing is built on an image that is broken or whose test fails, and what does not stand on it goes on", async () => {
    const before = await promoted("base", "bot", "ci");
    const [images, base] = [
        fixture["images.ts"] ?? "",
        readFileSync(path.join(program, "docker/Dockerfile.base"), "utf8"),
    ];
    const build = async (files: Readonly<Record<string, string>>) => {
        writeTree(program, files);
        return await command(lab, program, ["up"]);
    };
    const left =
        /left to do:\n {2}image base: its (build|smoke test) failed on linux\/amd64[^]*?image bot: it was not built: an image that it needs failed\n/;

    const broken = await build({
        "images.ts": images.replace(/\};\s*$/, other),
        "docker/Dockerfile.other": "FROM python:3.12-slim\nCOPY app/bot /app\n",
        "docker/Dockerfile.base": `${base}RUN echo nope; false\n`,
    });
    expect(broken.code).not.toBe(0);
    expect(broken.output).toMatch(left);
    expect(broken.output).not.toMatch(/decoding|required field/i);
    const { other: first, ...rest } = await promoted("base", "bot", "ci", "other");
    expect([rest, typeof first]).toEqual([before, "string"]);

    const untested = await build({
        "docker/Dockerfile.other": "FROM python:3.12-slim\nCOPY app/bot /application\n",
        "docker/Dockerfile.base": `${base}RUN true\n`,
        "docker/smoke/base.sh": "#!/bin/sh\nexit 1\n",
    });
    expect(untested.code).not.toBe(0);
    expect(untested.output).toMatch(left);
    const { other: second, ...same } = await promoted("base", "bot", "ci", "other");
    expect([same, second === first]).toEqual([before, false]);
    const { stdout } = await runIn(lab, program, "pulumi", ["stack", "export"]);
    expect(stdout).not.toContain(unknownValue);

    const files = { "docker/Dockerfile.base": base, "docker/smoke/base.sh": fixture["docker/smoke/base.sh"] ?? "" };
    expect(await build({ ...files, "images.ts": images })).toMatchObject({ code: 0 });
    expect(await promoted("base", "bot", "ci")).toEqual(before);
});

test.thorough(
    "a repository that the registry lost is there again after `up --refresh`, with its promoted tag; a moved tag stays moved",
    async () => {
        const before = await promoted("base", "bot", "ci");
        const { ci } = await imageOutputs(lab, program);
        const moved = `${lab.instance.registry}/fixture/base:latest`;
        await runIn(lab, program, "buildx", ["imagetools", "create", "--tag", moved, ci?.ref ?? ""]);
        // A running registry caches in memory which content it has.
        await stopServer(serversFolder(lab.paths), "registry");
        const data = path.join(lab.paths.state, "registry/data/docker/registry/v2/repositories/fixture/bot");
        rmSync(data, { recursive: true });
        await startLab({ paths: lab.paths });
        expect((await promoted("bot")).bot).toBeUndefined();
        const { code, output } = await command(lab, program, ["up", "--refresh"]);
        expect(code, output).toBe(0);
        const after = await promoted("base", "bot", "ci");
        expect(after).toEqual({ ...before, base: ci?.digest });
        const { code: repaired } = await command(lab, program, ["status"]);
        expect(repaired).toBe(2);
        const urn = /urn:\S+Index::base(?=\s)/.exec(
            (await runIn(lab, program, "pulumi", ["stack", "--show-urns"])).stdout,
        )?.[0];
        expect(await command(lab, program, ["up", "--replace", urn ?? ""])).toMatchObject({ code: 0 });
        expect(await promoted("base", "bot", "ci")).toEqual(before);
    },
);

test.thorough("an image that is removed from images.ts stays in the registry", async () => {
    const { ci } = await imageOutputs(lab, program);
    const text = fixture["images.ts"] ?? "";
    const [start, end] = [text.indexOf("    ci: {"), text.indexOf("    bot: {")];
    writeTree(program, { "images.ts": text.slice(0, start) + text.slice(end) });
    const { code, operations } = await up(lab, program);
    expect(code).toBe(0);
    expect(Object.keys(operations).sort()).toEqual(["ci", "ci-amd64", "ci-amd64-test"]);
    expect((await manifest(lab, "fixture/ci", "latest"))?.digest).toBe(ci?.digest);
    expect(await manifest(lab, "fixture/ci", ci?.platforms["linux/amd64"] ?? "")).toBeDefined();
});

test("the images build without Pulumi, from the repository's root, on the published or a locally built base", async () => {
    const build = (dockerfile: string, ...args: string[]) =>
        runIn(lab, program, "buildx", ["build", "--file", dockerfile, ...args, "."]);
    const local = `${lab.instance.registry}/local/base:dev`;
    const output = (name: string) => ["--output", `type=image,push=true,name=${name}`];
    for (const dockerfile of ["docker/Dockerfile", "docker/Dockerfile.ci", ".devcontainer/Dockerfile"]) {
        expect(await build(dockerfile, "--output", "type=cacheonly")).toMatchObject({ code: 0 });
    }
    const base = await build("docker/Dockerfile.base", "--build-arg", "GREETING=local", ...output(local));
    expect(base).toMatchObject({ code: 0 });
    const context = `ghcr.io/fixture/base:latest=docker-image://${local}`;
    const child = await build(
        "docker/Dockerfile",
        "--build-context",
        context,
        ...output(`${lab.instance.registry}/local/bot:dev`),
    );
    expect(child).toMatchObject({ code: 0 });
});

test("BuildKit puts a named context in the place of a stage of its name, which is why such a stage is refused", async () => {
    const [[root, pinned] = ["", ""]] = Object.entries(lab.instance.roots);
    const stage = `FROM ${root} AS python\nRUN echo x > /marker\n`;
    writeTree(program, { Dockerfile: `${stage}FROM ${root}\nCOPY --from=python /marker /marker\n` });
    const build = (...args: string[]) =>
        runIn(lab, program, "buildx", ["build", "--output", "type=cacheonly", ...args, "."]);
    expect(await build()).toMatchObject({ code: 0 });
    const replaced = await build("--build-context", `python=docker-image://${pinned}`);
    expect(replaced.output).toMatch(/"\/marker": not found/);
    const dockerfile = stage + (fixture["docker/Dockerfile"] ?? "").concat("COPY --from=python /marker /marker\n");
    const roots = `  layered-images:roots:\n    python: ${pinned}\n`;
    // The stage replaces the image only if the Dockerfile names that image too.
    const named = `${dockerfile}COPY --from=python:latest /etc/hostname /name\n`;
    writeTree(program, { ...configWith(roots), "docker/Dockerfile": named });
    const { code, output, operations } = await up(lab, program);
    expect(output).toContain("docker/Dockerfile:1: stage python has the name of python:latest");
    expect({ code, operations }).toEqual({ code: 1, operations: {} });
});
