import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { packageRoot } from "../lib/system/paths";

/** Creates a clone without node_modules, with an `npm` that logs when it begins and ends, and a command that prints its arguments. */
function freshClone() {
    const root = tree({
        "package-lock.json": "{}",
        "bin/npm": `#!/bin/sh
test -z "$NPM_FAILS" || exit 1
echo "begin $*" >> npm.log; echo chatter; sleep 0.5
mkdir -p node_modules/@swc/core
echo '{ "version": "1.0.0" }' > node_modules/@swc/core/package.json
echo 'exports.transformSync = (code) => ({ code });' > node_modules/@swc/core/index.js
echo end >> npm.log
`,
        "cli/main.ts": "exports.main = async (args) => { console.log(args.join()); return 7; };\n",
    });
    for (const file of ["cli/bootstrap.mjs", "lib/system/typescript.cjs"]) {
        mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
        copyFileSync(path.join(packageRoot, file), path.join(root, file));
    }
    chmodSync(path.join(root, "bin", "npm"), 0o755);
    const env = { ...process.env, PATH: `${path.join(root, "bin")}:${process.env.PATH ?? ""}` };
    return { root, env, log: path.join(root, "npm.log") };
}

test("two commands at once in a fresh clone install once, and print nothing but what they are asked for", async () => {
    const { root, env, log } = freshClone();
    const run = async () => {
        const child = spawn("node", ["cli/bootstrap.mjs", "lab", "env"], { cwd: root, env });
        let stdout = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
        const code = await new Promise((resolve) => child.on("close", resolve));
        return { code, stdout };
    };
    const outcome = { code: 7, stdout: "lab,env\n" };
    expect(await Promise.all([run(), run()])).toEqual([outcome, outcome]);
    expect(readFileSync(log, "utf8")).toMatch(/^begin ci .*\nend\n$/);
});

test("without flock, which macOS lacks, it installs all the same", () => {
    const { root, env, log } = freshClone();
    const programs = ["sh", "sleep", "mkdir"].map((name) => `ln -s "$(command -v ${name})" bin/${name}`);
    spawnSync("sh", ["-c", programs.join(" && ")], { cwd: root });
    const alone = { ...env, PATH: path.join(root, "bin") };
    const run = spawnSync(process.execPath, ["cli/bootstrap.mjs", "up"], { cwd: root, env: alone, encoding: "utf8" });
    expect([run.status, run.stdout]).toEqual([7, "up\n"]);
    expect(readFileSync(log, "utf8")).toMatch(/^begin ci .*\nend\n$/);
});

test("an installation that fails is no installation", () => {
    const { root, env } = freshClone();
    const failing = { ...env, NPM_FAILS: "yes" };
    const run = spawnSync("node", ["cli/bootstrap.mjs", "up"], { cwd: root, env: failing, encoding: "utf8" });
    expect(run.stdout).toBe("");
    expect(run.stderr).toContain("error: npm ci failed");
    expect(run.status).toBe(1);
    expect(existsSync(path.join(root, "node_modules"))).toBe(false);
});

test("on a Node.js that is too old the error says which is needed", () => {
    const older = `Object.defineProperty(process.versions, "node", { value: "20.9.0" });`;
    const script = `${older} import(${JSON.stringify(path.join(packageRoot, "cli", "bootstrap.mjs"))})`;
    const { status, stderr } = spawnSync("node", ["--eval", script], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toBe("error: Node.js 20.9.0 is too old: install 20.19 or later (https://nodejs.org).\n");
});
