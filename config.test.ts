import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe } from "mocha";
import { parse } from "yaml";
import { readConfig, readableSecrets } from "./config";
import { type Instance, writeInstance } from "./lib/system/instance";
import { record } from "./tests/harness";
import { expect, onTestFinished, spyOn, stubEnv, test } from "./tests/mocha";
import { temporaryFolder, tree } from "./tests/tree";

const key = "bot:repositorySecrets";
const file = (value: unknown) => JSON.stringify({ config: { [key]: value, "bot:other": { C: "hunter2" } } });
const secure = { secure: "v1:0123:4567" };

test.each<[string, string, string[]]>([
    ["no file to speak of", "", []],
    ["a file without the key", JSON.stringify({ config: { "bot:other": "x" } }), []],
    ["a key that is encrypted as a whole", file(secure), []],
    ["values that all are", file({ A: secure, B: { value: secure, dependabot: true } }), []],
    ["one that is not, beside one that is", file({ A: secure, B: "hunter2" }), ["B"]],
    ["one that is not, in an object", file({ A: secure, B: { value: "hunter2", codespaces: true } }), ["B.value"]],
    ["numbers and lists, which are no secrets either", file({ A: 12, B: ["x"] }), ["A", "B"]],
])("of %s these are readable", (_, text, names) => {
    expect(readableSecrets(text, key)).toEqual(names);
});

const root = `registry.test/python@sha256:${"1".repeat(64)}`;
const instance: Instance = {
    registry: "registry.localhost:5443",
    port: 5443,
    platforms: "host",
    roots: { "python:3": root, "python:3.12-slim": root },
    rootsByPlatform: {},
    standIn: "0123456789ab",
    standInPlatforms: ["linux/amd64"],
};

/** A key without a namespace is the project's own. */
const keyOf = (key: string) => (key.includes(":") ? key : `layered-images:${key}`);

/** Reads this configuration, in a machine whose lab is `lab`; keys in `encrypted` were set with --secret. */
async function read(
    config: Readonly<Record<string, string>>,
    lab?: Instance,
    preview = true,
    encrypted: readonly string[] = ["repositorySecrets"],
    checkout = temporaryFolder(),
) {
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
        Object.fromEntries(Object.entries(config).map(([key, text]) => [keyOf(key), text])),
        encrypted.map(keyOf),
    );
    return readConfig(checkout);
}

