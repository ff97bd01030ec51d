import * as pulumi from "@pulumi/pulumi";
import { describe } from "mocha";
import { type StagedImage, stageHierarchy } from "../lib/hierarchy/staging";
import { openCheckout } from "../lib/context/checkout";
import type { ImageDefinition, ImageDefinitions } from "../lib/hierarchy/definition";
import { readHierarchy } from "../lib/hierarchy/prepare";
import { imageUnderTest } from "../lib/hierarchy/smokeTests";
import type { HierarchySettings } from "../lib/hierarchy/settings";
import { archOf, hostPlatform } from "../lib/platform";
import { type Recorded, digestOf, record } from "../tests/harness";
import type { Texts } from "../lib/engine/resources";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { ImageHierarchy } from "./imageHierarchy";
import { type FormerState, formerState } from "./formerState";
import { builderHook } from "./hooks";
import { digestRef } from "./platformImage";
import type { StackBuilder } from "./stackBuilder";

const both = ["linux/amd64", "linux/arm64"] as const;
const image = (name: string, changes: Partial<ImageDefinition> = {}): ImageDefinition => ({
    description: name,
    name: `ghcr.io/us/${name}:latest`,
    dockerfile: `docker/${name}`,
    platforms: both,
    smokeTest: `smoke/${name}.sh`,
    ...changes,
});
const definitions: ImageDefinitions = {
    base: image("base"),
    app: image("app"),
    tools: { description: "never pushed", dockerfile: "docker/tools", platforms: "host" },
};
const files = {
    "docker/base": "FROM python:3\nARG A B\nCOPY requirements.txt /\n",
    "docker/app": "FROM ghcr.io/us/base:latest\nCOPY app /app\n",
    "docker/tools": "FROM ghcr.io/us/base:latest\n",
    "docker/other": "FROM python:3\n",
    "docker/own": "# syntax=docker/dockerfile:1 x\nFROM python:3\n",
    "docker/cross": "FROM --platform=linux/amd64 ghcr.io/us/base:latest AS b\nFROM scratch\nCOPY --from=b / /\n",
    "smoke/base.sh": "#!/bin/sh\n",
    "smoke/app.sh": "#!/bin/sh\n",
    "smoke/other.sh": "#!/bin/sh\n",
    "smoke/cross.sh": "#!/bin/sh\n",
    "requirements.txt": "x\n",
    "app/main.py": "main\n",
};
const root = `registry.test/library/python@sha256:${"1".repeat(64)}`;
const settings: HierarchySettings = {
    registry: "registry.test",
    platforms: "all",
    roots: { "python:3": root },
    buildArgs: {},
};

/** Settings of a stack that pushes to the registries in the images' names. */
const byName: HierarchySettings = { platforms: "all", roots: { "python:3": root }, buildArgs: {} };

/** A builder with these instances, for amd64 and arm64. */
const stackBuilder = ([amd64 = "", arm64 = ""]: readonly string[]): StackBuilder => ({
    instances: new Map([
        ["linux/amd64", amd64],
        ["linux/arm64", arm64],
    ]),
    ready: builderHook(() => Promise.resolve()),
});

