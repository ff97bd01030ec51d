import { chmodSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { type ChangingStack, type Expected, builds, children, everything, startChanges } from "../changes";
import { configWith, fixture } from "../fixture";
import { runIn } from "../lab";
import { expect, test } from "../mocha";
import { manifest } from "../registry";
import { exportState, up } from "../stack";
import { except } from "../thorough";
import { writeTree } from "../tree";

/*
 * The table of changes: `up` builds exactly the images that have to be built, exactly the expected digests change, and
 * preview predicted both. Each row starts from the state that the previous row left.
 */
let stack: ChangingStack;
before(async () => {
    stack = await startChanges();
});
after(async () => {
    await stack.close();
});

const at = (name: string) => stack.at(name);
const write = (files: Readonly<Record<string, string>>) => () => {
    stack.write(files);
};
const append = (file: string, text: string) => () => {
    stack.append(file, text);
};
const inImages = (from: string | RegExp, to: string) => () => {
    stack.inImages(from, to);
};

/** The fixture's smoke tests of two images. */
const testsOf = {
    bot: builds.bot.map((name) => `${name}-test`),
    ci: builds.ci.map((name) => `${name}-test`),
};

interface Row extends Expected {
    readonly change: () => void | Promise<void>;
}

const buildArgsConfig = (lines: string) => `  layered-images:buildArgs:\n    base:\n${lines}`;
const buildArgs = (lines: string) => write(configWith(buildArgsConfig(lines)));

/** The stack's settings after the rows of the table; settings that later tests add remain. */
let settings = buildArgsConfig("      GREETING: hi\n      UNUSED: x\n");

/** What other rows show too. */
const seldom = [
    "a file that the base's build only looks at",
    "a requirement of all children",
    "the registry cache of a parent switched off",
    "the registry cache of a parent switched on, where there was none",
    "what the base's build only looks at and a smoke test of an image on it, which runs although nothing of that is built",
    "what a build in the middle of the hierarchy only looks at",
];

test.each(
    except<[string, Row]>(seldom, [
        [
            "a file that nothing reads, a test of the app, mtime, group bits and umask of inputs, and how the base's Dockerfile is " +
                "written: a comment, case, blanks, continued lines, an unused stage and argument",
            {
                change: () => {
                    stack.write({ "NOTES.md": "notes" });
                    append("app/tests/test_bot.py", "# more\n")();
                    utimesSync(at("app/bot/__main__.py"), 1, 1);
                    chmodSync(at("app/bot/__main__.py"), 0o664);
                    chmodSync(at("requirements/base.txt"), 0o600);
                    const text = readFileSync(at("docker/Dockerfile.base"), "utf8");
                    const written = `${text}# a comment\n`
                        .replace("FROM ", "ARG UNUSED=1\n\nFROM scratch AS unused\nCOPY NOTES.md /\n\nfrom  ")
                        .replace("ARG GREETING", "arg GREETING")
                        .replace('echo "$GREETING"', 'echo \\\n# within\n"$GREETING"');
                    expect(written).toMatch(/unused[\s\S]*arg GREETING[\s\S]*# within/);
                    stack.write({ "docker/Dockerfile.base": written });
                },
                built: [],
                moved: [],
            },
        ],
        [
            "of one image the executable bit of an input and an input added, and a development requirement of others",
            {
                change: () => {
                    chmodSync(at("app/bot/__main__.py"), 0o755);
                    stack.write({ "app/bot/extra.txt": "extra" });
                    append("requirements/dev.txt", "# more\n")();
                },
                built: children,
                moved: ["ci", "bot"],
                why: {
                    bot: ["app/bot/__main__.py is now executable", "app/bot/extra.txt added"],
                    ci: ["requirements/dev.txt changed"],
                    devcontainer: ["requirements/dev.txt changed"],
                },
            },
        ],
        [
            "an input renamed, and a label of another image, where there was none",
            {
                change: () => {
                    renameSync(at("app/bot/extra.txt"), at("app/bot/more.txt"));
                    stack.inImages(
                        'docker/smoke/ci.sh",',
                        'docker/smoke/ci.sh",\n        labels: { "org.example": "x" },',
                    );
                },
                built: [...builds.ci, ...builds.bot],
                moved: ["ci", "bot"],
                why: { bot: ["app/bot/extra.txt renamed to app/bot/more.txt"], ci: ["label org.example added: x"] },
            },
        ],
        [
            "a file that the base's build only looks at",
            {
                change: append("docker/notes/base.txt", "more\n"),
                built: builds.base,
                moved: [],
                why: { base: ["docker/notes/base.txt changed"], bot: ["parent base"] },
            },
        ],
        [
            "a secret below a folder that .dockerignore lets in: BuildKit copies the folder, and leaves the secret out all the same; " +
                "and a label of another image with another value",
            {
                change: () => {
                    stack.write({
                        ".dockerignore": "docs\n**/.env\n!app/bot/config\n",
                        "app/bot/config/.env": "TOKEN=secret\n",
                    });
                    stack.inImages('"org.example": "x"', '"org.example": "y"');
                },
                built: [...builds.ci, ...builds.bot],
                moved: ["ci", "bot"],
                why: { bot: ["app/bot/config/ added"], ci: ["label org.example: x → y"] },
            },
        ],
        [
            "a package of the base",
            {
                change: write({ "requirements/base.txt": "six==1.16.0\n" }),
                built: everything,
                moved: ["base", "ci", "bot"],
                why: { base: ["requirements/base.txt changed"], ci: ["parent base"] },
            },
        ],
        [
            "a requirement of all children",
            { change: append("requirements/app.txt", "# more\n"), built: children, moved: ["ci", "bot"] },
        ],
        [
            "a build argument that is used, beside one that is not",
            {
                change: buildArgs("      GREETING: hi\n      UNUSED: x\n"),
                built: everything,
                moved: ["base", "ci", "bot"],
                why: { base: ["build argument GREETING added: hi"] },
            },
        ],
        [
            "the registry cache of a parent switched off",
            {
                change: inImages('docker/smoke/base.sh",', 'docker/smoke/base.sh",\n        registryCache: false,'),
                built: builds.base,
                moved: [],
                why: { base: ["registry cache switched off"] },
            },
        ],
        [
            "the registry cache of a parent switched on, where there was none",
            {
                change: inImages("        registryCache: false,", "        registryCache: true,"),
                built: builds.base,
                moved: [],
            },
        ],
        [
            "a smoke test, and another image's Dockerfile with another name",
            {
                change: () => {
                    append("docker/smoke/ci.sh", "# more\n")();
                    renameSync(at("docker/Dockerfile"), at("docker/Dockerfile.bot"));
                    stack.inImages('"docker/Dockerfile"', '"docker/Dockerfile.bot"');
                },
                built: [],
                moved: [],
                tested: ["ci-amd64-test"],
                why: { ci: ["smoke test docker/smoke/ci.sh changed"], bot: [] },
            },
        ],
        [
            "what the base's build only looks at and a smoke test of an image on it, which runs although nothing of that is built",
            {
                change: () => {
                    append("docker/notes/base.txt", "beside a test\n")();
                    append("docker/smoke/ci.sh", "# beside a comment\n")();
                },
                built: builds.base,
                moved: [],
                tested: ["ci-amd64-test"],
                why: {
                    ci: ["smoke test docker/smoke/ci.sh changed", "in any case: its smoke tests run", "parent base"],
                    bot: ["parent base"],
                },
            },
        ],
        [
            "what the base's build only looks at after a build whose smoke test failed: that is promoted although nothing of it is built",
            {
                change: async () => {
                    const passing = readFileSync(at("docker/smoke/ci.sh"), "utf8");
                    stack.inImages('"org.example": "y"', '"org.example": "z"');
                    append("docker/smoke/ci.sh", "exit 1\n")();
                    expect((await up(stack.lab, at(""))).code).not.toBe(0);
                    stack.write({ "docker/smoke/ci.sh": passing });
                    append("docker/notes/base.txt", "after a failure\n")();
                },
                built: builds.base,
                moved: ["ci"],
                tested: ["ci-amd64-test"],
                why: {
                    ci: [
                        "smoke test docker/smoke/ci.sh changed",
                        "in any case: its smoke tests run, and its tag moves",
                        "parent base",
                    ],
                },
            },
        ],
        [
            ".dockerignore with effect, and a smoke test that another image has no longer",
            {
                change: () => {
                    stack.write({ ".dockerignore": "docs\n**/.env\n!app/bot/config\napp/bot/more.txt\n" });
                    stack.inImages('        smokeTest: "docker/smoke/ci.sh",\n', "");
                },
                built: builds.bot,
                moved: ["bot"],
                tested: [...testsOf.bot, ...testsOf.ci],
                why: { bot: ["app/bot/more.txt removed or ignored"], ci: ["smoke test docker/smoke/ci.sh removed"] },
            },
        ],
        [
            "an input that becomes a link, an image that is built on another one of ours, and a smoke test that this one gets",
            {
                change: () => {
                    renameSync(at("app/bot/more.txt"), at("app/bot/real.txt"));
                    symlinkSync("real.txt", at("app/bot/__link__.txt"));
                    const text = readFileSync(at(".devcontainer/Dockerfile"), "utf8");
                    stack.write({ ".devcontainer/Dockerfile": text.replace("fixture/base", "fixture/ci") });
                    stack.inImages(
                        'dockerfile: "docker/Dockerfile.ci",',
                        'dockerfile: "docker/Dockerfile.ci", smokeTest: "docker/smoke/ci.sh",',
                    );
                },
                built: [...builds.bot, ...builds.devcontainer],
                moved: ["bot"],
                tested: [...testsOf.bot, ...testsOf.ci],
                why: {
                    bot: ["app/bot/__link__.txt added", "app/bot/real.txt added"],
                    ci: ["smoke test docker/smoke/ci.sh added"],
                    devcontainer: [".devcontainer/Dockerfile changed", "parent ci added", "parent base removed"],
                },
            },
        ],
        [
            "what a build in the middle of the hierarchy only looks at",
            {
                change: append("docker/notes/ci.txt", "for its child\n"),
                built: builds.ci,
                moved: [],
                why: { ci: ["docker/notes/ci.txt changed"], devcontainer: ["parent ci"] },
            },
        ],
        [
            "a platform added",
            {
                change: inImages('platforms: ["linux/amd64"],', 'platforms: ["linux/amd64", "linux/arm64"],'),
                built: ["ci-arm64"],
                moved: ["ci"],
                tested: ["ci-arm64-test"],
                why: { ci: ["platform linux/arm64 added"] },
            },
        ],
    ]),
)("%s", async (_name, { change, ...expected }) => {
    await change();
    await stack.expectChange(expected);
});

/** Applies a change and reverts it: the digests are the same as before the change. */
async function thereAndBack(there: () => void, back: () => void, expected: Expected): Promise<void> {
    const before = stack.outputs();
    there();
    await stack.expectChange(expected);
    for (const image of expected.moved) expect(stack.outputs()[image]?.digest).not.toBe(before[image]?.digest);
    back();
    await stack.expectChange(expected);
    expect(stack.outputs()).toEqual(before);
}

const withArm64 = [...everything, "ci-arm64"];

/** Publishes another root image next to the lab's, with one additional file; returns `<repository>@<digest>`. */
async function anotherRoot(tag: string): Promise<string> {
    const { lab } = stack;
    const folder = path.join(lab.paths.state, tag);
    writeTree(folder, { Dockerfile: `FROM python:3.12-slim\nRUN echo ${tag} > /${tag}\n` });
    const build = ["build", "--provenance=false", "--platform", "linux/amd64,linux/arm64"];
    const output = `type=image,push=true,name=${lab.instance.registry}/library/python:${tag}`;
    expect(await runIn(lab, folder, "buildx", [...build, "--output", output, "."])).toMatchObject({ code: 0 });
    return `${lab.instance.registry}/library/python@${(await manifest(lab, "library/python", tag))?.digest ?? ""}`;
}
const rootsConfig = (roots: Readonly<Record<string, string>>) =>
    `  layered-images:roots:\n${Object.entries(roots)
        .map(([name, ref]) => `    "${name}": ${ref}\n`)
        .join("")}`;

test("a root that moves and a package rebuild everything, and taken back they bring the same digests back", async () => {
    const ref = await anotherRoot("moved");
    const moved = write({
        ...configWith(settings + rootsConfig({ "python:3.12-slim": ref })),
        "requirements/base.txt": "six==1.17.0\n",
    });
    const back = write({ ...configWith(settings), "requirements/base.txt": "six==1.16.0\n" });
    await thereAndBack(moved, back, { built: withArm64, moved: ["base", "ci", "bot"] });
});

test.thorough(
    "an unpinned root that gets pinned, to what it was, rebuilds what stands on it and moves no digest",
    async () => {
        const ref = await anotherRoot("extra");
        append("docker/Dockerfile.ci", "COPY --from=python:extra /extra /extra\n")();
        const ci = [...builds.ci, "ci-arm64"];
        await stack.expectChange({ built: [...ci, ...builds.devcontainer], moved: ["ci"] });
        settings += rootsConfig({ "python:extra": ref });
        write(configWith(settings))();
        const [, digest = ""] = ref.split("@sha256:");
        await stack.expectChange({
            built: ci,
            moved: [],
            why: { ci: [`root python:extra pinned (${digest.slice(0, 12)})`] },
        });
    },
);

test("a scheduled rebuild that downloads the same runs, and moves no digest, tag or child", async () => {
    settings += '  layered-images:rebuilds:\n    base: "2026-W48"\n';
    write(configWith(settings))();
    await stack.expectChange({
        built: builds.base,
        moved: [],
        why: { base: ["scheduled rebuild (weekly): 2026-W48"], bot: ["parent base"] },
    });
});

test("a secret that an image begins to name rebuilds it; another value of it rebuilds nothing", async () => {
    const secret = (value: string) => `  layered-images:buildSecrets:\n    INDEX: ${value}\n`;
    write(configWith(settings + secret("one")))();
    await stack.expectChange({ built: [], moved: [] });
    inImages(
        'name: "ghcr.io/fixture/bot:latest",',
        'name: "ghcr.io/fixture/bot:latest",\n        secrets: ["INDEX"],',
    )();
    await stack.expectChange({ built: builds.bot, moved: [], why: { bot: ["secret INDEX added"] } });
    settings += secret("two");
    write(configWith(settings))();
    await stack.expectChange({ built: [], moved: [] });
});

test.thorough(
    "another registry gets every image, with the digests that they had, and the first one keeps its own",
    async () => {
        const before = stack.outputs();
        const elsewhere = `${stack.lab.instance.registry}/elsewhere`;
        settings += `  layered-images:registry: ${elsewhere}\n`;
        write(configWith(settings))();
        const tested = [...builds.base, ...builds.bot, ...builds.ci, "ci-arm64"].map((name) => `${name}-test`);
        const why = { devcontainer: ["parent ci comes from elsewhere"] };
        await stack.expectChange({ built: withArm64, moved: [], tested, why });
        expect(stack.outputs().bot?.ref).toMatch(`${elsewhere}/fixture/bot`);
        expect((await manifest(stack.lab, "fixture/bot", "latest"))?.digest).toBe(before.bot?.digest);
    },
);

test("a stage that asks for the builder's platform gets the parent of that platform, whatever it is built for", async () => {
    stack.write({
        ".devcontainer/Dockerfile": fixture[".devcontainer/Dockerfile"] ?? "",
        "docker/Dockerfile.bot": `FROM --platform=$BUILDPLATFORM ghcr.io/fixture/base:latest AS native
RUN uname -m > /machine
FROM python:3.12-slim
COPY --from=native /machine /machine
COPY app/bot /app/bot
WORKDIR /app
USER 10001
`,
        "docker/smoke/bot.sh": '#!/bin/sh\nset -eu\ntest x86_64 = "$(cat /machine)"\n',
    });
    // The parent's smoke test would fail in this image. An image that is only a source of copied files runs its smoke
    // test itself, and the image that copies from it waits for that test.
    await stack.expectChange({ built: [...builds.bot, ...builds.devcontainer], moved: ["bot"] });
    const { "bot-arm64": bot } = await exportState(stack.lab, stack.at(""));
    const { named } = bot?.inputs.context as { named: Record<string, { location: string }> };
    const parent = stack.outputs().base?.platforms["linux/amd64"] ?? "none";
    expect(named["ghcr.io/fixture/base:latest"]?.location).toMatch(new RegExp(`@${parent}$`));
});

test.thorough(
    "an image that is renamed, added or removed in images.ts touches no other and deletes nothing in the registry",
    async () => {
        const { ci } = stack.outputs();
        const repository = "elsewhere/fixture/ci";
        inImages("    ci: {", "    checks: {")();
        await stack.expectChange({
            built: ["checks-amd64", "checks-arm64"],
            moved: ["checks"],
            removed: ["ci"],
            why: { checks: ["renamed from ci"] },
        });
        expect(stack.outputs().checks?.platforms).toEqual(ci?.platforms);
        rmSync(at("docker/Dockerfile.ci"));
        inImages(/ {4}checks: \{[^}]*\{[^}]*\}[^}]*\},\n/, "")();
        await stack.expectChange({ built: [], moved: [], removed: ["checks"] });
        for (const reference of ["latest", ...Object.values(ci?.platforms ?? {})]) {
            expect(await manifest(stack.lab, repository, reference)).toBeDefined();
        }
    },
);
