import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { temporaryFolder, writeTree } from "../../tests/tree";
import { openCheckout } from "../context/checkout";
import { readDevcontainer } from "./file";
import { makingOf } from "./making";
import { devcontainerSchema } from "./schema";

const file = ".devcontainer/devcontainer.json";

/** Reads a devcontainer.json, with more files beside it. */
function read(text: string, more: Readonly<Record<string, string>> = {}) {
    const root = temporaryFolder();
    writeTree(root, { [file]: text, ...more });
    return readDevcontainer(openCheckout(root));
}

/** A value for each property, as the reference describes them: three forms where there are several. */
const valid: Readonly<Record<string, readonly unknown[]>> = {
    $schema: ["https://containers.dev/schema.json"],
    name: ["a name", ""],
    image: ["ghcr.io/fixture/base:latest"],
    build: [
        {
            dockerfile: "Dockerfile",
            context: "..",
            target: "dev",
            args: { A: "b" },
            cacheFrom: "a",
            options: ["--pull"],
        },
        // Beside `dockerFile` of older files.
        { args: {}, cacheFrom: ["a", "b"] },
    ],
    dockerFile: ["Dockerfile"],
    context: [".."],
    dockerComposeFile: ["compose.yml", ["a.yml", "b.yml"]],
    service: ["app"],
    runServices: [["app", "db"]],
    features: [{ "ghcr.io/devcontainers/features/node:1": { version: 22 }, "ghcr.io/a/b": "1", "./own": {} }],
    overrideFeatureInstallOrder: [["ghcr.io/a/b"]],
    customizations: [{ vscode: { extensions: ["a.b"], settings: { "a.b": [1] }, more: 1 }, jetbrains: [] }],
    remoteUser: ["vscode"],
    containerUser: ["root"],
    updateRemoteUserUID: [false],
    containerEnv: [{ A: "${localEnv:A}" }],
    remoteEnv: [{ A: "b", C: null }],
    mounts: [["source=a,target=/a,type=volume", { type: "bind", source: "a", target: "/a" }]],
    workspaceFolder: ["/workspace"],
    workspaceMount: [""],
    runArgs: [["--network=host"], []],
    capAdd: [["SYS_PTRACE"]],
    securityOpt: [["seccomp=unconfined"]],
    init: [true],
    privileged: [true],
    overrideCommand: [false],
    shutdownAction: ["none", "stopContainer", "stopCompose"],
    userEnvProbe: ["none", "loginShell", "loginInteractiveShell", "interactiveShell"],
    waitFor: ["initializeCommand", "postCreateCommand"],
    initializeCommand: ["make", ["make", "all"], { one: "make", two: ["make", "all"] }],
    onCreateCommand: [""],
    updateContentCommand: [[]],
    postCreateCommand: ["make"],
    postStartCommand: ["make"],
    postAttachCommand: ["make"],
    forwardPorts: [[3000, "db:5432"]],
    portsAttributes: [{ "3000": { label: "app", onAutoForward: "notify" }, "40000-55000": {}, ".+/server.js": {} }],
    otherPortsAttributes: [
        { onAutoForward: "silent", elevateIfNeeded: true, requireLocalPort: true, protocol: "https" },
    ],
    appPort: [3000, "8000:8010", [3000, "8000:8010"]],
    hostRequirements: [
        { cpus: 4, memory: "8gb", storage: "32gb", gpu: "optional" },
        { gpu: { cores: 1000, memory: "1gb" } },
    ],
    secrets: [{ TOKEN: { description: "for the API", documentationUrl: "https://example.com" } }],
    extensions: [["a.b"]],
    settings: [{ a: 1 }],
    devPort: [3000],
    codespaces: [{}],
};
const names = Object.keys(valid);

