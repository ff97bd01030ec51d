import { describe, expect, test } from "vitest";
import { images } from "../images";
import { repositoryRoot } from "../lab/paths";
import { tree } from "../tests/tree";
import type { ImageDefinition, ImageDefinitions } from "./images";
import { prepareLayers } from "./layers";
import { unpinnedRoots, unusedPins } from "./roots";
import type { LayerSettings } from "./settings";

const settings: LayerSettings = { platforms: "all", roots: {}, buildArgs: {} };
const image = (name: string, changes: Partial<ImageDefinition> = {}): ImageDefinition => ({
    description: name,
    name: `ghcr.io/us/${name}:latest`,
    dockerfile: `docker/${name}`,
    platforms: ["linux/amd64", "linux/arm64"],
    ...changes,
});
const prepare = (
    dockerfiles: Readonly<Record<string, string>>,
    definitions: ImageDefinitions,
    changes: Partial<LayerSettings> = {},
) => {
    const files = Object.entries(dockerfiles).map(([key, text]): [string, string] => [`docker/${key}`, text]);
    return prepareLayers(tree(Object.fromEntries(files)), definitions, { ...settings, ...changes });
};

describe("this repository's images", () => {
    const layers = prepareLayers(repositoryRoot, images, settings);
    const paths = (key: string) => layers.find((layer) => layer.key === key)?.inputs.map((file) => file.path) ?? [];

    test("form the hierarchy of the README", () => {
        const parents = layers.map(({ key, parents: [parent], roots: [root] }) => [key, parent?.by ?? root?.expanded]);
        expect(Object.fromEntries(parents)).toEqual({
            base: "python:3.12-slim",
            ci: "base",
            bot: "base",
            devcontainer: "base",
        });
    });

    test("read the requirements they install, and of the app only what the bot runs", () => {
        expect(paths("base")).toEqual(["requirements/requirements-torch.txt", "requirements/requirements-uv.txt"]);
        expect(paths("ci")).toEqual(["requirements/requirements-dev.txt", "requirements/requirements.txt"]);
        expect(paths("devcontainer")).toEqual([
            "docker/smoke/devcontainer.sh",
            "requirements/requirements-dev.txt",
            "requirements/requirements.txt",
        ]);
        expect(paths("bot")).toContain("app/bot/__main__.py");
        expect(paths("bot").filter((file) => !file.startsWith("app/bot/"))).toEqual(["requirements/requirements.txt"]);
        expect(paths("bot").filter((file) => file.includes("__pycache__"))).toEqual([]);
    });

    test("install requirements.txt by the same instructions, so that the layer is shared", () => {
        const firstRun = (text: string) => /^RUN (?:.*\\\n)*.*$/m.exec(text)?.[0];
        const children = layers.filter(({ key }) => key !== "base").map(({ dockerfile }) => firstRun(dockerfile));
        expect(children[0]).toContain("requirements.txt");
        expect(new Set(children).size).toBe(1);
    });
});

describe("settings", () => {
    const definitions = { base: image("base"), app: image("app") };
    const dockerfiles = { base: "FROM python:3\n", app: "FROM ghcr.io/us/base\n" };

    test("pin roots in any spelling of their names", () => {
        const pinned = `registry.test/python@sha256:${"0".repeat(64)}`;
        const [base] = prepare(dockerfiles, definitions, { roots: { "docker.io/library/python:3": pinned } });
        expect(base?.roots).toEqual([{ expanded: "python:3", by: pinned }]);
    });

    test("choose the platforms, and leave out what declares none of them", () => {
        const amd = { ...definitions, app: image("app", { platforms: ["linux/amd64"] }) };
        const layers = prepare(dockerfiles, amd, { platforms: ["linux/arm64"] });
        expect(layers.map(({ key, platforms }) => [key, platforms])).toEqual([["base", ["linux/arm64"]]]);
    });

    test("that name a platform of no image are refused with those that there are", () => {
        for (const platforms of [["linux/amd46"], ["linux/amd64", "linux/amd46"]] as const) {
            expect(() => prepare(dockerfiles, definitions, { platforms })).toThrow(
                /platforms name linux\/amd46, which no image .*\n\s+allowed: linux\/amd64, linux\/arm64\n\s+next: pulumi config set platforms all/,
            );
        }
    });

    test("that push two images to one repository are refused", () => {
        const names = { base: image("base"), app: image("app", { name: "quay.io/us/base:latest" }) };
        expect(prepare({ ...dockerfiles, app: "FROM x\n" }, names)).toHaveLength(2);
        expect(() => prepare({ ...dockerfiles, app: "FROM x\n" }, names, { registry: "registry.test:5000" })).toThrow(
            /images base and app would both be pushed to registry\.test:5000\/us\/base.*\n\s+next: change one/,
        );
    });

    test("that leave no image over are refused: the stack would lose them all", () => {
        const foreign = { base: image("base", { platforms: ["linux/riscv64"] }) };
        expect(() => prepare(dockerfiles, foreign, { platforms: "host" })).toThrow(
            /platforms \("host", here linux\/\w+\) leave out every image .*\n\s+allowed: linux\/riscv64/,
        );
        expect(prepare({}, {})).toEqual([]);
    });

    test("change the input hash of the image whose build argument they set, and of no other", () => {
        const hashes = (changes: Partial<LayerSettings>) =>
            Object.fromEntries(
                prepare(dockerfiles, definitions, changes).map(({ key, inputHash }) => [key, inputHash]),
            );
        const [before, after] = [hashes({}), hashes({ buildArgs: { base: { A: "1" } } })];
        expect(after.base).not.toBe(before.base);
        expect(after.app).toBe(before.app);
    });

    test("that name an image which is not there are refused with the known ones", () => {
        expect(() => prepare(dockerfiles, definitions, { buildArgs: { bse: {} } })).toThrow(
            /buildArgs names image "bse"[\s\S]*allowed: base, app/,
        );
    });
});

