import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../tests/tree";
import { pulumiHome } from "./pulumiHome";
import { type Toolchain, isAtLeast } from "./toolchain";
import { tools } from "./tools";

/** A toolchain as it is cached, each binary holding the text `content`. */
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

test.each([
    ["3.259.0", "3.259.0", true],
    ["3.300.1", "3.259.0", true],
    ["4.0.0", "3.259.0", true],
    ["3.258.9", "3.259.0", false],
    ["0.9.0", "0.31.1", false],
])("version %s serves where %s is wanted: %s", (found, wanted, serves) => {
    expect(isAtLeast(found, wanted)).toBe(serves);
});