async function run(
    changes: {
        images?: ImageDefinitions;
        settings?: Partial<HierarchySettings>;
        stack?: HierarchySettings;
        uncached?: readonly string[];
        former?: (staged: Readonly<Record<string, StagedImage>>) => FormerState;
        builder?: readonly string[];
        /** More files of the repository. */
        files?: Texts;
        /** Resources that the update leaves as they are. */
        left?: Readonly<Record<string, Recorded>>;
        /** Gets what the hierarchy says of its builds, by image and platform. */
        builds?: (all: Readonly<Record<string, unknown>>) => void;
    } = {},
    preview = false,
) {
    const checkout = openCheckout(tree({ ...files, ...changes.files }));
    const hierarchy = readHierarchy(
        checkout,
        { images: changes.images ?? definitions },
        {
            ...(changes.stack ?? settings),
            secretNames: ["INDEX", "OTHER"],
            ...changes.settings,
        },
    );
    const staged = stageHierarchy(checkout, hierarchy, ".stage");
    // A digest from before, so that the state has what no build of this checkout made.
    const left = Object.fromEntries(
        Object.entries(changes.left ?? {}).map(([name, { inputs }]) => [
            name,
            { ...inputs, digest: digestOf("before") },
        ]),
    );
    return await record(
        () => {
            const secrets = { INDEX: pulumi.secret("hunter2"), OTHER: pulumi.secret("other") };
            const { uncached = [] } = changes;
            const former = changes.former?.(staged);
            const images = new ImageHierarchy("images", {
                images: hierarchy.images,
                staged,
                secrets,
                uncached,
                limits: () => 7,
                ...(former && { former }),
                ...(changes.builder && { builder: stackBuilder(changes.builder) }),
            });
            if (changes.builds) pulumi.output(images.builds()).apply(changes.builds);
        },
        preview,
        left,
    );
}
const location = (ref: string) => ({ location: `docker-image://${ref}` });

describe("what a stack says of its builds", () => {
    const images = { base: image("base", { platforms: ["linux/amd64"] }) };
    const said = async (changes: NonNullable<Parameters<typeof run>[0]> = {}) => {
        let builds: unknown;
        const resources = await run({ images, ...changes, builds: (all) => (builds = all) });
        const of = (builds as { base: Record<string, { ref: string; tag: string; tests?: string }> }).base;
        return { resources, build: of["linux/amd64"] };
    };
    const changed = { files: { "requirements.txt": "y\n" } };
    const ref = (digest: string) => `registry.test/us/base@${digest}`;

    test("is the tag that was pushed, also where an update left a build as it was", async () => {
        const { resources, build: before } = await said();
        expect(before).toMatchObject({
            ref: ref(digestOf("base-amd64")),
            tests: expect.stringMatching(/^[0-9a-f]{12}$/),
        });
        const { build: after } = await said(changed);
        expect(after?.tag).not.toBe(before?.tag);
        const { "base-amd64": old } = resources;
        const untested = { base: image("base", { platforms: ["linux/amd64"] }) };
        Reflect.deleteProperty(untested.base, "smokeTest");
        const { build: left } = await said({ ...changed, images: untested, left: old ? { "base-amd64": old } : {} });
        expect(left).toEqual({ ref: ref(digestOf("before")), tag: before?.tag });
    });

    test.each<[string, Texts, string]>([
        ["that these scripts have not tested", { "smoke/base.sh": "#!/bin/sh\nfalse\n" }, digestOf("base-amd64")],
        ["whose test was of another digest", {}, digestOf("before")],
    ])("has no build %s, where an update left its test as it was", async (_, more, tested) => {
        const { "base-amd64-test": old } = (await said()).resources;
        const context = { ...(old?.inputs.context as object), named: { [imageUnderTest]: location(ref(tested)) } };
        expect((await said({ files: more })).build).toBeDefined();
        const left = old && { "base-amd64-test": { ...old, inputs: { ...old.inputs, context } } };
        expect((await said({ files: more, ...(left && { left }) })).build).toBeUndefined();
    });
});

