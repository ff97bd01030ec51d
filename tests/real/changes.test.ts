import { fail } from "node:assert/strict";
import { cpSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { rebuild } from "../../cli/canary";
import { images } from "../../images";
import { buildName, publishedBuilds } from "../../lib/engine/state";
import { platformsOf } from "../../lib/hierarchy/definition";
import { archOf, hostPlatform } from "../../lib/platform";
import { packageRoot } from "../../lib/system/paths";
import { type ChangingStack, type Expected, changingStack } from "../changes";
import { makeRepository, startTestLab } from "../lab";
import { expect, test } from "../mocha";

/*
 * The table of changes on this repository's hierarchy, including PyTorch, for this machine's platform: `up` builds
 * exactly the images that need a build, and the review announces them. Each row starts from the state that the previous
 * row left. Before the first row, the published images are built again without cache: these images, too, are
 * bit-for-bit reproducible on any day.
 */

/** Files of this repository that are not part of the program. */
const own = [
    "images.ts",
    "workflows.ts",
    "docker",
    "requirements",
    "app",
    ".devcontainer",
    ".dockerignore",
    "Pulumi.local.yaml",
];

let stack: ChangingStack;
before(async () => {
    const lab = await startTestLab("host");
    const program = makeRepository(path.join(lab.paths.state, "repository"), {});
    for (const name of own) cpSync(path.join(packageRoot, name), path.join(program, name), { recursive: true });
    stack = await changingStack(lab, program);
});
after(async () => {
    await stack.close();
});

const arch = archOf(hostPlatform());
/** Returns the given images that this machine builds. */
const here = (...keys: string[]): string[] =>
    keys.filter((key) => platformsOf(images[key] ?? fail(`no image ${key}`), "host").length > 0);
const builds = (...keys: string[]): string[] => here(...keys).map((key) => `${key}-${arch}`);

interface Row extends Expected {
    readonly file: string;
    readonly more: string;
}

test("the first update publishes every image that this machine's platform has", () => {
    expect(Object.keys(stack.outputs()).sort()).toEqual(here("base", "bot", "ci", "devcontainer"));
    const published = Object.entries(stack.outputs()).filter(([, { ref }]) => ref !== null);
    expect(published.map(([key]) => key).sort()).toEqual(here("base", "bot", "ci"));
});

test("every published build comes back with the same digest, without cache", async () => {
    const options = { env: stack.lab.env, cwd: stack.at("") };
    const published = await publishedBuilds(options);
    expect(published.map(buildName).sort()).toEqual(builds("base", "bot", "ci"));
    for (const one of published) {
        const { name, published: digest, rebuilt, difference } = await rebuild(one, options);
        expect(rebuilt, `${name}: ${difference ?? ""}`).toBe(digest);
    }
});

test.each<[string, Row]>([
    [
        "a comment in the base's Dockerfile builds nothing",
        { file: "docker/Dockerfile.base", more: "# A comment.\n", built: [], moved: [] },
    ],
    [
        "a comment in what the base installs builds the base, whose digest stays, and nothing on top of it",
        {
            file: "requirements/requirements-uv.txt",
            more: "# A comment.\n",
            built: builds("base"),
            moved: [],
            why: { base: ["requirements/requirements-uv.txt changed"], bot: ["parent base"] },
        },
    ],
    [
        "a package more beside PyTorch builds everything",
        {
            file: "requirements/requirements-torch.txt",
            more: "six==1.17.0\n",
            built: builds("base", "ci", "bot", "devcontainer"),
            moved: here("base", "ci", "bot"),
            why: { base: ["requirements/requirements-torch.txt changed"], bot: ["parent base"] },
        },
    ],
    [
        "a package more that the bot needs builds what installs it",
        {
            file: "requirements/requirements.txt",
            more:
                "toolz==1.0.0 \\\n" +
                "    --hash=sha256:292c8f1c4e7516bf9086f8850935c799a874039c8bcf959d47b600e4c44a6236\n",
            built: builds("ci", "bot", "devcontainer"),
            moved: here("ci", "bot"),
            why: { bot: ["requirements/requirements.txt changed"] },
        },
    ],
    [
        "a package more for development builds what people and tests work in",
        {
            file: "requirements/requirements-dev.txt",
            more:
                "sortedcontainers==2.4.0 \\\n" +
                "    --hash=sha256:a163dcaede0f1c021485e957a39245190e74249897e2ae4b2aa38595db237ee0\n",
            built: builds("ci", "devcontainer"),
            moved: here("ci"),
            why: { devcontainer: ["requirements/requirements-dev.txt changed"] },
        },
    ],
    [
        "the app's code builds the bot",
        {
            file: "app/bot/__main__.py",
            more: "# A comment.\n",
            built: builds("bot"),
            moved: here("bot"),
            why: { bot: ["app/bot/__main__.py changed"] },
        },
    ],
    ["a test of the app builds nothing", { file: "app/tests/test_main.py", more: "# More.\n", built: [], moved: [] }],
])("%s", async (_name, { file, more, ...expected }) => {
    stack.append(file, more);
    await stack.expectChange(expected);
});
