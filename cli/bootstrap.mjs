#!/usr/bin/env node
// Entry point of every npm script and of `npx layered-images`. It is plain JavaScript and uses only Node's built-in modules, because in a
// checkout it runs before node_modules exists.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

function fail(message) {
    console.error(`error: ${message}`);
    process.exit(1);
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
    fail(`Node.js ${process.versions.node} is too old: install 20.19 or later (https://nodejs.org).`);
}

const root = path.dirname(import.meta.dirname);
const args = process.argv.slice(2);
const installOnly = "--install-only";
/** The installed package contains no sources: it is compiled, and npm has installed its dependencies. */
const isCompiled = !existsSync(path.join(root, "cli", "main.ts"));

/** Installs a checkout's node_modules if it is missing or was installed from a different package-lock.json. */
function ensureDependencies() {
    const lockfileHash = createHash("sha256")
        .update(readFileSync(path.join(root, "package-lock.json")))
        .digest("hex");
    const stamp = path.join(root, "node_modules", ".installed-from");
    if (statSync(stamp, { throwIfNoEntry: false })?.isFile() && readFileSync(stamp, "utf8") === lockfileHash) return;
    if (args[0] !== installOnly) {
        // Concurrent runs wait for a lock; the first of them installs. macOS has no flock: there, each run installs for itself.
        const install = [process.execPath, import.meta.filename, installOnly];
        const result = spawnSync("flock", ["--exclusive", import.meta.dirname, ...install], { stdio: "inherit" });
        if (result.error?.code !== "ENOENT") {
            if (result.error) fail(`flock could not be started (${result.error.message}).`);
            if (result.status !== 0) process.exit(result.status ?? 1);
            return;
        }
    }
    console.error("installing node_modules (npm ci) …");
    // Install scripts are disabled: the only packages that have them would download a Pulumi plugin, which the lab provides.
    const result = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
        cwd: root,
        // Standard output is reserved for the command: a shell evaluates the output of `lab env`.
        stdio: ["ignore", 2, 2],
    });
    if (result.error) fail(`npm could not be started (${result.error.message}); it comes with Node.js.`);
    if (result.status !== 0) fail("npm ci failed; its own message is above.");
    writeFileSync(stamp, lockfileHash);
}

if (!isCompiled) ensureDependencies();
if (args[0] === installOnly) process.exit();

const require = createRequire(import.meta.url);
if (!isCompiled) require("../lib/system/typescript.cjs").registerTypeScript();
const { main } = require(isCompiled ? "../dist/cli/main.js" : "./main.ts");
process.exitCode = await main(args);