describe("a build", () => {
    test("per platform stands on the digest of the same platform's parent, by the name in the Dockerfile", async () => {
        const resources = await run();
        for (const arch of ["amd64", "arm64"]) {
            const context = resources[`app-${arch}`]?.inputs.context as { named: unknown };
            const parent = `registry.test/us/base@${digestOf(`base-${arch}`)}`;
            expect(context.named).toEqual({ "ghcr.io/us/base:latest": location(parent) });
        }
    });

    test.each([
        ["the pin as a build argument where it has one", `docker.io/docker/dockerfile@sha256:${"2".repeat(64)}`],
        ["none where it has none", undefined],
    ])("whose Dockerfile a frontend reads gets %s, and stands on nothing more", async (_name, pin) => {
        const named = { description: "", name: "ghcr.io/us/own:latest", dockerfile: "docker/own", platforms: both };
        const images = { named };
        const of = (by?: string) => ({
            roots: { "python:3": root, ...(by !== undefined && { "docker/dockerfile:1": by }) },
        });
        const [resources, moved] = [
            await run({ images, settings: of(pin) }),
            await run({ images, settings: of(root) }),
        ];
        const build = resources["named-amd64"]?.inputs ?? {};
        expect(build).toMatchObject({ context: { named: { "python:3": location(root) } } });
        expect(Object.keys((build.context as { named: object }).named)).toEqual(["python:3"]);
        expect((build.buildArgs as Record<string, string>).BUILDKIT_SYNTAX).toBe(
            pin === undefined ? undefined : `${pin} x`,
        );
        // A moved frontend causes a rebuild even if nothing else changed.
        const then = moved["named-amd64"]?.inputs ?? {};
        expect(then.tags).not.toEqual(build.tags);
        expect((then.buildArgs as Record<string, string>).INPUT_HASH).toBe(
            (build.buildArgs as Record<string, string>).INPUT_HASH,
        );
    });

    test("waits for the smoke test of what it stands on, on its platform", async () => {
        const resources = await run();
        const waits = resources["app-arm64"]?.options.dependencies.filter((name) => name.endsWith("-test"));
        expect(waits).toEqual(["base-arm64-test"]);
        expect(resources["base-arm64"]?.options.dependencies.filter((name) => name.endsWith("-test"))).toEqual([]);
    });

    test("stands on the platform of its parent that FROM names, whatever it is built for itself", async () => {
        const base = image("base", { platforms: ["linux/amd64"] });
        const resources = await run({ images: { base, cross: image("cross") } });
        const parent = `registry.test/us/base@${digestOf("base-amd64")}`;
        for (const arch of ["amd64", "arm64"]) {
            expect(resources[`cross-${arch}`]?.inputs.context).toMatchObject({
                named: { "ghcr.io/us/base:latest": location(parent) },
            });
        }
    });

    test("has its registry asked before and a failure explained; an image that is never pushed has no registry", async () => {
        const resources = await run();
        const hooks = ["ask the registries of image app", "say what of image app is not committed"];
        expect(resources["app-arm64"]?.options.hooks).toMatchObject({
            beforeCreateList: hooks,
            beforeUpdateList: hooks,
            onErrorList: ["say what to do when image app can't be built"],
        });
        expect(resources[`tools-${archOf(hostPlatform())}`]?.options.hooks).toMatchObject({
            beforeCreateList: [],
            beforeUpdateList: [],
        });
    });

    test("has its root replaced by the pinned digest", async () => {
        const resources = await run();
        expect(resources["base-amd64"]?.inputs.context).toMatchObject({ named: { "python:3": location(root) } });
    });

    test("is pushed as an immutable build tag, with rewritten timestamps, and never built by a preview", async () => {
        const { inputs } = (await run())["base-arm64"] ?? {};
        expect(inputs).toMatchObject({
            push: false,
            buildOnPreview: false,
            platforms: ["linux/arm64"],
            tags: [expect.stringMatching(/^registry\.test\/us\/base:b-[0-9a-f]{12}-arm64$/)],
            exports: [{ raw: expect.stringMatching(/^type=registry,.*rewrite-timestamp=true/) as string }],
            buildArgs: {
                SOURCE_DATE_EPOCH: "315532800",
                INPUT_HASH: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
            },
        });
    });

    test("reads nothing but its staged context, by a path that does not name the checkout", async () => {
        const { inputs } = (await run())["app-amd64"] ?? {};
        expect(inputs?.context).toMatchObject({
            location: expect.stringMatching(/^\.stage\/app\/[0-9a-f]{12}\/context$/) as string,
        });
        expect(inputs?.dockerfile).toEqual({
            location: expect.stringMatching(/^\.stage\/app\/[0-9a-f]{12}\/Dockerfile$/) as string,
        });
    });

    test("keeps its steps in the registry, per platform, unless the image opts out", async () => {
        const images = { ...definitions, base: image("base", { registryCache: false }) };
        const resources = await run({ images });
        const ref = "registry.test/us/app:cache-arm64";
        expect(resources["app-arm64"]?.inputs).toMatchObject({
            cacheFrom: [{ registry: { ref } }],
            cacheTo: [{ registry: { ref, mode: "max", ignoreError: true } }],
        });
        expect(resources["base-arm64"]?.inputs).not.toHaveProperty("cacheTo");
    });

    test("in a channel reads the cache of what is released, and writes one of its own", async () => {
        const resources = await run({ settings: { channel: "pr-1" } });
        const [own, released] = ["cache-in-pr-1", "cache"].map((tag) => `registry.test/us/app:${tag}-arm64`);
        expect(resources["app-arm64"]?.inputs).toMatchObject({
            cacheFrom: [{ registry: { ref: own } }, { registry: { ref: released } }],
            cacheTo: [{ registry: { ref: own } }],
        });
        const { "app-arm64": without } = await run();
        expect(resources["app-arm64"]?.inputs.tags).toEqual(without?.inputs.tags);
    });

    test("of an image that shares its repository has a cache of its own, and the build tag of what is equal", async () => {
        const named = (tag: string, changes: Partial<ImageDefinition> = {}) =>
            image("base", { name: `ghcr.io/us/base:${tag}`, ...changes });
        const arguments_ = { A: "1" };
        const images = { one: named("1"), two: named("2"), three: named("3", { buildArgs: arguments_ }) };
        const resources = await run({ images });
        const inputs = ["one", "two", "three"].map((key) => resources[`${key}-amd64`]?.inputs ?? {});
        const ref = "registry.test/us/base:cache";
        expect(inputs.map(({ cacheFrom }) => cacheFrom)).toEqual(
            [`${ref}-amd64`, `${ref}-two-amd64`, `${ref}-three-amd64`].map((own) => [{ registry: { ref: own } }]),
        );
        expect(inputs[1]?.tags).toEqual(inputs[0]?.tags);
        expect(inputs[2]?.tags).not.toEqual(inputs[0]?.tags);
        const tags = ["one", "two", "three"].map((key) => resources[key]?.inputs.tag);
        expect(tags).toEqual([1, 2, 3].map((tag) => `registry.test/us/base:${String(tag)}`));
    });

    test("gets an extra host and another input hash by a scheduled rebuild, and nothing by those of other images", async () => {
        const inputsOf = async (rebuilds: Readonly<Record<string, string>>) => {
            const resources = await run({ settings: { rebuilds } });
            return [resources["base-amd64"]?.inputs, resources["app-amd64"]?.inputs] as const;
        };
        const [[base, app], [baseLater, appLater]] = [await inputsOf({}), await inputsOf({ base: "2026-W48" })];
        expect(base).not.toHaveProperty("addHosts");
        expect(baseLater?.addHosts).toEqual(["rebuild-2026-w48.invalid:127.0.0.1"]);
        expect((baseLater?.buildArgs as Texts).INPUT_HASH).not.toBe((base?.buildArgs as Texts).INPUT_HASH);
        expect(baseLater?.tags).not.toEqual(base?.tags);
        expect(appLater).toEqual(app);
    });

    test("is without cache only for the images that one update builds again", async () => {
        const resources = await run({ uncached: ["app"] });
        expect(resources["app-amd64"]?.inputs.noCache).toBe(true);
        expect(resources["base-amd64"]?.inputs).not.toHaveProperty("noCache");
    });

    test("gets just the secrets that it names, as secrets", async () => {
        const images = { ...definitions, base: image("base", { secrets: ["INDEX"] }) };
        const resources = await run({ images });
        const { secrets } = resources["base-amd64"]?.inputs ?? {};
        expect(JSON.stringify(secrets)).toContain("hunter2");
        expect(JSON.stringify(secrets)).toContain("4dabf18193072939515e22adb298388d");
        expect(JSON.stringify(resources["base-amd64"]?.inputs)).not.toContain("other");
        expect(resources["app-amd64"]?.inputs).not.toHaveProperty("secrets");
    });

    test("gets the stack's build arguments over those of images.ts, and only its own", async () => {
        const images = { ...definitions, base: image("base", { buildArgs: { A: "1", B: "1" } }) };
        const resources = await run({ images, settings: { buildArgs: { base: { B: "2" } } } });
        expect(resources["base-amd64"]?.inputs.buildArgs).toMatchObject({ A: "1", B: "2" });
        expect(resources["app-amd64"]?.inputs.buildArgs).not.toHaveProperty("B");
    });

    test("keeps its tag while nothing changes and gets another when an input or what it stands on does", async () => {
        const tag = async (...args: Parameters<typeof run>) => (await run(...args))["base-amd64"]?.inputs.tags;
        const before = await tag();
        expect(await tag()).toEqual(before);
        expect(await tag({ settings: { buildArgs: { base: { A: "1" } } } })).not.toEqual(before);
        expect(await tag({ settings: { roots: { "python:3": root.replaceAll("1", "2") } } })).not.toEqual(before);
    });

    test("of an image without a name is cached only: no tag, no test, no promotion", async () => {
        const resources = await run();
        const name = Object.keys(resources).find((key) => key.startsWith("tools-"));
        expect(resources[name ?? ""]?.inputs).toMatchObject({ exports: [{ cacheonly: {} }] });
        expect(resources[name ?? ""]?.inputs).toMatchObject({ tags: [] });
        expect(resources[name ?? ""]?.inputs).not.toHaveProperty("cacheTo");
        expect(Object.keys(resources).filter((key) => key.includes("tools"))).toEqual(["ImageLayer tools", name]);
    });
});