test("a missing Dockerfile is named with the image", () => {
    expect(() => prepare({}, { base: image("base") })).toThrow("docker/base: the Dockerfile of image base is missing");
});

test("a Dockerfile that is a folder is named with the image", () => {
    expect(() => prepare({ "base/x": "" }, { base: image("base") })).toThrow(
        "docker/base: the Dockerfile of image base is not a file",
    );
});

test("roots that nobody pinned are listed with the images on them, pinned ones are not", () => {
    const digest = `sha256:${"0".repeat(64)}`;
    const definitions = { a: image("a"), b: image("b"), c: image("c"), d: image("d") };
    const dockerfiles = { a: "FROM x\n", b: "FROM x\n", c: `FROM y@${digest}\n`, d: "FROM z\n" };
    const layers = prepare(dockerfiles, definitions, { roots: { z: `z@${digest}` } });
    expect(unpinnedRoots(layers)).toEqual([{ root: "x", images: ["a", "b"] }]);
});

test("a pin that no Dockerfile names is told with the roots that they name, one that is named in any spelling is not", () => {
    const root = tree({ "docker/base": "FROM python:3\n", "docker/app": "FROM ghcr.io/us/base\n" });
    const pins = ["docker.io/library/python:3", "pyhton:3"];
    expect(unusedPins(root, { base: image("base"), app: image("app") }, { ...settings, pins })).toEqual([
        `roots pins pyhton:3, which no Dockerfile names; they name python:3. Remove it: pulumi config rm --path 'roots["pyhton:3"]'`,
    ]);
});

test("an image runs its ancestors' smoke tests first, each once", () => {
    const definitions = {
        base: image("base", { smokeTest: "docker/base.sh" }),
        tools: image("tools", { smokeTest: "docker/tools.sh" }),
        middle: image("middle"),
        leaf: image("leaf", { smokeTest: "docker/leaf.sh" }),
    };
    const layers = prepare(
        {
            ...{ "smoke.Dockerfile": "", "base.sh": "", "tools.sh": "", "leaf.sh": "" },
            base: "FROM x\n",
            tools: "FROM ghcr.io/us/base\n",
            middle: "FROM ghcr.io/us/base\n",
            leaf: "FROM ghcr.io/us/middle\nCOPY --from=ghcr.io/us/tools / /\n",
        },
        definitions,
    );
    const scripts = (key: string) => layers.find((one) => one.key === key)?.tests?.scripts;
    expect(scripts("leaf")).toEqual(["docker/base.sh", "docker/tools.sh", "docker/leaf.sh"]);
    expect(scripts("middle")).toEqual(["docker/base.sh"]);
});

test("a smoke test that is missing is named with the image", () => {
    const definitions = { base: image("base", { smokeTest: "gone.sh" }) };
    expect(() => prepare({ base: "FROM x\n" }, definitions)).toThrow("gone.sh: a smoke test of image base is missing");
});

test("a smoke test that .dockerignore leaves out of the images is run all the same", () => {
    const files = {
        "docker/base": "FROM x\n",
        "docker/smoke.Dockerfile": "",
        "docker/base.sh": "",
        ".dockerignore": "docker",
    };
    const [base] = prepareLayers(tree(files), { base: image("base", { smokeTest: "docker/base.sh" }) }, settings);
    expect(base?.tests?.files.map((file) => file.path)).toEqual(["docker/base.sh"]);
});

test("a smoke test that could not be run is refused before anything is built", () => {
    const run = (smokeTest: string) => {
        const root = tree({ "docker/base": "FROM x\n", "docker/smoke.Dockerfile": "", [smokeTest]: "" });
        return prepareLayers(root, { base: image("base", { smokeTest }) }, settings);
    };
    expect(() => run("smoke/base")).toThrow(
        /smoke\/base: smoke test of image base is not executable\s+next: chmod \+x/,
    );
    expect(() => run("smoke/the base.sh")).toThrow(/smokeTest "smoke\/the base.sh" of image base .*not a plain path/);
    expect(run("smoke/base.sh")).toHaveLength(1);
});
