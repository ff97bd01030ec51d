import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { packageRoot } from "../lib/system/paths";
import { programName } from "./main";

test.each<[readonly string[], string | undefined, string]>([
    [["up"], "up", "npm run"],
    [["lab", "start"], "lab", "npm run"],
    [["up"], undefined, "layered-images"],
    [[], undefined, "layered-images"],
    // npx, and a script of another project.
    [["up"], "npx", "layered-images"],
    [["up"], "release", "layered-images"],
])("%j in npm's script %s shows help of %s", (args, npm_lifecycle_event, name) => {
    expect(programName(args, { npm_lifecycle_event })).toBe(name);
});

test("the package's program is the same as its scripts, wherever a link to it lies", () => {
    const { bin, scripts } = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8")) as {
        bin: Record<string, string>;
        scripts: Record<string, string>;
    };
    const file = bin["layered-images"] ?? "";
    // npm itself runs this script, when it packs.
    delete scripts.prepack;
    const root = tree({});
    symlinkSync(path.join(packageRoot, file), path.join(root, "program"));
    const env = { ...process.env, npm_lifecycle_event: undefined };
    const options = { cwd: root, env, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(path.join(root, "program"), ["--help"], options);
    expect([status, stderr]).toEqual([0, ""]);
    const commands = [...stdout.matchAll(/^ {2}([a-z:-]+) /gm)].map(([, command]) => command);
    expect(stdout).toMatch(/^Usage: layered-images /);
    expect(commands.sort()).toEqual(Object.keys(scripts).sort());
    expect(Object.entries(scripts)).toEqual(Object.keys(scripts).map((one) => [one, `node ${file} ${one}`]));
}).timeout(30_000);

test("an images.ts that never ends can be stopped, and nothing that needs no images waits for it", async () => {
    const text = 'require("node:fs").writeSync(1, "loading"); for (;;) {}';
    const cwd = tree({ "Pulumi.yaml": "name: acme\nruntime: nodejs\n", "images.ts": text });
    const program = path.join(packageRoot, "cli", "bootstrap.mjs");
    const options = { cwd, env: { ...process.env, LAYERED_IMAGES_HOME: path.join(cwd, "home") } };
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const child = spawn(process.execPath, [program, "workflows", "--check"], options);
        await once(child.stdout, "data");
        child.kill(signal);
        expect(await once(child, "exit")).toEqual([null, signal]);
    }
    const outcome = (...args: string[]) => {
        const { status, stdout } = spawnSync(process.execPath, [program, ...args], { ...options, encoding: "utf8" });
        return [status, stdout.split("\n")[0]];
    };
    expect(outcome("lab", "status")).toEqual([1, "registry   stopped"]);
    expect(outcome("down")).toEqual([0, "nothing was running"]);
    expect(outcome("up", "--help")).toEqual([0, expect.stringMatching(/^Usage: /)]);
}).timeout(60_000);