describe("a smoke test", () => {
    test("runs the ancestors' scripts and the image's own on the new digest, without a network", async () => {
        expect((await run())["app-arm64-test"]?.inputs).toMatchObject({
            buildArgs: { SCRIPTS: "smoke/base.sh smoke/app.sh" },
            network: "none",
            platforms: ["linux/arm64"],
            exports: [{ cacheonly: {} }],
            context: { named: { "image-under-test": location(`registry.test/us/app@${digestOf("app-arm64")}`) } },
        });
    });
});

describe("a promotion", () => {
    test("moves the image's tag to an index over the digests of all platforms", async () => {
        const { inputs } = (await run()).app ?? {};
        expect(inputs).toMatchObject({
            tag: "registry.test/us/app:latest",
            sources: ["amd64", "arm64"].map((arch) => `registry.test/us/app@${digestOf(`app-${arch}`)}`),
        });
    });

    test("waits for the tests of every platform and for the parent's promotion", async () => {
        const { options } = (await run()).app ?? {};
        expect(options?.dependencies).toEqual(expect.arrayContaining(["app-amd64-test", "app-arm64-test", "base"]));
    });

    test("first makes a release of the same digests, under a tag that only these digests give", async () => {
        const resources = await run();
        const { tag, sources } = resources["app@release"]?.inputs ?? {};
        expect(tag).toMatch(/^registry\.test\/us\/app:r-[0-9a-f]{12}$/);
        expect(sources).toEqual(resources.app?.inputs.sources);
        expect(resources.app?.options.dependencies).toContain("app@release");
        expect((await run())["app@release"]?.inputs.tag).toBe(tag);
        expect(resources["base@release"]?.inputs.tag).not.toBe(tag);
    });

    test("moves further tags to the release, and copies release and tags to every other repository", async () => {
        const app = image("app", {
            additionalNames: ["quay.io/us/app:stable"],
            tags: ["3.12", "v-{release}"],
        });
        const resources = await run({ images: { ...definitions, app }, stack: byName });
        const release = (name: string, place: string) => `${place}@${digestOf(`${name}-index`)}`;
        const hex = String(resources["app@release"]?.inputs.tag).split(":r-")[1] ?? "";
        const copy = "app/quay.io/us/app";
        expect(resources["app:3.12"]?.inputs).toMatchObject({
            tag: "ghcr.io/us/app:3.12",
            sources: [release("app@release", "ghcr.io/us/app")],
        });
        expect(resources[`${copy}@release`]?.inputs).toMatchObject({
            tag: `quay.io/us/app:r-${hex}`,
            sources: [release("app@release", "ghcr.io/us/app")],
        });
        for (const tag of ["stable", "3.12"]) {
            expect(resources[`${copy}:${tag}`]?.inputs).toMatchObject({
                tag: `quay.io/us/app:${tag}`,
                sources: [release(`${copy}@release`, "quay.io/us/app")],
            });
        }
        const environments = ["app-tags", `${copy}-tags`].map((name) => resources[name]?.inputs.environment);
        expect(environments).toEqual([
            { REF: release("app", "ghcr.io/us/app"), TAGS: `v-${hex}` },
            { REF: release(`${copy}@release`, "quay.io/us/app"), TAGS: `v-${hex}` },
        ]);
    });

    test("of a child waits for the parent's own tag, and for no copy of it", async () => {
        const base = image("base", { additionalNames: ["quay.io/us/base:latest"], tags: ["3"] });
        const resources = await run({ images: { ...definitions, base }, stack: byName });
        const promotions = resources.app?.options.dependencies.filter((name) => name.startsWith("base"));
        expect(promotions).toEqual(["base"]);
    });

    test("with tags gives them to each new release, by inputs that are the same on every machine", async () => {
        const plain = await run();
        expect(Object.keys(plain).filter((name) => name.endsWith("-tags"))).toEqual([]);
        const tagged = await run({ images: { ...definitions, app: image("app", { tags: ["v-{commit}", "{date}"] }) } });
        const { inputs, options } = tagged["app-tags"] ?? {};
        const ref = `registry.test/us/app@${digestOf("app-index")}`;
        expect(inputs).toMatchObject({
            environment: { REF: ref, TAGS: "v-{commit} {date}" },
            triggers: [digestOf("app-index")],
            interpreter: ["/bin/sh", "-c"],
        });
        expect(inputs?.delete).toBeUndefined();
        expect(options?.dependencies).toContain("app");
        // The builds are what they are without tags.
        expect(tagged["app-amd64"]?.inputs).toEqual(plain["app-amd64"]?.inputs);
    });

    test("of an image that only copies from another one waits for that one, and runs its own test alone", async () => {
        const resources = await run({ images: { base: image("base"), cross: image("cross") } });
        expect(resources["cross-arm64-test"]?.inputs.buildArgs).toEqual({ SCRIPTS: "smoke/cross.sh" });
        expect(resources.cross?.options.dependencies).toEqual(
            expect.arrayContaining(["cross-amd64-test", "cross-arm64-test", "base"]),
        );
    });
});

