import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach } from "mocha";
import { packageRoot } from "../../lib/system/paths";
import { expect, stubEnv, test } from "../../tests/mocha";
import { goAlone, withPrograms } from "../../tests/programs";
import { temporaryFolder, writeTree } from "../../tests/tree";
import { type Toolchain, ensureToolchain, findToolchain, missingTools } from "./build";
import { pulumiHome } from "./pulumiHome";
import { releasesVariable } from "./releases";
import { tools } from "./tools";

// What is tested here is the machine's own tools, and building. releases.test.ts tests what is taken from the network.
beforeEach(() => {
    stubEnv(releasesVariable, "none");
});

/** Creates a cached toolchain. Each binary contains the text `content`. */
function toolchain(cache: string, content: string): Toolchain {
    const entries = Object.entries(tools).map(([name, tool]) => {
        const folder = path.join(cache, "toolchain", `${tool.folder}-${content}`);
        mkdirSync(folder, { recursive: true });
        for (const one of tool.packages) {
            const binary = one === "." ? tool.folder : path.basename(one);
            writeFileSync(path.join(folder, binary), content);
        }
        return [name, folder];
    });
    return Object.fromEntries(entries) as Toolchain;
}

const plugin = `plugins/resource-docker-build-v${tools.dockerBuild.version}/${tools.dockerBuild.folder}`;
const files = ["bin/pulumi", `bin/${tools.languageHost.folder}`, plugin];
const contents = (home: string) => files.map((file) => readFileSync(path.join(home, file), "utf8"));

test("a tool that was built anew is the one that Pulumi finds", () => {
    const cache = temporaryFolder();
    const before = toolchain(cache, "old");
    expect(contents(pulumiHome(cache, before, {}))).toEqual(["old", "old", "old"]);
    const { languageHost, dockerBuild } = toolchain(cache, "new");
    const after = { ...before, languageHost, dockerBuild };
    expect(contents(pulumiHome(cache, after, {}))).toEqual(["old", "new", "new"]);
    expect(pulumiHome(cache, after, {})).toBe(pulumiHome(cache, after, {}));
});

test("with an official Pulumi its own home stays in use", () => {
    const cache = temporaryFolder();
    const home = path.join(cache, "own");
    const official = { ...toolchain(cache, "new"), pulumi: undefined, languageHost: undefined };
    expect(pulumiHome(cache, official, { PULUMI_HOME: home })).toBe(home);
    expect(readFileSync(path.join(home, plugin), "utf8")).toBe("new");
});

test("two runs at once build each tool once, and both have all of them", async () => {
    const go = `${withPrograms(goAlone)}/go.log`;
    const cache = temporaryFolder();
    const [one, other] = await Promise.all([ensureToolchain(cache), ensureToolchain(cache)]);
    expect(one).toEqual(other);
    expect(await findToolchain(cache)).toEqual(one);
    const calls = () => readFileSync(go, "utf8").trim().split("\n");
    const before = calls();
    expect(before.filter((call) => call.startsWith("build "))).toHaveLength(Object.keys(tools).length);
    // A cache hit builds nothing.
    await ensureToolchain(cache);
    expect(calls()).toEqual(before);
});

test("a tool whose build fails is not there, and the error quotes its log", async () => {
    withPrograms({
        ...goAlone,
        go: 'test "$1" = env && echo go1.26.0 && exit\necho "no space left on device" >&2; exit 1',
    });
    const cache = temporaryFolder();
    await expect(ensureToolchain(cache)).rejects.toThrow(
        /go build [\s\S]*: exit code 1\n[\s\S]*no space left on device/,
    );
    expect(await missingTools(cache)).toHaveLength(Object.keys(tools).length);
    await expect(findToolchain(cache)).rejects.toThrow(/buildkit .* is not there yet: run `npm run lab -- start`/);
});

test("every go.mod names a Go with its patch number: older ones look for that version by this name", () => {
    const folder = path.join(packageRoot, "lab", "toolchain");
    const modules = readdirSync(folder).filter((name) => existsSync(path.join(folder, name, "go.mod")));
    expect(modules).toEqual(expect.arrayContaining(Object.values(tools).map((tool) => tool.folder)));
    for (const name of modules) {
        expect(readFileSync(path.join(folder, name, "go.mod"), "utf8"), name).toMatch(/^go \d+\.\d+\.\d+$/m);
    }
});

