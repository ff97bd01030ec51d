import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { repositoryRoot } from "../lib/system/paths";

/** What README tells adopters to copy: the names between backquotes in its first step. */
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
}, 30_000);