test("every image and index is retained when it is removed or replaced", async () => {
    const resources = Object.values(await run()).filter(({ type }) => type.startsWith("docker-build:"));
    expect(resources).toHaveLength(13);
    expect(resources.filter(({ options }) => !options.retainOnDelete)).toEqual([]);
});

test("the plan holds parents, platforms, names of secrets, and the Dockerfile and every input with its hash", async () => {
    const resources = await run();
    expect(resources["ImageLayer app"]?.inputs).toEqual({
        dockerfile: { "docker/app": expect.stringMatching(/^[0-9a-f]{12}$/) as string },
        parents: ["base"],
        secrets: [],
        roots: {},
        platforms: [...both],
        inputHash: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
        inputs: { "app/main.py": expect.stringMatching(/^[0-9a-f]{12}$/) as string },
        smokeTests: {
            "smoke/app.sh": expect.stringMatching(/^[0-9a-f]{12}/) as string,
            "smoke/base.sh": expect.stringMatching(/^[0-9a-f]{12}/) as string,
        },
    });
    expect(resources["ImageLayer base"]?.inputs).toMatchObject({ roots: { "python:3": root } });
    // A review compares the component's hash with its builds' to see whether they succeeded.
    const { inputHash } = resources["ImageLayer app"]?.inputs ?? {};
    expect(resources["app-amd64"]?.inputs).toMatchObject({ buildArgs: { INPUT_HASH: inputHash } });
});

