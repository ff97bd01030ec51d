import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, onTestFinished, test } from "vitest";
import { readConfig } from "./config";
import { type Instance, writeInstance } from "./lab/instance";
import { record } from "./tests/harness";
import { temporaryFolder } from "./tests/tree";

const root = `registry.test/python@sha256:${"1".repeat(64)}`;
const instance: Instance = {
    registry: "registry.localhost:5443",
    port: 5443,
    platforms: "host",
    roots: { "python:3": root },
    standIn: "0123456789ab",
};

/** Reads this configuration, in a machine whose lab is `lab`. */
async function read(config: Readonly<Record<string, string>>, lab?: Instance, preview = true) {
    const file = path.join(temporaryFolder(), "instance.json");
    if (lab) writeInstance(file, lab);
    const before = process.env.LAYERED_IMAGES_INSTANCE;
    process.env.LAYERED_IMAGES_INSTANCE = file;
    onTestFinished(() => {
        if (before === undefined) delete process.env.LAYERED_IMAGES_INSTANCE;
        else process.env.LAYERED_IMAGES_INSTANCE = before;
    });
    await record(() => undefined, preview);
    pulumi.runtime.setAllConfig(
        Object.fromEntries(Object.entries(config).map(([key, text]) => [`layered-images:${key}`, text])),
    );
    return readConfig();
}

test("an empty configuration pushes to the registries in the images' names, for all platforms", async () => {
    expect(await read({})).toEqual({ platforms: "all", roots: {}, buildArgs: {}, secretNames: [], secrets: {} });
});

test("every key is read, lists and objects from JSON text", async () => {
    const config = {
        registry: "ghcr.io",
        platforms: '["linux/arm64"]',
        roots: JSON.stringify({ "python:3": root }),
        buildArgs: '{"base":{"A":""}}',
    };
    expect(await read(config)).toEqual({
        registry: "ghcr.io",
        platforms: ["linux/arm64"],
        roots: { "python:3": root },
        buildArgs: { base: { A: "" } },
        secretNames: [],
        secrets: {},
    });
});

test("build arguments that Pulumi's command wrote as numbers and booleans are the text they were given as", async () => {
    const { buildArgs } = await read({ buildArgs: '{"base":{"PORT":8080,"DEBUG":true,"VERSION":"3.10"}}' });
    expect(buildArgs).toEqual({ base: { PORT: "8080", DEBUG: "true", VERSION: "3.10" } });
});

test("build secrets are secret from the moment they are read", async () => {
    const { secretNames, secrets } = await read({ buildSecrets: '{"INDEX":"hunter2"}' });
    expect(secretNames).toEqual(["INDEX"]);
    expect(await pulumi.isSecret(secrets.INDEX ?? pulumi.output(""))).toBe(true);
});

describe("lab: true", () => {
    test("takes registry, platforms and roots from the lab", async () => {
        expect(await read({ lab: "true" }, instance)).toEqual({
            registry: instance.registry,
            platforms: "host",
            roots: instance.roots,
            buildArgs: {},
            secretNames: [],
            secrets: {},
        });
    });

    test("yields to keys that are set", async () => {
        const config = await read({ lab: "true", registry: "other.test", platforms: "all" }, instance);
        expect([config.registry, config.platforms]).toEqual(["other.test", "all"]);
    });

    test("needs running servers for an update, not for a preview", async () => {
        await expect(read({ lab: "true" }, instance, false)).rejects.toThrow(
            /the lab is not running \(its servers are stopped\)\s+next: npm run lab -- start/,
        );
    });

    test("says how to start a lab where there is none", async () => {
        await expect(read({ lab: "true" })).rejects.toThrow(/no lab was ever started here[\s\S]*npm run lab -- start/);
    });
});

describe("a wrong configuration", () => {
    test.each([
        [
            "buildArgs",
            '{"base":{"V":3.1}}',
            /not text; write it in quotes[^\n]* pulumi config set --path 'buildArgs\.base\.V'/,
        ],
        ["roots", '{"python:3":"x"}', /pulumi config set --path 'roots\["python:3"\]' <value>/],
        [
            "platforms",
            "some",
            /not "all", "host" or a list such as \["linux\/amd64"\]\. Set it: pulumi config set platforms/,
        ],
        ["regsitry", "x", /Remove it: pulumi config rm regsitry/],
    ])("of %s is told with the command that mends just that", async (key, value, message) => {
        await expect(read({ [key]: value })).rejects.toThrow(message);
    });

    test("is told with every problem at once and the commands that mend it", async () => {
        const wrong = {
            platforms: '["windows/amd64"]',
            roots: '{"python:3":"python:3.12"}',
            regsitry: "ghcr.io",
            lab: "maybe",
        };
        await expect(read(wrong)).rejects.toThrow(
            expect.objectContaining({
                message: expect.stringMatching(
                    /^(?=[\s\S]*stack test)(?=[\s\S]*layered-images:platforms)(?=[\s\S]*layered-images:roots \(at python:3\): not <repository>@sha256)(?=[\s\S]*unknown key layered-images:regsitry; known are lab, registry)(?=[\s\S]*pulumi config set lab <value>)/,
                ) as string,
            }) as Error,
        );
    });
});
