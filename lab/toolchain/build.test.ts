import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../../lib/system/paths";
import { expect, test } from "../../tests/mocha";
import { goAlone, withPrograms } from "../../tests/programs";
import { temporaryFolder } from "../../tests/tree";
import { type Toolchain, ensureToolchain, findToolchain, missingTools } from "./build";
import { pulumiHome } from "./pulumiHome";
import { tools } from "./tools";

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
    const builds = readFileSync(go, "utf8").trim().split("\n");
    expect(builds).toHaveLength(Object.keys(tools).length);
    // A cache hit builds nothing.
    await ensureToolchain(cache);
    expect(readFileSync(go, "utf8").trim().split("\n")).toEqual(builds);
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
    await expect(findToolchain(cache)).rejects.toThrow(/buildkit .* is not built yet: run `npm run lab -- start`/);
});

test("every go.mod names a Go with its patch number: older ones look for that version by this name", () => {
    const folder = path.join(packageRoot, "lab", "toolchain");
    const modules = readdirSync(folder).filter((name) => existsSync(path.join(folder, name, "go.mod")));
    expect(modules).toEqual(expect.arrayContaining(Object.values(tools).map((tool) => tool.folder)));
    for (const name of modules) {
        expect(readFileSync(path.join(folder, name, "go.mod"), "utf8"), name).toMatch(/^go \d+\.\d+\.\d+$/m);
    }
});

test("without Go the error says which is needed", async () => {
    withPrograms({ go: "exit 127" });
    await expect(ensureToolchain(temporaryFolder())).rejects.toThrow(/Install Go 1\.21 or later/);
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