test.each([
    ["ci", { registry: "ghcr.io", platforms: "all" }],
    ["local", { registry: instance.registry, platforms: "host" }],
] as const)("the repository's own stack %s is configured as its file says", async (stack, expected) => {
    const file = path.join(__dirname, `Pulumi.${stack}.yaml`);
    const { config } = parse(readFileSync(file, "utf8")) as { config: Readonly<Record<string, unknown>> };
    const texts = Object.entries(config).map(
        ([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)] as const,
    );
    // What the engine decrypts before the program sees it.
    const decrypted = texts.map(([key, text]) => [key, text.replace(/\{"secure":"[^"]*"\}/, '"decrypted"')] as const);
    stubEnv("GITHUB_OWNER", "cs24-1");
    expect(await read(Object.fromEntries(decrypted), instance)).toMatchObject({
        ...expected,
        roots: { "python:3.12-slim": expect.stringMatching(/@sha256:/) as string },
        github: { owner: "cs24-1", repository: "cs24-1-bot", branch: "main", delivery: "direct", adopt: false },
    });
});

test("a channel may have the stack's name, takes no part in the repository's settings, and no stack takes from itself", async () => {
    expect(await read({ channel: "try-{stack}", buildsFrom: '["ci"]' })).toMatchObject({
        channel: `try-${pulumi.getStack()}`,
        buildsFrom: ["ci"],
    });
    await expect(read({ channel: "edge", promote: "false" })).rejects.toThrow(/channel: the stack promotes nothing/);
    await expect(read({ channel: "edge", github: '{"repository":"r"}' })).rejects.toThrow(
        /github: the stack promotes to channel "edge".*pulumi config rm github/s,
    );
    await expect(read({ buildsFrom: `["${pulumi.getStack()}"]` })).rejects.toThrow(/is this stack.*buildsFrom\[0\]/s);
    const foreign = `${pulumi.getOrganization()}/other/ci`;
    await expect(read({ buildsFrom: JSON.stringify(["ci", foreign]) })).rejects.toThrow(
        /buildsFrom: \S+\/other\/ci is a stack of another project, whose `gc` .*buildsFrom\[1\]/s,
    );
    await expect(read({ platformStacks: JSON.stringify({ "linux/arm64": foreign }) })).rejects.toThrow(
        /platformStacks: \S+\/other\/ci is a stack of another project.*platformStacks\["linux\/arm64"\]/s,
    );
    const complete = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
    await expect(read({ buildsFrom: JSON.stringify(["ci", complete]) })).rejects.toThrow(
        /is this stack.*buildsFrom\[1\]/s,
    );
    await expect(read({ buildsFrom: "ci" })).rejects.toThrow(/buildsFrom: not a list of stacks, such as \["ci"\]/);
    // What the removal of the only one leaves: nothing more is taken, and what was taken stays.
    expect(await read({ buildsFrom: "[]" })).toMatchObject({ buildsFrom: [] });
});

test("settings that decide a build can come from another stack's file, and those of the stack itself take precedence", async () => {
    const root = temporaryFolder();
    const pin = {
        release: "r-000000000000",
        digest: `sha256:${"2".repeat(64)}`,
        platforms: { "linux/amd64": `sha256:${"3".repeat(64)}` },
    };
    const others = {
        "layered-images:roots": {
            "debian:13": `r.io/debian@sha256:${"1".repeat(64)}`,
            "python:3": `r.io/python@sha256:${"1".repeat(64)}`,
        },
        "layered-images:registryCache": "false",
        "layered-images:compression": { type: "zstd", level: 19 },
        "layered-images:pins": { app: pin },
        "layered-images:buildArgs": { app: { A: "theirs", B: "theirs" } },
        "layered-images:channel": "edge",
        "layered-images:buildSecrets": { TOKEN: { secure: "v1:0:1" } },
    };
    writeFileSync(path.join(root, "Pulumi.ci.yaml"), JSON.stringify({ config: others }));
    const own = { "python:3": `r.io/python@sha256:${"9".repeat(64)}` };
    const config = await read(
        {
            buildSettingsOf: "ci",
            roots: JSON.stringify(own),
            pins: JSON.stringify({ base: pin }),
            buildArgs: '{"app":{"B":"own"}}',
        },
        undefined,
        true,
        [],
        root,
    );
    expect(config).toMatchObject({
        roots: { ...others["layered-images:roots"], ...own },
        registryCache: false,
        buildArgs: { app: { A: "theirs", B: "own" } },
        compression: { type: "zstd", level: 19 },
        pins: { app: pin, base: pin },
        pinnedIn: { app: "ci", base: pulumi.getStack() },
        secretNames: [],
    });
    expect(config.channel).toBeUndefined();
    writeFileSync(
        path.join(root, "Pulumi.third.yaml"),
        JSON.stringify({ config: { "layered-images:buildSettingsOf": "ci" } }),
    );
    await expect(read({ buildSettingsOf: "third" }, undefined, true, [], root)).rejects.toThrow(
        /stack third has these settings from stack ci itself.*next: pulumi config set buildSettingsOf ci/s,
    );
    await expect(read({ buildSettingsOf: "cii" }, undefined, true, [], root)).rejects.toThrow(
        /stack cii has no file Pulumi\.cii\.yaml/,
    );
});

test("a stack that promotes nothing may not set what follows a promotion", async () => {
    expect(await read({ promote: "false", platforms: '["linux/arm64"]' })).toMatchObject({ promote: false });
    await expect(read({ promote: "false", platformStacks: '{"linux/arm64":"arm"}' })).rejects.toThrow(
        /platformStacks: the stack promotes nothing .*\n?.*pulumi config rm platformStacks/,
    );
    await expect(read({ platformStacks: '{"arm64":"arm"}' })).rejects.toThrow(/not a platform, such as linux\/arm64/);
});

test("an empty configuration pushes to the registries in the images' names, for all platforms", async () => {
    expect(await read({})).toEqual({
        platforms: "all",
        roots: {},
        pinnedIn: {},
        pinnedRoots: [],
        buildArgs: {},
        builtinFrontend: false,
        secretNames: [],
        secrets: {},
        deployments: {},
    });
});

test("every key is read, lists and objects from JSON text", async () => {
    const config = {
        registry: "ghcr.io",
        platforms: '["linux/arm64"]',
        roots: JSON.stringify({ "python:3": root }),
        buildArgs: '{"base":{"A":""}}',
        builtinFrontend: "true",
        registryCache: "false",
    };
    expect(await read(config)).toEqual({
        registry: "ghcr.io",
        platforms: ["linux/arm64"],
        roots: { "python:3": root },
        pinnedIn: {},
        pinnedRoots: ["python:3"],
        buildArgs: { base: { A: "" } },
        builtinFrontend: true,
        registryCache: false,
        secretNames: [],
        secrets: {},
        deployments: {},
    });
});

test("build arguments that Pulumi's command wrote as numbers and booleans are the text they were given as", async () => {
    const { buildArgs } = await read({ buildArgs: '{"base":{"PORT":8080,"DEBUG":true,"VERSION":"3.10"}}' });
    expect(buildArgs).toEqual({ base: { PORT: "8080", DEBUG: "true", VERSION: "3.10" } });
});

test("a builder is read as it is written, with its options as text", async () => {
    const nodes = [{ platforms: ["linux/arm64"], options: { replicas: 2, rootless: true } }];
    expect((await read({ builder: JSON.stringify({ driver: "kubernetes", nodes }) })).builder).toEqual({
        driver: "kubernetes",
        nodes: [{ platforms: ["linux/arm64"], options: { replicas: "2", rootless: "true" } }],
    });
});

test("build secrets are secret from the moment they are read", async () => {
    const { secretNames, secrets } = await read({ buildSecrets: '{"INDEX":"hunter2"}' }, undefined, true, [
        "buildSecrets",
    ]);
    expect(secretNames).toEqual(["INDEX"]);
    expect(await pulumi.isSecret(secrets.INDEX ?? pulumi.output(""))).toBe(true);
});

test("build secrets that were set without --secret are warned of, and not repeated", async () => {
    const warn = spyOn(pulumi.log, "warn").mockResolvedValue();
    onTestFinished(() => {
        warn.mockRestore();
    });
    await read({ buildSecrets: '{"INDEX":"hunter2"}' }, undefined, true, ["buildSecrets"]);
    expect(warn).not.toHaveBeenCalled();
    await read({ buildSecrets: '{"INDEX":"hunter2"}' });
    expect(warn.mock.calls).toEqual([[expect.stringContaining("--secret --path 'buildSecrets.INDEX'")]]);
    expect(JSON.stringify(warn.mock.calls)).not.toContain("hunter2");
});

describe("lab: true", () => {
    test("takes registry, platforms and roots from the lab", async () => {
        expect(await read({ lab: "true" }, instance)).toEqual({
            registry: instance.registry,
            platforms: "host",
            roots: instance.roots,
            pinnedIn: {},
            pinnedRoots: [],
            buildArgs: {},
            builtinFrontend: false,
            labRegistry: instance.registry,
            secretNames: [],
            secrets: {},
            deployments: {},
        });
    });

    test("takes roots that it added for a platform, but those that the stack pins", async () => {
        const rootsByPlatform = { "linux/arm64": { "python:3": root, "python:3.12-slim": root } };
        const added = async (config: Record<string, string>) =>
            (await read({ lab: "true", ...config }, { ...instance, rootsByPlatform })).rootsByPlatform;
        expect(await added({})).toEqual(rootsByPlatform);
        expect(await added({ roots: JSON.stringify({ "docker.io/library/python:3": root }) })).toEqual({
            "linux/arm64": { "python:3.12-slim": root },
        });
        expect(await added({ roots: JSON.stringify({ "python:3": root, "python:3.12-slim": root }) })).toBeUndefined();
    });

    test("takes build arguments for what its machine can't reach, and the stack's own for what it can", async () => {
        const index = "https://index.test/simple/";
        const buildArgsWithout = {
            [index]: { base: { INDEX: "", EXTRA: "no" } },
            "https://other.test/": { app: { A: "1" } },
        };
        const config = {
            lab: "true",
            buildArgs: JSON.stringify({ base: { INDEX: "here", OWN: "yes" } }),
            buildArgsWithout: JSON.stringify(buildArgsWithout),
        };
        const args = async (reachable?: Record<string, boolean>) =>
            (await read(config, { ...instance, ...(reachable && { reachable }) })).buildArgs;
        expect(await args({ [index]: true })).toEqual({ base: { INDEX: "here", OWN: "yes" }, app: { A: "1" } });
        const without = { base: { INDEX: "", EXTRA: "no", OWN: "yes" }, app: { A: "1" } };
        expect(await args({ [index]: false })).toEqual(without);
        expect(await args()).toEqual(without);
        expect((await read({ ...config, lab: "false" })).buildArgs).toEqual({ base: { INDEX: "here", OWN: "yes" } });
        await expect(read({ buildArgsWithout: '{"index.test":{}}' })).rejects.toThrow(
            /buildArgsWithout \(at index\.test\): not an address that .* pulumi config rm/,
        );
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
            "roots",
            `{"python 3":"${root}"}`,
            /layered-images:roots \(at python 3\): "python 3" is not an image reference[^\n]*Remove it: pulumi config rm --path 'roots\["python 3"\]'$/,
        ],
        ["repositorySecrets", '{"A-B":"x"}', /Remove it: pulumi config rm --path 'repositorySecrets\["A-B"\]'$/m],
        [
            "platforms",
            "some",
            /not "all", "host" or a list such as \["linux\/amd64"\]\. Set it: pulumi config set platforms/,
        ],
        ["platforms", '["linux/AMD64"]', /not "all", "host" or a list such as \["linux\/amd64"\]/],
        ["platforms", '["linux/x y"]', /not "all", "host" or a list such as \["linux\/amd64"\]/],
        [
            "github",
            '{"repository":"bot","brnch":"x"}',
            /unknown key layered-images:github \(at brnch\); known are repository, [^\n]*Remove it: pulumi config rm --path 'github\.brnch'/,
        ],
        ["buildSecrets", '{"PIN":1}', /Set it: pulumi config set --secret --path 'buildSecrets\.PIN'$/],
        ["repositorySecrets", '{"PIN":""}', /Set it: pulumi config set --secret --path 'repositorySecrets\.PIN'$/m],
        ["regsitry", "x", /Remove it: pulumi config rm regsitry/],
        [
            "builder",
            '{"driver":"remote","nodes":[{"endpoint":"arm:1"}]}',
            /layered-images:builder \(at nodes\.0\.endpoint\): "arm:1": allowed for a remote node: tcp:[^\n]*Set it: pulumi config set --path 'builder\.nodes\[0\]\.endpoint' <value>/,
        ],
        [
            "builder",
            '{"driver":"remote","nodes":[{"endpoint":"tcp://arm:1","platform":"linux/arm64"}]}',
            /unknown key layered-images:builder \(at nodes\.0\.platform\); known are name, endpoint, platforms, tls, options\. Remove it: pulumi config rm --path 'builder\.nodes\[0\]\.platform'/,
        ],
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
            }),
        );
    });
});