/** Returns the versions in a tool's go.mod, by module. */
const versionsIn = (tool: keyof typeof tools): ReadonlyMap<string, string> => {
    const text = readFileSync(path.join(packageRoot, "lab", "toolchain", tools[tool].folder, "go.mod"), "utf8");
    return new Map(
        [...text.matchAll(/^(?:require |\t)(\S+) (v\S+)/gm)].map(([, name = "", version = ""]) => [name, version]),
    );
};

test.each([
    ["languageHost", "pulumi"],
    ["command", "dockerBuild"],
] as const)("%s has the versions of %s, so that what both need is compiled once", (own, other) => {
    const versions = versionsIn(other);
    const shared = [...versionsIn(own)].filter(([name]) => versions.has(name));
    expect(shared.length).toBeGreaterThan(50);
    for (const [name, version] of shared) expect(version, name).toBe(versions.get(name));
});

test("without Go the error says which is needed, and what is built needs none", async () => {
    const cache = temporaryFolder();
    withPrograms({ ...goAlone, go: "exit 127" });
    await expect(ensureToolchain(cache)).rejects.toThrow(/^Go is needed to build buildkit .*Install Go 1\.21 or later/);
    withPrograms(goAlone);
    const built = await ensureToolchain(cache);
    withPrograms({ ...goAlone, go: "exit 127" });
    expect(await ensureToolchain(cache)).toEqual(built);
    expect(await findToolchain(cache)).toEqual(built);
});

/** Programs of a machine with official releases, each at least as new as the lab's; its Pulumi logs its arguments in "$0.log". */
const official = {
    go: "exit 127",
    buildkitd: 'echo "buildkitd github.com/moby/buildkit v0.99.0 0"',
    buildx: 'echo "github.com/docker/buildx v0.99.0 0"',
    pulumi: 'echo "$*" >> "$0.log"; test "$1" != version || echo v3.999.0',
    "pulumi-language-nodejs": "",
} as const;
const none = Object.fromEntries(Object.keys(tools).map((name) => [name, undefined]));
const downloads = ["docker-build 0.0.22", "github 6.15.0", "command 1.2.1"].map(
    (one) => `plugin install resource ${one}`,
);

test("with an official Pulumi and builder nothing is built, and Pulumi downloads the plugins that its home lacks", async () => {
    const home = temporaryFolder();
    stubEnv("PULUMI_HOME", home);
    const folder = withPrograms(official);
    const calls = () => readFileSync(`${folder}/pulumi.log`, "utf8").split("\n");
    expect(await ensureToolchain(temporaryFolder())).toEqual(none);
    expect(calls().filter((call) => call.startsWith("plugin"))).toEqual(downloads);

    for (const { plugin, folder: file, version } of [tools.dockerBuild, tools.github, tools.command]) {
        writeTree(home, { [`plugins/resource-${plugin}-v${version}/${file}`]: "" });
    }
    expect(await missingTools(temporaryFolder())).toEqual([]);
    expect(await findToolchain(temporaryFolder())).toEqual(none);
    expect(await ensureToolchain(temporaryFolder())).toEqual(none);
    expect(calls().filter((call) => call.startsWith("plugin"))).toEqual(downloads);
});

test("plugins that Pulumi can't download are built, and nothing else is", async () => {
    stubEnv("PULUMI_HOME", temporaryFolder());
    withPrograms({ ...official, go: goAlone.go, pulumi: `test "$1" != plugin || exit 1; ${official.pulumi}` });
    const found = await ensureToolchain(temporaryFolder());
    const built = Object.entries(found).flatMap(([name, folder]) => (folder === undefined ? [] : [name]));
    expect(built).toEqual(["dockerBuild", "github", "command"]);
});

test("a Pulumi without its language host does not spare the language host", async () => {
    stubEnv("PULUMI_HOME", temporaryFolder());
    const folder = withPrograms(official);
    rmSync(path.join(folder, "pulumi-language-nodejs"));
    stubEnv("PATH", `${folder}:/bin`);
    const names = (await missingTools(temporaryFolder())).map(({ folder }) => folder);
    expect(names).toContain("pulumi-language-nodejs");
    expect(names).not.toContain("pulumi");
});

test("a tool of this version or later that is on PATH is used, and an older one is not", async () => {
    const serving = (version: string) => ({
        ...goAlone,
        buildkitd: `echo "buildkitd github.com/moby/buildkit v${version} 0"`,
    });
    withPrograms(serving("0.99.0"));
    const names = async () => (await missingTools(temporaryFolder())).map(({ folder }) => folder);
    expect(await names()).not.toContain("buildkit");
    withPrograms(serving("0.30.0"));
    expect(await names()).toContain("buildkit");
});
