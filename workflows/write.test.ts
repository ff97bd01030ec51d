import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { invented as definitions, inventedFiles } from "../tests/github/invented";
import { expect, test } from "../tests/mocha";
import { tree, writeTree } from "../tests/tree";
import { header } from "./files";
import { refuseStale, staleWorkflows, writeWorkflows } from "./write";

const soil = ".github/workflows/soil.yml";

test("writes what is missing, once", () => {
    const root = tree(inventedFiles);
    expect(writeWorkflows(root, definitions)).toContain(soil);
    expect(readFileSync(path.join(root, soil), "utf8")).toContain("Soil and greenhouse");
    expect(writeWorkflows(root, definitions)).toEqual([]);
});

test("a changed file, a missing one and one too many are stale, and are put right", () => {
    const root = tree(inventedFiles);
    writeWorkflows(root, definitions);
    writeTree(root, {
        [soil]: `${header}\nname: changed by hand\n`,
        ".github/workflows/former.yml": `${header}\nname: former\n`,
        ".github/workflows/theirs.yml": "name: somebody else's\n",
    });
    rmSync(path.join(root, ".github/dependabot.yml"));
    const { changed, removed } = staleWorkflows(root, definitions);
    expect([Object.keys(changed), removed]).toEqual([
        [soil, ".github/dependabot.yml"],
        [".github/workflows/former.yml"],
    ]);
    writeWorkflows(root, definitions);
    expect(staleWorkflows(root, definitions)).toEqual({ changed: {}, removed: [] });
    expect(existsSync(path.join(root, ".github/workflows/theirs.yml"))).toBe(true);
});

test("a changed input of an image makes its filter's file stale", () => {
    const root = tree(inventedFiles);
    writeWorkflows(root, definitions);
    writeTree(root, { "images/shop.Dockerfile": "FROM debian:13\nCOPY app /app\n", "app/a": "" });
    expect(staleWorkflows(root, definitions).changed[".github/workflows/shop.yml"]).toContain("- app/**");
});

test("a file without our header is somebody else's: refused, and nothing is written", () => {
    const root = tree({ ...inventedFiles, [soil]: "name: mine\n" });
    expect(() => writeWorkflows(root, definitions)).toThrow(/soil\.yml: .*did not generate it/);
    expect(existsSync(path.join(root, ".github/workflows/harvest.yml"))).toBe(false);
});

test("a check passes fresh files, names stale ones with both ways out, and writes nothing", () => {
    const root = tree(inventedFiles);
    writeWorkflows(root, definitions);
    refuseStale(root, definitions);
    const moved = readFileSync(path.join(root, soil), "utf8").replace(
        /checkout@[0-9a-f]{40} # \S+/,
        "checkout@main # v99",
    );
    writeTree(root, { [soil]: moved, ".github/workflows/former.yml": `${header}\nname: former\n` });
    expect(() => {
        refuseStale(root, definitions);
    }).toThrow(/soil\.yml, \.github\/workflows\/former\.yml\n.*npm run workflows .*--take-pins/);
    expect(readFileSync(path.join(root, soil), "utf8")).toBe(moved);
});
