import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { ImageDefinitions } from "../lib/hierarchy/definition";
import { fixture } from "../tests/fixture";
import { expect, test } from "../tests/mocha";
import { tree, writeTree } from "../tests/tree";
import { header } from "./files";
import { refuseStale, staleWorkflows, writeWorkflows } from "./write";

const images: ImageDefinitions = {
    base: {
        description: "",
        name: "ghcr.io/fixture/base:latest",
        dockerfile: "docker/Dockerfile.base",
        platforms: "host",
    },
    ci: { description: "", name: "ghcr.io/fixture/ci:latest", dockerfile: "docker/Dockerfile.ci", platforms: "host" },
};
const deploy = ".github/workflows/deploy.yml";

test("writes what is missing, once", () => {
    const root = tree(fixture);
    expect(writeWorkflows(root, { images })).toContain(deploy);
    expect(readFileSync(path.join(root, deploy), "utf8")).toContain("Deploy Discord Bot");
    expect(writeWorkflows(root, { images })).toEqual([]);
});

test("a changed file, a missing one and one too many are stale, and are put right", () => {
    const root = tree(fixture);
    writeWorkflows(root, { images });
    writeTree(root, {
        [deploy]: `${header}\nname: changed by hand\n`,
        ".github/workflows/former.yml": `${header}\nname: former\n`,
        ".github/workflows/theirs.yml": "name: somebody else's\n",
    });
    rmSync(path.join(root, ".github/dependabot.yml"));
    const { changed, removed } = staleWorkflows(root, { images });
    expect([Object.keys(changed), removed]).toEqual([
        [deploy, ".github/dependabot.yml"],
        [".github/workflows/former.yml"],
    ]);
    writeWorkflows(root, { images });
    expect(staleWorkflows(root, { images })).toEqual({ changed: {}, removed: [] });
    expect(existsSync(path.join(root, ".github/workflows/theirs.yml"))).toBe(true);
});

test("a changed input of an image makes its filter's file stale", () => {
    const root = tree(fixture);
    writeWorkflows(root, { images });
    writeTree(root, { "docker/Dockerfile.ci": "FROM ghcr.io/fixture/base:latest\nCOPY app /app\n" });
    expect(staleWorkflows(root, { images }).changed[".github/workflows/ci-image.yml"]).toContain("- app/**");
});

test("a file without our header is somebody else's: refused, and nothing is written", () => {
    const root = tree({ ...fixture, [deploy]: "name: mine\n" });
    expect(() => writeWorkflows(root, { images })).toThrow(/deploy.yml: .*did not generate it/);
    expect(existsSync(path.join(root, ".github/workflows/test.yml"))).toBe(false);
});

test("a check passes fresh files, names stale ones with both ways out, and writes nothing", () => {
    const root = tree(fixture);
    writeWorkflows(root, { images });
    refuseStale(root, { images });
    const moved = readFileSync(path.join(root, deploy), "utf8").replace(
        /checkout@[0-9a-f]{40} # \S+/,
        "checkout@main # v99",
    );
    writeTree(root, { [deploy]: moved, ".github/workflows/former.yml": `${header}\nname: former\n` });
    expect(() => {
        refuseStale(root, { images });
    }).toThrow(/deploy\.yml, \.github\/workflows\/former\.yml\n.*npm run workflows .*--take-pins/);
    expect(readFileSync(path.join(root, deploy), "utf8")).toBe(moved);
});