test("an image whose platforms are none of the stack's is left out with what stands on it", async () => {
    const amd = { platforms: ["linux/amd64"] } as const;
    const images = { base: image("base", amd), app: image("app", amd), other: image("other") };
    const names = Object.keys(await run({ images, settings: { platforms: ["linux/arm64"] } }));
    expect(names.filter((name) => name.startsWith("Image"))).toEqual(["ImageHierarchy images", "ImageLayer other"]);
});

test("an empty digest of a parent is an error, never a build on a tag", () => {
    expect(() => digestRef("base", "registry.test/us/base", "")).toThrow(pulumi.RunError);
    expect(() => digestRef("base", "registry.test/us/base", "")).toThrow('image base has no digest (got "")');
});

describe("a pinned image", () => {
    const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
    const pin = {
        ...{ release: "r-0123456789ab", digest: digest("a") },
        platforms: { "linux/amd64": digest("b"), "linux/arm64": digest("c") },
    };
    const pins = { settings: { pins: { base: pin } } };
    const own = (recorded: Awaited<ReturnType<typeof run>>) =>
        Object.values(recorded).flatMap(({ name, type }) =>
            type.endsWith(":Image") && name.startsWith("base-") ? [name] : [],
        );
    /** A state that has the builds and tests of the base from these contexts. */
    const builtFrom =
        (of: (context: string) => string) =>
        ({ base }: Readonly<Record<string, StagedImage>>): FormerState => {
            const at = (name: string, context = "") => [
                `urn:pulumi:test::layered-images::docker-build:index:Image::${name}`,
                { type: "docker-build:index:Image", outputs: { context: { location: of(context) } } },
            ];
            return formerState(
                Object.fromEntries([
                    at("base-amd64", base?.context),
                    at("base-arm64", base?.context),
                    at("base-amd64-test", base?.tests?.context),
                ]) as Parameters<typeof formerState>[0],
            );
        };

    test("that the state does not have is neither built nor tested; its tags go to the release", async () => {
        const recorded = await run(pins);
        expect(own(recorded)).toEqual([]);
        const sources = [`registry.test/us/base@${pin.digest}`];
        expect(recorded.base?.inputs).toMatchObject({ tag: "registry.test/us/base:latest", sources });
        expect(recorded["base@release"]?.inputs).toMatchObject({
            tag: `registry.test/us/base:${pin.release}`,
            sources,
        });
        expect(recorded["ImageLayer base"]?.inputs.pin).toEqual(pin);
    });

    test.each([false, true])(
        "is what children are built from, without waiting for anything (preview: %s)",
        async (preview) => {
            const recorded = await run(pins, preview);
            for (const [arch, platform] of [
                ["amd64", "linux/amd64"],
                ["arm64", "linux/arm64"],
            ] as const) {
                expect(recorded[`app-${arch}`]?.inputs.context).toMatchObject({
                    named: { "ghcr.io/us/base:latest": location(`registry.test/us/base@${pin.platforms[platform]}`) },
                });
                expect(recorded[`app-${arch}`]?.options.dependencies).toEqual([]);
            }
        },
    );

    test("stays in the state as it was built and tested, if the checkout is still the same", async () => {
        const recorded = await run({ ...pins, former: builtFrom((context) => context) });
        expect(own(recorded).sort()).toEqual(["base-amd64", "base-amd64-test", "base-arm64"]);
        for (const name of own(recorded)) {
            expect(recorded[name]?.options).toMatchObject({ ignoreChanges: ["*"], retainOnDelete: true });
        }
    });

    test("leaves the state if the checkout is another", async () => {
        expect(own(await run({ ...pins, former: builtFrom((context) => `${context}x`) }))).toEqual([]);
    });

    test("needs a digest for each of the stack's platforms", async () => {
        const one = { ...pin, platforms: { "linux/amd64": digest("b") } };
        await expect(run({ settings: { pins: { base: one } } })).rejects.toThrow("without a digest for linux/arm64");
    });
});

