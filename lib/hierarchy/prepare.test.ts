import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { openCheckout } from "../context/checkout";
import { images } from "../../images";
import { tree } from "../../tests/tree";
import { stageContext } from "../context/stage";
import { packageRoot } from "../system/paths";
import type { ImageDefinition, ImageDefinitions } from "./definition";
import { pinFor, readHierarchy } from "./prepare";
import type { HierarchySettings } from "./settings";
import { unpinnedRoots, unusedPins } from "./warnings";

const settings: HierarchySettings = { platforms: "all", roots: {}, buildArgs: {} };
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
    changes: Partial<HierarchySettings> = {},
) => {
    const files = Object.entries(dockerfiles).map(([key, text]): [string, string] => [`docker/${key}`, text]);
    return readHierarchy(
        openCheckout(tree(Object.fromEntries(files))),
        { images: definitions },
        { ...settings, ...changes },
    ).images;
};

test.each<[string, boolean | undefined, boolean | undefined, boolean]>([
    ["by default", undefined, undefined, true],
    ["not where the image says so", false, undefined, false],
    ["not where the stack says so", undefined, false, false],
    ["not where the stack says so, whatever the image says", true, false, false],
    ["where both say so", true, true, true],
])("a registry cache is used %s", (_where, ofImage, ofStack, isUsed) => {
    const definition = image("a", ofImage === undefined ? {} : { registryCache: ofImage });
    const prepared = (registryCache: boolean | undefined) =>
        prepare({ a: "FROM scratch\n" }, { a: definition }, registryCache === undefined ? {} : { registryCache })[0];
    expect(prepared(ofStack)?.registryCache).toBe(isUsed);
    // A build without its cache is another one, so that previews of children know that its digest may change.
    expect(prepared(ofStack)?.inputHash === prepared(undefined)?.inputHash).toBe(
        prepared(ofStack)?.registryCache === prepared(undefined)?.registryCache,
    );
});

