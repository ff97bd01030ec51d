import { spawnSync } from "node:child_process";
import path from "node:path";
import { packageRoot } from "../system/paths";
import { expect, test } from "../../tests/mocha";

/** Runs a script in a process of its own, after lib/system/seldomUsed.ts, and returns what it printed. */
function afterwards(script: string): string {
    const text = `require("./lib/system/typescript.cjs").registerTypeScript();
        require("./lib/system/seldomUsed");
        const isLoaded = (name) => Object.values(require.cache).some(({ filename, children }) =>
            filename.includes(name) && children.length > 0);
        ${script}`;
    // The packages use what Node.js warns of.
    const done = spawnSync(process.execPath, ["--no-warnings", "-e", text], { cwd: packageRoot, encoding: "utf8" });
    expect(done.stderr).toBe("");
    return done.stdout.trim();
}

test("the SDK loads without the modules that only serialise functions", () => {
    const script = `
        const before = isLoaded("/@pulumi/pulumi/output.js");
        require("@pulumi/docker-build");
        console.log(before, isLoaded("/@pulumi/pulumi/output.js"), isLoaded("/@npmcli/arborist/lib/index.js"),
            isLoaded("/@pulumi/pulumi/typescript-shim.js"));`;
    expect(afterwards(script)).toBe("false true false false");
});

test("what needs them loads them", () => {
    const script = `
        const { runtime } = require("@pulumi/pulumi");
        const local = 7;
        (async () => {
            const { text } = await runtime.serializeFunction(() => local + 1);
            const paths = await runtime.computeCodePaths();
            console.log(text.includes("local + 1"), isLoaded("/@pulumi/pulumi/typescript-shim.js"),
                [...paths.keys()].some((name) => name.startsWith("node_modules/")), isLoaded("/@npmcli/arborist/lib/index.js"));
        })();`;
    expect(afterwards(script)).toBe("true true true true");
});

test("a version of the SDK without such a module works", () => {
    const script = `
        const { loadAtFirstUse } = require("./lib/system/seldomUsed");
        loadAtFirstUse(require, ${JSON.stringify(path.join(packageRoot, "no-such-module"))});
        loadAtFirstUse(require, "node:fs");
        console.log(typeof require("node:fs").readFileSync);`;
    expect(afterwards(script)).toBe("function");
});

test.each(["undici", "yaml"])("%s has the same exports however it is loaded", (name) => {
    const script = `
        const loaded = require(${JSON.stringify(name)});
        const keys = Object.keys(loaded).sort();
        (async () => {
            const imported = await import(${JSON.stringify(name)});
            const real = require(${JSON.stringify(name)});
            const missing = Object.keys(real).filter((key) =>
                !keys.includes(key) || loaded[key] !== real[key] || !(key in loaded) ||
                (/^\\w+$/.test(key) && key !== "default" && key !== "module.exports" && imported[key] !== real[key]));
            console.log(keys.length > 5, missing.join());
        })();`;
    expect(afterwards(script)).toBe("true");
});