describe("GitHub", () => {
    const github = { "github:owner": "us", github: '{"repository":"bot"}' };
    beforeEach(() => {
        stubEnv("GITHUB_OWNER", undefined);
        stubEnv("GITHUB_ORGANIZATION", undefined);
    });
    const message = (text: string) =>
        expect.objectContaining({ message: expect.stringContaining(text) as string }) as Error;

    test("needs a repository and an owner; files are committed to main and replace none of others", async () => {
        stubEnv("GITHUB_TOKEN", "t0ken");
        stubEnv("GITHUB_BASE_URL", undefined);
        expect((await read(github)).github).toEqual({
            owner: "us",
            repository: "bot",
            branch: "main",
            delivery: "direct",
            dispatch: false,
            deployments: false,
            adopt: false,
            baseUrl: "https://api.github.com/",
            token: "t0ken",
            secrets: {},
            access: ["variables"],
        });
    });

    test("has owner and address in the provider's settings, or in the environment as the provider has", async () => {
        stubEnv("GITHUB_BASE_URL", "http://127.0.0.1:1/");
        stubEnv("GITHUB_OWNER", "them");
        expect((await read({ github: github.github })).github?.owner).toBe("them");
        stubEnv("GITHUB_OWNER", "us");
        expect((await read(github)).github?.owner).toBe("us");
        expect((await read(github)).github?.baseUrl).toBe("http://127.0.0.1:1/");
        const own = { ...github, "github:baseUrl": "https://github.example/" };
        expect((await read(own)).github?.baseUrl).toBe("https://github.example/");
    });

    test("takes the same owner in other letters for the same", async () => {
        stubEnv("GITHUB_OWNER", "US");
        expect((await read(github)).github?.owner).toBe("US");
    });

    test.each([
        ["GITHUB_OWNER", "unset GITHUB_OWNER"],
        ["GITHUB_ORGANIZATION", "unset GITHUB_ORGANIZATION"],
    ])("another owner in %s, which the provider would take, is refused", async (variable, mend) => {
        stubEnv(variable, "them");
        await expect(read(github)).rejects.toThrow(
            message(`github:owner: us, while the provider takes them from ${variable}. Keep one of them: ${mend}`),
        );
    });

    test("secrets are secret from the moment they are read, and say who gets them", async () => {
        const repositorySecrets = '{"A":"hunter2","B":{"value":"hunter3","dependabot":true}}';
        const { secrets = {}, access } = (await read({ ...github, repositorySecrets })).github ?? {};
        expect(access).toEqual(["variables", "secrets", "dependabot"]);
        expect(secrets).toMatchObject({
            A: { dependabot: false, codespaces: false },
            B: { dependabot: true, codespaces: false },
        });
        for (const { value } of Object.values(secrets)) expect(await pulumi.isSecret(value)).toBe(true);
    });

    test.each([
        ["an owner that is missing", { github: '{"repository":"bot"}' }, "pulumi config set github:owner"],
        ["an owner before the repository", { github: '{"repository":"us/bot"}' }, "its owner is set by itself"],
        ["a branch that git refuses", { github: '{"repository":"bot","branch":"a..b"}' }, "not the name of a branch"],
        [
            "an unknown delivery",
            { github: '{"repository":"bot","delivery":"mail"}' },
            "layered-images:github (at delivery)",
        ],
        ["a token in the configuration", { ...github, "github:token": "t" }, "pulumi config rm github:token"],
        ["secrets without a repository", { repositorySecrets: '{"A":"x"}' }, "set without a repository"],
        [
            "a secret name with a hyphen",
            { ...github, repositorySecrets: '{"A-B":"x"}' },
            "(at A-B): GitHub refuses this name",
        ],
        [
            "names that differ by case only",
            { ...github, repositorySecrets: '{"A":"x","a":"y"}' },
            "(at a): GitHub refuses",
        ],
        ["an empty secret", { ...github, repositorySecrets: '{"A":""}' }, "(at A): neither a text of 1 to 49152 bytes"],
    ])("%s is refused", async (_, config, text) => {
        await expect(read(config)).rejects.toThrow(message(text));
    });

    test("a secret that was set without --secret is refused, and not repeated", async () => {
        const reading = read({ ...github, repositorySecrets: '{"A":"hunter2"}' }, undefined, true, []);
        await expect(reading).rejects.toThrow(message("readable by everyone in the stack's file"));
        await expect(reading).rejects.not.toThrow(message("hunter2"));
    });

    test("one that was set without --secret beside one that was set with it is refused too", async () => {
        const values = { A: { secure: "v1:0:1" }, B: "hunter2" };
        const checkout = tree({
            "Pulumi.test.yaml": JSON.stringify({ config: { [keyOf("repositorySecrets")]: values } }),
        });
        const config = { ...github, repositorySecrets: '{"A":"hunter1","B":"hunter2"}' };
        const reading = read(config, undefined, true, ["repositorySecrets"], checkout);
        await expect(reading).rejects.toThrow(message("pulumi config set --secret --path repositorySecrets.B"));
        await expect(reading).rejects.not.toThrow(message("repositorySecrets.A"));
        await expect(reading).rejects.not.toThrow(message("hunter"));
    });

    test("problems of values and of what surrounds them are told at once", async () => {
        const reading = read({ github: '{"repository":"us/bot"}', "github:token": "t" });
        for (const text of ["github:owner", "github:token", "(at repository)"]) {
            await expect(reading).rejects.toThrow(message(text));
        }
    });
});

