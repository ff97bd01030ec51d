import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { recordedPreview } from "../../tests/previews";
import { bakeFile, unknownContexts } from "./bake";
import type { Step } from "../engine/preview";
import { makePlan } from "./plan";

const names = Object.fromEntries(["base", "bot", "ci", "leaf"].map((key) => [key, `ghcr.io/fixture/${key}:latest`]));

/** The bake file for a recorded preview. */
function fileFor(name: string, platform = "linux/amd64", outputs?: ReadonlyMap<string, string>) {
    const preview = recordedPreview(name);
    const { images } = makePlan({ stack: "local", preview, history: [] });
    const secretVariable = (secret: string) => `S_${secret}`;
    return bakeFile({
        steps: preview.steps,
        images,
        names,
        platform,
        root: "/r",
        secretVariable,
        ...(outputs && { outputs }),
    });
}

describe("the builds of a pull request", () => {
    test("are those that an update would do, with their tests; children stand on what is built, and nothing is pushed", () => {
        const file = fileFor("base");
        const targets = Object.entries(file?.target ?? {});
        expect(targets.map(([key]) => key)).toEqual(
            expect.arrayContaining(["base", "base-test", "bot", "bot-test", "ci", "ci-test"]),
        );
        // Bake does not shorten names: with ":latest" BuildKit would build on the published image.
        expect(file?.target.bot?.contexts).toMatchObject({ "ghcr.io/fixture/base": "target:base" });
        expect(file?.target["bot-test"]).toMatchObject({
            contexts: { "image-under-test": "target:bot" },
            network: "none",
        });
        expect(targets.map(([, { output }]) => output)).toEqual(targets.map(() => ["type=cacheonly"]));
        expect(JSON.stringify(file)).not.toContain("cache-to");
        expect(file && unknownContexts(file)).toEqual([]);
    });

    test("are none if nothing is built, and for a platform that no image has", () => {
        expect(fileFor("same")).toBeUndefined();
        expect(fileFor("base", "linux/s390x")).toBeUndefined();
    });

    test("leave out images that are not pending, and use their published digests", () => {
        const file = fileFor("files");
        expect(Object.keys(file?.target ?? {})).not.toContain("base");
        const [published] = Object.values(file?.target.bot?.contexts ?? {});
        expect(published).toMatch(/^docker-image:\/\/.*@sha256:/);
    });
});

test("images with an output are built whatever an update would do, on what is built of their parents, and not tested", () => {
    const outputs = new Map([
        ["base", "type=cacheonly"],
        ["bot", "type=docker,name=bot"],
    ]);
    const { target } = fileFor("same", "linux/amd64", outputs) ?? {};
    expect(Object.entries(target ?? {}).map(([key, { output }]) => [key, output])).toEqual([
        ["base", ["type=cacheonly"]],
        ["bot", ["type=docker,name=bot"]],
    ]);
    expect(target?.bot?.contexts).toMatchObject({ "ghcr.io/fixture/base": "target:base" });
});

test.each<[string, (step: Step) => Step | undefined]>([
    ["another stack has built", (step) => (step.parent === "base" && step.type.endsWith(":Image") ? undefined : step)],
    [
        "is pinned",
        (step) => {
            if (step.name !== "base" || !step.type.endsWith(":ImageLayer") || !step.new) return step;
            const pin = { release: "r-0123456789ab", digest: "sha256:1", platforms: { "linux/amd64": "sha256:2" } };
            return { ...step, new: { ...step.new, inputs: { ...step.new.inputs, pin } } };
        },
    ],
])("an image that %s is fetched for its output, and what stands on it names its digest", (_, change) => {
    const preview = recordedPreview("same");
    const steps = preview.steps.flatMap((step) => change(step) ?? []);
    const fileWith = (outputs: readonly (readonly [string, string])[]) =>
        bakeFile({
            ...{ steps, images: [], names, platform: "linux/amd64", root: "/r", secretVariable: String },
            outputs: new Map(outputs),
        })?.target;
    const bot = ["bot", "type=docker,name=bot"] as const;
    const target = fileWith([["base", "type=docker,name=base"], bot]);
    const [on = ""] = Object.values(target?.bot?.contexts ?? {});
    expect(on).toMatch(/^docker-image:\/\/.*@sha256:/);
    expect(target?.base).toMatchObject({
        "dockerfile-inline": `FROM ${on.replace("docker-image://", "")}\n`,
        output: ["type=docker,name=base"],
    });
    expect(Object.keys(fileWith([["base", "type=cacheonly"], bot]) ?? {})).toEqual(["bot"]);
});
