import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../tests/tree";
import { descendants, startOf } from "./processTable";
import { type Server, serverStatus, startServer, stopServer } from "./servers";

/** A server that is a shell script, which serves once `check` resolves. */
function server(folder: string, script: string, check: () => Promise<void>): Server {
    return {
        name: "server",
        command: "sh",
        args: ["-c", script],
        config: { file: path.join(folder, "c"), text: "" },
        check,
    };
}

test("stopping a server ends what it has started, even what ignores its end", async () => {
    const folder = temporaryFolder();
    const shell = server(folder, "trap '' TERM; setsid sleep 100 & wait; sleep 0.1", () => Promise.resolve());
    await startServer(folder, shell);
    const status = await serverStatus(folder, shell);
    const pid = status.state === "running" ? status.pid : 0;
    await expect.poll(() => descendants(pid)).toHaveLength(1);
    const [child = 0] = descendants(pid);
    expect(await stopServer(folder, "server")).toBe(true);
    expect([startOf(pid), startOf(child)]).toEqual([undefined, undefined]);
});

test("a server that is only slow to answer is not replaced", async () => {
    const folder = temporaryFolder();
    let misses = 0;
    const shell = server(folder, "exec sleep 100", () =>
        misses-- > 0 ? Promise.reject(new Error("no answer")) : Promise.resolve(),
    );
    try {
        expect(await startServer(folder, shell)).toBe(true);
        misses = 2;
        expect(await startServer(folder, shell)).toBe(false);
    } finally {
        await stopServer(folder, "server");
    }
});

test("the pid file of a process that is gone is no server", async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "server.pid"), JSON.stringify({ pid: process.pid, started: "0", key: "" }));
    expect(await stopServer(folder, "server")).toBe(false);
});
