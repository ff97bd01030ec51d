import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "mocha";
import { startLab } from "../../lab/lab";
import { labStatus, stopLab } from "../../lab/labState";
import { runningUpdates } from "../../lib/engine/locks";
import { labStack, stackFile } from "../../lib/engine/stacks";
import { backendFolder, serversFolder } from "../../lib/system/paths";
import { runningProcess } from "../../lib/system/pidFiles";
import { descendants } from "../../lib/system/processTable";
import { fixture } from "../fixture";
import { type TestLab, makeRepository, startTestLab } from "../lab";
import { eventually, expect, test } from "../mocha";
import { changesOf, command, commandScript, noChanges, up } from "../stack";
import { cutInHalf, temporaryFolder, writeTree } from "../tree";

/* What a crash of the machine or an interruption leaves, with the real engine, servers and builder. */

let lab: TestLab;
let program: string;
/** A Dockerfile whose build ends. */
const quick = { Dockerfile: "FROM python:3.12-slim\nRUN echo one\n" };
before(async () => {
    lab = await startTestLab("host");
    program = makeRepository(path.join(lab.paths.state, "repository"), {
        ...fixture,
        "images.ts": `export const images = { base: { description: "", name: "ghcr.io/fixture/base:latest",
            dockerfile: "Dockerfile", platforms: ["linux/amd64"] } };\n`,
        ...quick,
    });
});
after(async () => {
    await lab.close();
});

/** Starts an `up` that ends only when it is interrupted, and resolves when its build runs. */
async function slowUp(): Promise<{ child: ChildProcess; output: () => string; temporary: string }> {
    // The number makes its process known among all others.
    const seconds = `3600.${process.pid.toString()}`;
    writeTree(program, { Dockerfile: `FROM python:3.12-slim\nRUN echo one\nRUN sleep ${seconds}\n` });
    const temporary = temporaryFolder();
    const env = { ...process.env, ...lab.variables, TMPDIR: temporary };
    const child = spawn(process.execPath, ["--eval", commandScript(["up"])], { cwd: program, env, detached: true });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    const builder = runningProcess(serversFolder(lab.paths), "buildkitd")?.pid ?? 0;
    const sleeps = (pid: number) => {
        try {
            return readFileSync(`/proc/${pid.toString()}/cmdline`, "utf8").includes(seconds);
        } catch {
            return false;
        }
    };
    await eventually(
        () => {
            expect(text).not.toContain("error");
            expect(descendants(builder).some(sleeps)).toBe(true);
        },
        { timeout: 300_000 },
    );
    return { child, output: () => text, temporary };
}

test.each<[string, (child: ChildProcess) => void]>([
    // As a terminal does, to every process of the command.
    ["Ctrl-C", ({ pid = 0 }) => process.kill(-pid, "SIGINT")],
    ["SIGTERM, twice,", (child) => child.kill() && setTimeout(() => child.kill(), 1000)],
])("%s ends an update with 130, a word and no leftovers", async (_, end) => {
    const { child, output, temporary } = await slowUp();
    expect(runningUpdates(backendFolder(lab.paths))).toHaveLength(1);
    end(child);
    await once(child, "close");
    expect(child.exitCode, output()).toBe(130);
    expect(output()).toContain("error: interrupted: what was tested is promoted");
    expect(readdirSync(temporary)).toEqual([]);
    expect(runningUpdates(backendFolder(lab.paths))).toEqual([]);
    writeTree(program, quick);
});

test.thorough("a second update says who runs, and a killed engine is told; the next update goes on", async () => {
    const { child, output } = await slowUp();
    const [pid = 0] = runningUpdates(backendFolder(lab.paths));
    const second = await command(lab, program, ["up"]);
    expect(second.code).toBe(1);
    expect(second.output).toContain(`pid ${pid.toString()}`);
    expect(second.output).toContain("stack local is being updated");
    expect(second.output).not.toContain("pulumi cancel");
    process.kill(pid, "SIGKILL");
    await once(child, "close");
    expect(child.exitCode, output()).toBe(137);
    expect(output()).toContain("error: pulumi was killed (SIGKILL)");
    writeTree(program, quick);
    const next = await command(lab, program, ["up"]);
    expect(next.output).toContain("removed the lock of a pulumi that was killed");
    expect(next.code, next.output).toBe(0);
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test.thorough("a state that was cut is restored by the command that the error names", async () => {
    const file = stackFile(backendFolder(lab.paths), labStack, program);
    cutInHalf(file);
    for (const name of ["up", "review"]) {
        const { code, output } = await command(lab, program, [name]);
        expect(code).toBe(1);
        expect(output).toContain(`${file}: the state of the stack can't be read: it is no JSON, or its end is missing`);
        const [, restore = ""] = /was done since\): (.*)/.exec(output) ?? [];
        if (name === "review") execFileSync("sh", ["-c", restore]);
    }
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});

test("servers whose pid files were lost are found, and stopped or started again", async () => {
    // The builder and the registry have something, which the next test damages.
    expect((await up(lab, program)).code).toBe(0);
    const pids = async () => Object.values(await labStatus(lab.paths)).map((one) => ("pid" in one ? one.pid : 0));
    const running = await pids();
    const lose = () => {
        for (const name of ["registry", "buildkitd", "github"])
            rmSync(path.join(serversFolder(lab.paths), `${name}.pid`));
    };
    lose();
    expect(await pids()).toEqual(running);
    lose();
    expect(await stopLab(lab.paths)).toEqual(["buildkitd", "github", "registry"]);
});

test("a database of BuildKit that was cut is named with the folder to remove, and nothing published is lost", async () => {
    const root = path.join(lab.paths.state, "buildkit", "root");
    const database = path.join(root, "runc-overlayfs", "containerdmeta.db");
    const whole = readFileSync(database);
    for (const damaged of [Buffer.alloc(whole.length), whole.subarray(0, whole.length / 4)]) {
        writeFileSync(database, damaged);
        await expect(startLab({ paths: lab.paths })).rejects.toThrow(
            `next: BuildKit's store is damaged, as after a crash of the machine. Remove it: rm -r '${root}'`,
        );
    }
    execFileSync("rm", ["-r", root]);
    await startLab({ paths: lab.paths });
    expect(changesOf(await up(lab, program))).toEqual(noChanges);
});