describe("this repository's images", () => {
    const prepared = readHierarchy(openCheckout(packageRoot), { images }, settings).images;
    const paths = (key: string) => prepared.find((found) => found.key === key)?.inputs.map((file) => file.path) ?? [];

    test("form the hierarchy of the README", () => {
        const parents = prepared.map(({ key, parents: [parent], roots: [root] }) => [
            key,
            parent?.key ?? root?.expanded,
        ]);
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
        const children = prepared.filter(({ key }) => key !== "base").map(({ dockerfile }) => firstRun(dockerfile));
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
        expect(base?.roots).toEqual([{ expanded: "python:3", pin: pinned, from: ["linux/amd64", "linux/arm64"] }]);
        const host = prepare(dockerfiles, definitions, { platforms: ["linux/arm64"] });
        expect(host[0]?.roots).toEqual([{ expanded: "python:3", pin: undefined, from: ["linux/arm64"] }]);
    });

    test("pin roots by the platform for which a build uses them", () => {
        const ref = (digit: string) => `registry.test/python@sha256:${digit.repeat(64)}`;
        const rootsByPlatform = { "linux/arm64": { "docker.io/library/python:3": ref("1") } };
        const texts = {
            ...dockerfiles,
            app: "FROM --platform=linux/amd64 python:3 AS a\nFROM ghcr.io/us/base\nCOPY --from=a /a /a\n",
            other: "FROM --platform=linux/arm64 python:3 AS a\nFROM python:3\nCOPY --from=a /a /a\n",
        };
        const images = { ...definitions, other: image("other") };
        const prepared = prepare(texts, images, { roots: { "python:3": ref("0") }, rootsByPlatform });
        const pins = prepared.map(({ key, roots: [root] }) => [
            key,
            ...(["linux/amd64", "linux/arm64"] as const).map((platform) => root && pinFor(root, platform)),
        ]);
        expect(pins).toEqual([
            ["base", ref("0"), ref("1")],
            ["app", ref("0"), ref("0")],
            ["other", ref("1"), ref("1")],
        ]);
    });

    test("choose the platforms, and leave out what declares none of them", () => {
        const amd = { ...definitions, app: image("app", { platforms: ["linux/amd64"] }) };
        const prepared = prepare(dockerfiles, amd, { platforms: ["linux/arm64"] });
        expect(prepared.map(({ key, platforms }) => [key, platforms])).toEqual([["base", ["linux/arm64"]]]);
    });

    test("that name a platform of no image are refused with those that there are", () => {
        for (const platforms of [["linux/amd46"], ["linux/amd64", "linux/amd46"]] as const) {
            expect(() => prepare(dockerfiles, definitions, { platforms })).toThrow(
                /platforms name linux\/amd46, which no image .*\n\s+allowed: linux\/amd64, linux\/arm64\n\s+next: pulumi config set platforms all/,
            );
        }
    });

    test("that give two images the same tag of one repository are refused", () => {
        const names = { base: image("base"), app: image("app", { name: "quay.io/us/base:latest" }) };
        expect(prepare({ ...dockerfiles, app: "FROM x\n" }, names)).toHaveLength(2);
        expect(() => prepare({ ...dockerfiles, app: "FROM x\n" }, names, { registry: "registry.test:5000" })).toThrow(
            /setting `registry` \(registry\.test:5000\): images base and app would both be published as registry\.test:5000\/us\/base:latest\n\s+next: change name/,
        );
    });

    test("that leave no image over are refused: the stack would lose them all", () => {
        const foreign = { base: image("base", { platforms: ["linux/riscv64"] }) };
        expect(() => prepare(dockerfiles, foreign, { platforms: "host" })).toThrow(
            /platforms \("host", here linux\/\w+\) exclude every image .*\n\s+allowed: linux\/riscv64/,
        );
        expect(prepare({}, {})).toEqual([]);
    });

    test("change the input hash of the image whose build argument they set, and of no other", () => {
        const reading = { ...dockerfiles, base: `${dockerfiles.base}ARG A\n` };
        const hashes = (changes: Partial<HierarchySettings>) =>
            Object.fromEntries(prepare(reading, definitions, changes).map(({ key, inputHash }) => [key, inputHash]));
        const [before, after] = [hashes({}), hashes({ buildArgs: { base: { A: "1" } } })];
        expect(after.base).not.toBe(before.base);
        expect(after.app).toBe(before.app);
    });

    test("change nothing by a build argument that no ARG takes, which is named", () => {
        const [before] = prepare(dockerfiles, definitions);
        const [after] = prepare(dockerfiles, definitions, { buildArgs: { base: { A: "1" } } });
        expect(after).toEqual({ ...before, unreadArguments: ["A"] });
    });

    test("that name an image which is not there are refused with the known ones", () => {
        expect(() => prepare(dockerfiles, definitions, { buildArgs: { bse: {} } })).toThrow(
            /setting `buildArgs`: there is no image "bse"\n {2}allowed: base, app/,
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
    const prepared = prepare(dockerfiles, definitions, { roots: { z: `z@${digest}` } });
    expect(unpinnedRoots(prepared)).toEqual([{ root: "x", images: ["a", "b"] }]);
});

test("a root of our own namespace is one where it is pinned, and the workflows know it without the pin", () => {
    const ref = `registry.test/x@sha256:${"0".repeat(64)}`;
    const files = { base: "FROM ghcr.io/us/shared:1\n" };
    const definitions = { base: image("base") };
    const roots = { "ghcr.io/us/shared:1": ref };
    expect(() => prepare(files, definitions)).toThrow(
        "ghcr.io/us/shared:1 is in the namespace of this repository's images",
    );
    expect(prepare(files, definitions, { roots })[0]?.roots).toMatchObject([
        { expanded: "ghcr.io/us/shared:1", pin: ref },
    ]);
    expect(prepare(files, definitions, { platforms: "declared" })[0]?.roots).toHaveLength(1);
    const root = tree({ "docker/base": files.base });
    expect(
        unusedPins(
            readHierarchy(openCheckout(root), { images: definitions }, { ...settings, roots }),
            Object.keys(roots),
        ),
    ).toEqual([]);
});

test("a pin that no Dockerfile names is told with the roots that they name, one that is named in any spelling is not", () => {
    const root = tree({ "docker/base": "FROM python:3\n", "docker/app": "FROM ghcr.io/us/base\n" });
    const pins = ["docker.io/library/python:3", "pyhton:3"];
    expect(
        unusedPins(
            readHierarchy(openCheckout(root), { images: { base: image("base"), app: image("app") } }, settings),
            pins,
        ),
    ).toEqual([
        `roots pins pyhton:3, which no Dockerfile names; they name python:3. Remove it: pulumi config rm --path 'roots["pyhton:3"]'`,
    ]);
});

test("an image runs the smoke tests of those that it is built FROM first, each once, and none of what it copies from", () => {
    const definitions = {
        base: image("base", { smokeTest: "docker/base.sh" }),
        tools: image("tools", { smokeTest: "docker/tools.sh" }),
        middle: image("middle"),
        leaf: image("leaf", { smokeTest: "docker/leaf.sh" }),
    };
    const prepared = prepare(
        {
            ...{ "base.sh": "", "tools.sh": "", "leaf.sh": "" },
            base: "FROM x\n",
            tools: "FROM ghcr.io/us/base\n",
            middle: "FROM ghcr.io/us/base\n",
            leaf: "FROM ghcr.io/us/tools AS t\nFROM ghcr.io/us/middle AS m\nFROM m\nCOPY --from=t / /\n",
        },
        definitions,
    );
    const scripts = (key: string) => prepared.find((one) => one.key === key)?.tests?.scripts;
    expect(scripts("leaf")).toEqual(["docker/base.sh", "docker/leaf.sh"]);
    expect(scripts("tools")).toEqual(["docker/base.sh", "docker/tools.sh"]);
    expect(scripts("middle")).toEqual(["docker/base.sh"]);
});

test("what copies from an image of ours has no smoke test where it has none itself, and waits for that image", () => {
    const definitions = { base: image("base", { smokeTest: "docker/base.sh" }), app: image("app") };
    const files = { "base.sh": "" };
    const app = "FROM scratch\nCOPY --from=ghcr.io/us/base /x /x\n";
    const [, found] = prepare({ ...files, base: "FROM x\n", app }, definitions);
    expect(found?.tests).toBeUndefined();
    expect(found?.parents).toMatchObject([{ key: "base", base: false }]);
});

describe("a stage that is named like an image which the build gets by digest is refused, with file and line", () => {
    const ref = `registry.test/x@sha256:${"0".repeat(64)}`;
    const text = (from: string, name: string) =>
        `FROM ${from} AS ${name}\nRUN true\nFROM debian:12\nCOPY --from=${name} / /\n`;

    test.each([
        ["python", "python", "python"],
        ["python:latest", "docker.io/library/python", "Python"],
        ["alpine:3", "python", "python"],
    ])("FROM %s, pinned as %s, AS %s", (from, pin, name) => {
        const dockerfiles = { base: `${text(from, name)}COPY --from=python:latest / /\n` };
        const roots = { [pin]: ref, "alpine:3": ref };
        expect(() => prepare(dockerfiles, { base: image("base") }, { roots })).toThrow(
            /docker\/base:1: stage python has the name of python(:latest)?, .*\n\s+next: rename the stage/,
        );
    });

    test("a parent's name", () => {
        const definitions = { base: image("base", { name: "base" }), app: image("app") };
        expect(() => prepare({ base: "FROM x\n", app: text("base", "base") }, definitions)).toThrow(
            "docker/app:1: stage base has the name of base",
        );
    });

    test("not where the pin has a tag, nothing is pinned, or nobody needs the stage", () => {
        const definitions = { base: image("base") };
        const pinned = { roots: { "python:3": ref, python: ref } };
        expect(prepare({ base: text("python:3", "python") }, definitions, pinned)).toHaveLength(1);
        expect(prepare({ base: text("python", "python") }, definitions)).toHaveLength(1);
        const unneeded = "FROM python\nRUN true\nFROM debian AS python\n";
        const target = { base: image("base", { target: "app" }) };
        expect(prepare({ base: unneeded.replace("python\n", "python AS app\n") }, target, pinned)).toHaveLength(1);
    });
});

test("a secret that a step requires and images.ts does not list is refused, with file and line", () => {
    const files = { base: "FROM x\nRUN --mount=type=secret,id=INDEX,required=true true\n" };
    expect(() => prepare(files, { base: image("base") })).toThrow(
        /docker\/base:2: this step requires the secret INDEX, which image base does not list\n.*\n\s+next: add secrets: \["INDEX"\]/,
    );
    const listed = { base: image("base", { secrets: ["INDEX"] }) };
    expect(prepare(files, listed, { secretNames: ["INDEX"] })).toHaveLength(1);
});

test("a smoke test that is missing is named with the image", () => {
    const definitions = { base: image("base", { smokeTest: "gone.sh" }) };
    expect(() => prepare({ base: "FROM x\n" }, definitions)).toThrow("gone.sh: a smoke test of image base is missing");
});

test("a smoke test that .dockerignore leaves out of the images is run all the same", () => {
    const files = {
        "docker/base": "FROM x\n",
        "docker/base.sh": "",
        ".dockerignore": "docker",
    };
    const [base] = readHierarchy(
        openCheckout(tree(files)),
        { images: { base: image("base", { smokeTest: "docker/base.sh" }) } },
        settings,
    ).images;
    expect(base?.tests?.files.map((file) => file.path)).toEqual(["docker/base.sh"]);
});

test("a smoke test that could not be run is refused before anything is built", () => {
    const run = (smokeTest: string) => {
        const root = tree({ "docker/base": "FROM x\n", [smokeTest]: "" });
        return readHierarchy(openCheckout(root), { images: { base: image("base", { smokeTest }) } }, settings).images;
    };
    expect(() => run("smoke/base")).toThrow(
        /smoke\/base: smoke test of image base is not executable\s+next: chmod \+x/,
    );
    expect(() => run("smoke/the base.sh")).toThrow(/smokeTest "smoke\/the base.sh" of image base .*not a plain path/);
    expect(run("smoke/base.sh")).toHaveLength(1);
});

describe("ONBUILD", () => {
    const files = {
        "docker/base": "FROM scratch AS plain\nONBUILD COPY never /d\nFROM python:3\nONBUILD COPY app /app",
        "docker/middle":
            "FROM ghcr.io/us/base\nCOPY middle /d\nONBUILD COPY --from=ghcr.io/us/tools / /t\nONBUILD COPY leaf /d",
        "docker/tools": "FROM busybox:1\nONBUILD COPY never /d",
        "docker/leaf": "FROM scratch AS s\nFROM ghcr.io/us/middle:latest\nCOPY own /d",
        "app/a.py": "",
        middle: "",
        leaf: "",
        own: "",
    };
    const images = { base: image("base"), middle: image("middle"), tools: image("tools"), leaf: image("leaf") };
    const preparedOf = (
        changes: Readonly<Record<string, string>>,
        roots = {},
        definitions: ImageDefinitions = images,
    ) => readHierarchy(openCheckout(tree({ ...files, ...changes })), { images: definitions, roots }, settings).images;
    const inputsOf = (prepared: ReturnType<typeof preparedOf>) =>
        Object.fromEntries(prepared.map(({ key, inputs }) => [key, inputs.map((input) => input.path)]));

    test("of a parent is read as a part of its children, and not of theirs", () => {
        expect(inputsOf(preparedOf({}))).toEqual({
            base: [],
            middle: ["app/a.py", "middle"],
            tools: [],
            leaf: ["leaf", "own"],
        });
    });

    test("may name an image of ours, which is a parent then", () => {
        const leaf = preparedOf({}).at(-1);
        expect(leaf?.key).toBe("leaf");
        expect(leaf?.parents.map(({ key, base }) => [key, base])).toEqual([
            ["middle", true],
            ["tools", false],
        ]);
    });

    test("is that of the parent's target", () => {
        const target = { ...images, base: image("base", { target: "plain" }) };
        expect(() => preparedOf({}, {}, target)).toThrow(
            /docker\/middle:1 \(ONBUILD in docker\/base:2\): COPY reads "never", which matches no file/,
        );
    });

    test("that leads in a circle is one error", () => {
        const base = "FROM python:3\nONBUILD COPY --from=ghcr.io/us/leaf / /";
        expect(() => preparedOf({ "docker/base": base })).toThrow("the images form a cycle: middle → leaf → middle");
        const middle = "FROM ghcr.io/us/base\nONBUILD COPY --from=ghcr.io/us/leaf / /";
        expect(() => preparedOf({ "docker/middle": middle })).toThrow(
            "docker/leaf:2 (ONBUILD in docker/middle:2): image leaf is its own parent",
        );
    });

    test("of a root that images.ts declares is read the same, in any spelling", () => {
        const roots = { "docker.io/library/python:3": { onBuild: ["COPY own /r"] } };
        expect(inputsOf(preparedOf({}, roots)).base).toEqual(["own"]);
        expect(() => preparedOf({}, { "python:3": { onBuild: ["COPY none /r"] } })).toThrow(
            /docker\/base:3 \(ONBUILD in images\.ts: root python:3\): COPY reads "none", which matches no file/,
        );
    });

    test("of a root that no Dockerfile names is told", () => {
        const roots = { "python:4": { onBuild: [] }, "python:3": { onBuild: [] } };
        expect(unusedPins(readHierarchy(openCheckout(tree(files)), { images, roots }, settings), [])).toEqual([
            "roots in images.ts has python:4, which no Dockerfile names; they name python:3, busybox:1. Remove it there",
        ]);
    });
});

describe("the environment of a parent", () => {
    const images = { base: image("base"), middle: image("middle"), leaf: image("leaf") };
    const sourcesOf = (base: string, leaf: string, middle = "FROM ghcr.io/us/base\n") => {
        const files = { ...{ "docker/a": "", "docker/b": "", "docker/amd64": "", "docker/arm64": "" } };
        const own = { "docker/base": base, "docker/middle": middle, "docker/leaf": `FROM ghcr.io/us/middle\n${leaf}` };
        const prepared = readHierarchy(openCheckout(tree({ ...files, ...own })), { images }, settings).images;
        return prepared.find(({ key }) => key === "leaf")?.inputs.map((input) => input.path);
    };

    test.each<[string, string, string, string[]]>([
        ["is known to its children, and to theirs", "FROM x\nENV D=docker/a\n", "COPY $D /", ["docker/a"]],
        ["wins over a default", "FROM x\nENV D=docker/a\n", "COPY ${D:-docker/b} /", ["docker/a"]],
        [
            "wins over a default of ARG only where the ARG has none",
            "FROM x\nENV D=docker/a\n",
            "ARG D=docker/b\nCOPY $D /",
            ["docker/b"],
        ],
        [
            "is known for each platform",
            "FROM x\nARG TARGETARCH\nENV D=docker/$TARGETARCH\n",
            "COPY $D /",
            ["docker/amd64", "docker/arm64"],
        ],
        [
            "is all that there is where no external image is below",
            "FROM scratch\nENV D=docker/a\n",
            "COPY $D$E /",
            ["docker/a"],
        ],
        ["holds no ARG", "FROM scratch\nARG D=docker/b\n", "COPY ${D:-docker/a} /", ["docker/a"]],
    ])("%s", (_name, base, leaf, expected) => {
        expect(sourcesOf(base, leaf)).toEqual(expected);
    });

    test("is not known where it comes from an external image", () => {
        expect(() => sourcesOf("FROM x\nENV D=$P\n", "COPY $D /")).toThrow(/docker\/leaf:2: \$D uses D/);
        expect(() => sourcesOf("FROM x\n", "COPY $P /")).toThrow(/docker\/leaf:2: \$P uses P/);
    });

    test("does not come through a stage that is only copied from", () => {
        const copied = "FROM ghcr.io/us/base AS b\nFROM scratch\nCOPY --from=b / /\nENV X=1\n";
        expect(sourcesOf("FROM x\nENV D=docker/a\n", "COPY ${D:-docker/b} /", copied)).toEqual(["docker/b"]);
    });
});

test("bytes of a here-document that are no UTF-8 stay what they are, in the hash and in what is built", () => {
    const of = (byte: number) => {
        const root = tree({ "docker/base": "" });
        const text = Buffer.concat([
            Buffer.from("FROM a\nCOPY <<'EOF' /x\n"),
            Buffer.from([byte]),
            Buffer.from("\nEOF\n"),
        ]);
        writeFileSync(path.join(root, "docker/base"), text);
        const [base] = readHierarchy(openCheckout(root), { images: { base: image("base") } }, settings).images;
        if (!base) throw new Error("nothing is prepared");
        const request = { root, stageRoot: ".stage", image: "base", inputHash: base.inputHash, files: [] };
        const { dockerfile } = stageContext({ ...request, dockerfile: base.meaning });
        const file = path.join(root, dockerfile);
        const before = statSync(file).ino;
        stageContext({ ...request, dockerfile: base.meaning });
        expect(statSync(file).ino).toBe(before);
        expect(readFileSync(file)).toEqual(text);
        return base.inputHash;
    };
    expect(of(0xe9)).not.toBe(of(0xe8));
});

test("a chain of a thousand images is read, children first, without deep recursion or comparing each image with each", () => {
    const names = Array.from({ length: 1000 }, (_one, index) => `image-${index}`);
    const from = (index: number) => (index + 1 < names.length ? `ghcr.io/us/${names[index + 1] ?? ""}` : "scratch");
    const prepared = prepare(
        Object.fromEntries(names.map((name, index) => [name, `FROM ${from(index)}\nENV V${index}=1\n`])),
        Object.fromEntries(names.map((name) => [name, image(name, { platforms: ["linux/amd64"] })])),
    );
    expect(prepared.map(({ key }) => key)).toEqual([...names].reverse());
    expect(prepared.flatMap(({ parents }) => parents.map(({ key }) => key))).toEqual([...names].reverse().slice(0, -1));
});