describe("a builder of the stack", () => {
    const builder = ["farm-amd64", "farm-arm64"];
    const builders = (recorded: Awaited<ReturnType<typeof run>>) =>
        Object.fromEntries(
            Object.entries(recorded)
                .filter(([, { type }]) => type === "docker-build:index:Image")
                .map(([name, { inputs }]) => [name, (inputs.builder as { name: string } | undefined)?.name]),
        );
    /** What the state has after these resources were built: the provider adds what it takes for what is left out. */
    const stateOf = (recorded: Awaited<ReturnType<typeof run>>, changes: object = {}) =>
        formerState(
            Object.fromEntries(
                Object.values(recorded)
                    .filter(({ type }) => type === "docker-build:index:Image")
                    .map(({ type, name, inputs }) => [
                        `urn:pulumi:test::layered-images::${type}::${name}`,
                        { type, outputs: { target: "", load: false, network: "default", ...inputs, ...changes } },
                    ]),
            ),
        );
    const all = { "app-amd64": "farm-amd64", "app-amd64-test": "farm-amd64", "app-arm64": "farm-arm64" };

    test("builds and tests each platform on its own instance, which is made ready before", async () => {
        const recorded = await run({ builder });
        expect(builders(recorded)).toMatchObject({ ...all, "app-arm64-test": "farm-arm64" });
        for (const name of ["app-amd64", "app-amd64-test", `tools-${archOf(hostPlatform())}`]) {
            const { beforeCreateList = [], beforeUpdateList = [] } = recorded[name]?.options.hooks ?? {};
            for (const hooks of [beforeCreateList, beforeUpdateList])
                expect(hooks).toContain("make and check the builder");
        }
    });

    test.each([
        ["that the stack gets", undefined, builder],
        ["that the stack loses", builder, undefined],
        ["that replaces another one", ["old", "old"], builder],
    ])("%s is no reason to build what the state has", async (_name, before, after) => {
        const built = await run(before && { builder: before });
        const now = await run({ ...(after && { builder: after }), former: () => stateOf(built) });
        expect(builders(now)).toEqual(builders(built));
        // What changed is built on the new one.
        const changed = { tags: ["registry.test/us/x:b-1"], context: {} };
        const then = await run({ ...(after && { builder: after }), former: () => stateOf(built, changed) });
        expect(builders(then)).toEqual(builders(await run(after && { builder: after })));
    });

    test.each([
        ["an input that is there no more", { labels: { a: "b" } }],
        ["one that is set", { addHosts: ["a:1"], noCache: true }],
    ])("builds what the state has with %s", async (_name, changes) => {
        const built = await run();
        expect(builders(await run({ builder, former: () => stateOf(built, changes) }))).toMatchObject(all);
    });

    test("shows nothing in a preview, which does not read the state", async () => {
        const recorded = await run({ builder }, true);
        expect(recorded["app-amd64"]?.options.ignoreChanges).toEqual(["builder"]);
        expect(recorded["app-amd64-test"]?.options.ignoreChanges).toEqual(["builder"]);
    });
});