describe("devcontainer.json", () => {
    test("may have every property that the reference describes", () => {
        const refused = Object.entries(valid).flatMap(([name, values]) =>
            values.filter((value) => !devcontainerSchema.safeParse({ [name]: value }).success).map(() => name),
        );
        expect(refused).toEqual([]);
        expect(Object.keys(devcontainerSchema.shape).sort()).toEqual([...names].sort());
    });

    test("may have comments, and commas at the end", () => {
        const { content } = read(
            '{\n    // why\n    "name": "a", /* and */ "build": { "dockerfile": "Dockerfile", },\n}\n',
        );
        expect(content).toEqual({ name: "a", build: { dockerfile: "Dockerfile" } });
    });

    test("may have no property whose name is one letter away from a known one, and the message names one that is", () => {
        const letter = fc.constantFrom(..."aceimnoprstuCEFIPU$".split(""));
        const typo = fc
            .record({
                name: fc.constantFrom(...names),
                at: fc.nat(),
                kind: fc.constantFrom("add", "drop", "change"),
                letter,
            })
            .map(({ name, at: nat, kind, letter: other }) => {
                const at = nat % name.length;
                return name.slice(0, at) + (kind === "drop" ? "" : other) + name.slice(kind === "add" ? at : at + 1);
            })
            .filter((name) => name !== "" && !names.includes(name));
        fc.assert(
            fc.property(typo, (name) => {
                const [issue] = devcontainerSchema.safeParse({ [name]: {} }).error?.issues ?? [];
                const meant = /did you mean (\S+)\?$/.exec(issue?.message ?? "")?.[1] ?? "";
                expect(names).toContain(meant);
                expect(Math.abs(meant.length - name.length)).toBeLessThan(2);
            }),
        );
    });

    test.each<[string, string, string, ...string[]]>([
        [
            "a misspelt property",
            '{\n  "name": "a",\n  "runArg": []\n}',
            ":3: runArg: no such property",
            "did you mean runArgs?",
        ],
        [
            "a misspelt property below another",
            '{ "build": {\n"dockerFile": "a" } }',
            ":2: build.dockerFile: no such",
            "dockerfile?",
        ],
        [
            "a property that is near none",
            '{ "flavour": 1 }',
            ":1: flavour: no such property",
            "allowed: $schema, appPort, build",
        ],
        ["a wrong type", '{\n"privileged": "yes"\n}', ':2: privileged: "yes": allowed: true, false'],
        ["a wrong type in a list", '{ "runArgs": ["a",\n 1] }', ":2: runArgs.1: 1: allowed: a text"],
        [
            "a word that is not in the list",
            '{ "waitFor": "ever" }',
            ':1: waitFor: "ever": allowed: initializeCommand, ',
        ],
        [
            "a wrong feature",
            '{ "features": { "a": [1] } }',
            ":1: features.a: [1]: allowed: a version, true, or an object",
        ],
        ["a size that is none", '{ "hostRequirements": { "memory": "much" } }', '"much": allowed: a size such as 8gb'],
        ["a list", "[]", ":1: []: allowed: an object"],
        ["broken JSON", '{\n"name": }', ":2: it is not JSON with comments (ValueExpected)", "next: correct it"],
        ["an empty file", "", ":1: it is not JSON with comments"],
        [
            "two sources",
            '{ "image": "a", "build": { "dockerfile": "b" } }',
            "made from both build.dockerfile and image",
        ],
        [
            "a feature that is not there",
            '{ "features": { "./own": {} } }',
            "no .devcontainer/own/devcontainer-feature.json",
        ],
        ["a feature outside", '{ "features": { "../../own": {} } }', "features.../../own: there is no"],
    ])("is refused for %s", (_, text, ...messages) => {
        const refused = () => read(text);
        for (const message of messages) expect(refused).toThrow(message);
        expect(refused).toThrow("\n  next: ");
        expect(refused).toThrow(file);
    });

    test("is looked for where the Dev Containers CLI does", () => {
        const root = temporaryFolder();
        writeTree(root, { ".devcontainer.json": '{ "name": "in the root" }', "dev/a.json": '{ "name": "chosen" }' });
        const checkout = openCheckout(root);
        expect(readDevcontainer(checkout)).toMatchObject({ file: ".devcontainer.json" });
        expect(readDevcontainer(checkout, "./dev/a.json")).toMatchObject({ file: "dev/a.json" });
        expect(() => readDevcontainer(checkout, "b.json")).toThrow(/there is no b\.json\s+next: correct --config/);
        expect(() => readDevcontainer(openCheckout(temporaryFolder()))).toThrow(
            /there is no \.devcontainer\/devcontainer\.json and no \.devcontainer\.json\s+next: write one/,
        );
    });

    test("has another hash after a change of any file beside it", () => {
        const text = '{ "features": { "./own": {} } }';
        const own = { ".devcontainer/own/devcontainer-feature.json": "{}", ".devcontainer/own/install.sh": "true\n" };
        const { hash } = read(text, own);
        expect(read(text, { ...own, "elsewhere/file": "" }).hash).toBe(hash);
        // The Dev Containers CLI writes it while it builds.
        expect(read(text, { ...own, ".devcontainer/devcontainer-lock.json": "{}" }).hash).toBe(hash);
        expect(read(text, { ...own, ".devcontainer/own/install.sh": "false\n" }).hash).not.toBe(hash);
        expect(read(text, { ...own, ".devcontainer/own/more": "" }).hash).not.toBe(hash);
    });
});

describe("a devcontainer is made from", () => {
    const candidates = [
        { key: "base", name: "ghcr.io/fixture/base:latest", dockerfile: "docker/Dockerfile.base", parents: [] },
        { key: "dev", dockerfile: ".devcontainer/Dockerfile", parents: ["base"] },
    ];
    test.each<[string, object, object]>([
        [
            "an image's Dockerfile, on its parents",
            { build: { dockerfile: "Dockerfile" } },
            { image: "dev", below: ["base"] },
        ],
        ["the Dockerfile of an older file", { dockerFile: "Dockerfile" }, { image: "dev", below: ["base"] }],
        ["an image, on that", { image: "ghcr.io/fixture/base" }, { image: "base", below: ["base"] }],
    ])("%s", (_, content, expected) => {
        expect(makingOf(read(JSON.stringify(content)), candidates)).toEqual(expected);
    });

    test.each<[string, object, RegExp]>([
        [
            "another Dockerfile",
            { build: { dockerfile: "Other" } },
            /build\.dockerfile: Other is no image.*\s+allowed: docker\/Dockerfile\.base, /,
        ],
        ["a Dockerfile outside", { build: { dockerfile: "../../Dockerfile" } }, /\.\.\/\.\.\/Dockerfile is no image/],
        [
            "a Dockerfile on no image",
            { build: { dockerfile: "../docker/Dockerfile.base" } },
            /stands on no image of images\.ts/,
        ],
        ["another image", { image: "debian" }, /image: debian is no image.*\s+allowed: ghcr\.io\/fixture\/base:latest/],
        ["nothing", { name: "a" }, /it names no Dockerfile and no image/],
        ["services of Compose", { dockerComposeFile: "a.yml" }, /it names no Dockerfile and no image/],
    ])("never %s", (_, content, message) => {
        const made = () => makingOf(read(JSON.stringify(content)), candidates);
        expect(made).toThrow(message);
        expect(made).toThrow(/next: .*devcontainer up/);
    });
});
