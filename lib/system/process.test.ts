import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventually, expect, spyOn, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import { makeFolder } from "./files";
import { withLock } from "./lock";
import { runMasked } from "./process";

test("a folder that could not be made is absent, and nothing is left of it", async () => {
    const folder = path.join(temporaryFolder(), "made");
    const failing = makeFolder(folder, (beside) => {
        writeFileSync(path.join(beside, "half"), "");
        return Promise.reject(new Error("disk full"));
    });
    await expect(failing).rejects.toThrow("disk full");
    expect(readdirSync(path.dirname(folder))).toEqual([]);
});

test("what a killed run left of a folder is removed by the next", async () => {
    const folder = path.join(temporaryFolder(), "made");
    mkdirSync(`${folder}.part`);
    writeFileSync(path.join(`${folder}.part`, "half"), "");
    await makeFolder(folder, (beside) => {
        writeFileSync(path.join(beside, "whole"), "");
        return Promise.resolve();
    });
    expect(readdirSync(folder)).toEqual(["whole"]);
    expect(readdirSync(path.dirname(folder))).toEqual(["made"]);
});

test("what is done under a lock is not done at the same time", async () => {
    const file = path.join(temporaryFolder(), "lock");
    let inside = 0;
    const work = async () => {
        expect(++inside).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 50));
        inside--;
    };
    await Promise.all([withLock(file, work), withLock(file, work), withLock(file, work)]);
});

test("who waits for a lock says so, and Ctrl-C ends the waiting", async () => {
    const file = path.join(temporaryFolder(), "lock");
    const script = `require("ts-node/register/transpile-only");
        const { interrupt } = require("./lib/system/process.ts");
        const { withLock } = require("./lib/system/lock.ts");
        process.on("SIGINT", interrupt);
        withLock(${JSON.stringify(file)}, async () => console.log("held")).catch((error) => console.error(error.message));`;
    await withLock(file, async () => {
        const child = spawn("node", ["--eval", script], { stdio: ["ignore", "pipe", "pipe"] });
        let output = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
        child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
        await eventually(
            () => {
                expect(output).toContain(`waiting for another run to finish (it holds ${file})`);
            },
            { timeout: 20_000 },
        );
        const ended = new Promise((resolve) => child.on("close", resolve));
        child.kill("SIGINT");
        await ended;
        expect(output).toMatch(/interrupted\n$/);
        expect(output).not.toContain("held");
    });
    // The lock is free again.
    expect(spawnSync("flock", ["--nonblock", file, "true"]).status).toBe(0);
    expect(existsSync(file)).toBe(true);
}).timeout(30_000);

test("sentences of a masked command are left out, also where they come in pieces, and secrets in what stays are masked", async () => {
    const printed: string[] = [];
    const lines: string[] = [];
    spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
    const script = "printf 'it is locked. Can'; sleep 0.2; printf 'cel it.\\nby a-secret. Cancelled\\n'";
    const options = { env: process.env, secrets: ["a-secret"], unsaid: [" Cancel it."] };
    const code = await runMasked("sh", ["-c", script], { ...options, onLine: (line) => lines.push(line) });
    expect(code).toBe(0);
    expect(printed.join("")).toContain("it is locked.\nby [secret]. Cancelled\n");
    expect(lines).toEqual(["it is locked.", "by [secret]. Cancelled"]);
});
