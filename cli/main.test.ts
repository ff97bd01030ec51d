import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { repositoryRoot } from "../lib/system/paths";
import { programName } from "./main";

/** Files that README asks adopters to copy: the names between backquotes in its first step. */
function copiedByAdopters(): string[] {
    const readme = readFileSync(path.join(repositoryRoot, "README.md"), "utf8");
    const step = /^1\. Copy ([^;]*);/m.exec(readme)?.[1] ?? "";
    return [...step.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name.replace(/\/$/, ""));
}

test("the commands of the lab work in a repository that has what README tells adopters to copy", () => {
    const root = tree({ "images.ts": "export const images = {};\n" });
    const names = copiedByAdopters();
    expect(names).toContain("lab");
    for (const name of names) {
        cpSync(path.join(repositoryRoot, name), path.join(root, name), { recursive: true });
    }
    symlinkSync(path.join(repositoryRoot, "node_modules"), path.join(root, "node_modules"));
    const script = `require("ts-node/register/transpile-only");
        require("./cli/main.ts").main(["lab", "status"]).then((code) => { process.exitCode = code; });`;
    const env = { ...process.env, LAYERED_IMAGES_HOME: path.join(root, "home") };
    const { status, stdout, stderr } = spawnSync("node", ["--eval", script], { cwd: root, env, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/registry +stopped\nbuildkitd +stopped/);
    expect(status).toBe(1);
}).timeout(30_000);

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
    const { bin, scripts } = JSON.parse(readFileSync(path.join(repositoryRoot, "package.json"), "utf8")) as {
        bin: Record<string, string>;
        scripts: Record<string, string>;
    };
    const file = bin["layered-images"] ?? "";
    const root = tree({});
    symlinkSync(path.join(repositoryRoot, file), path.join(root, "program"));
    const env = { ...process.env, npm_lifecycle_event: undefined };
    const options = { cwd: root, env, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(path.join(root, "program"), ["--help"], options);
    expect([status, stderr]).toEqual([0, ""]);
    const commands = [...stdout.matchAll(/^ {2}([a-z:]+) /gm)].map(([, command]) => command);
    expect(stdout).toMatch(/^Usage: layered-images /);
    expect(commands.sort()).toEqual(Object.keys(scripts).sort());
    expect(Object.entries(scripts)).toEqual(Object.keys(scripts).map((one) => [one, `node ${file} ${one}`]));
}).timeout(30_000);
