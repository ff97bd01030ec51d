import { spawnSync } from "node:child_process";
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