describe("deployments", () => {
    const pem = `-----BEGIN OPENSSH PRIVATE KEY-----\n${"hunter2".repeat(10)}\n-----END OPENSSH PRIVATE KEY-----`;
    const hostKey = `ssh-ed25519 ${"A".repeat(68)}`;
    const bot = { image: "bot", host: "bot.example.org", user: "deploy", key: pem, hostKey, command: "./start" };
    const withBot = (change: object) => ({ deployments: JSON.stringify({ bot: { ...bot, ...change } }) });
    const encrypted = ["deployments"];

    test("have a key that is secret from the moment it is read, with the line break that its file ends in", async () => {
        const { deployments } = await read(withBot({}), undefined, true, encrypted);
        const { key, ...rest } = deployments.bot ?? { key: pulumi.output("") };
        expect(rest).toMatchObject({ image: "bot", host: "bot.example.org", port: 22, timeout: 600 });
        expect(await pulumi.isSecret(key)).toBe(true);
        expect(await new Promise((resolve) => key.apply(resolve))).toBe(`${pem}\n`);
    });

    test("with a key that is readable in the stack's file are refused, and the key is not repeated", async () => {
        const failing = read(withBot({}), undefined, true, []);
        await expect(failing).rejects.toThrow(/layered-images:deployments \(at bot\.key\): readable by everyone/);
        await expect(failing).rejects.toThrow("pulumi config set --secret --path 'deployments.bot.key' < <file");
        await expect(failing).rejects.not.toThrow("hunter2");
    });

    test("with an encrypted setting that plans and the state show are refused, and the value is not repeated", async () => {
        const checkout = temporaryFolder();
        const inFile = { bot: { key: secure, command: secure, health: { command: secure }, host: "bot.example.org" } };
        writeFileSync(
            path.join(checkout, `Pulumi.${pulumi.getStack()}.yaml`),
            JSON.stringify({ config: { "layered-images:deployments": inFile } }),
        );
        const failing = read(withBot({ command: "run hunter2" }), undefined, true, encrypted, checkout);
        await expect(failing).rejects.toThrow(
            /\(at bot\.command\): set with --secret[^\n]+\n[^\n]*\(at bot\.health\.command\): set with --secret/,
        );
        await expect(failing).rejects.not.toThrow(/hunter2|at bot\.key/);
    });

    test.each<[string, object, string | RegExp]>([
        [
            "a host key that is missing",
            { hostKey: undefined },
            "Set it: pulumi config set --path 'deployments.bot.hostKey' <value>",
        ],
        [
            "a private key that is none",
            { key: "hunter2" },
            "Set it: pulumi config set --secret --path 'deployments.bot.key'",
        ],
        [
            "a key that it does not know",
            { hots: "x" },
            /unknown key .* known are image, host, port, user, key, hostKey/,
        ],
        ["a name that no file can have", { "": "" }, "layered-images:deployments"],
    ])("%s is named, with the command that mends it", async (_, change, message) => {
        const failing = read(withBot(change), undefined, true, encrypted);
        await expect(failing).rejects.toThrow(message);
        await expect(failing).rejects.not.toThrow("hunter2");
    });
});

test.each<[string, unknown]>([
    ["gzip", { type: "gzip" }],
    ['{"type":"zstd","level":19}', { type: "zstd", level: 19 }],
])("the compression %s is read", async (compression, expected) => {
    expect(await read({ compression })).toMatchObject({ compression: expected });
});

test("a compression that there is not is refused, with those that there are", async () => {
    await expect(read({ compression: "estargz" })).rejects.toThrow(
        'layered-images:compression: neither "zstd", "gzip" nor an object with type and level. Set it: pulumi config set compression',
    );
});
