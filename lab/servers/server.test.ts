import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventually, expect, test } from "../../tests/mocha";
import { temporaryFolder, tree } from "../../tests/tree";
import { deadServers, runningProcess, startedServers, writePidFile } from "../../lib/system/pidFiles";
import { descendants, startOf } from "../../lib/system/processTable";
import { type Server, recoverPidFile, serverStatus, startServer, stopServer } from "./server";

/** Resolves while the server of a folder runs. */
const whileRunning = (folder: string) => () =>
    runningProcess(folder, "server") ? Promise.resolve() : Promise.reject(new Error("down"));

/** Returns a server that runs a shell script and is ready once `check` resolves. */
function server(folder: string, script: string, check: () => Promise<void> = whileRunning(folder)): Server {
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
    const shell = server(folder, "trap '' TERM; setsid sleep 100 & wait; sleep 0.1");
    await startServer(folder, shell);
    const status = await serverStatus(folder, shell);
    const pid = status.state === "running" ? status.pid : 0;
    await eventually(() => {
        expect(descendants(pid)).toHaveLength(1);
    });
    const [child = 0] = descendants(pid);
    expect(await stopServer(folder, "server")).toBe(true);
    expect([startOf(pid), startOf(child)]).toEqual([undefined, undefined]);
});

test("a server's temporary files lie in its own folder, from which a start removes what is empty and nothing else", async () => {
    const folder = tree({ "tmp/full/file": "", "tmp/file": "" });
    const temporary = path.join(folder, "tmp");
    mkdirSync(path.join(temporary, "left"));
    const shell = server(folder, "mktemp -d -t made-XXXX && exec sleep 100");
    try {
        await startServer(folder, { ...shell, temporary });
        await eventually(() => {
            expect(readdirSync(temporary).some((name) => name.startsWith("made-"))).toBe(true);
        });
        expect(readdirSync(temporary).filter((name) => !name.startsWith("made-"))).toEqual(["file", "full"]);
    } finally {
        await stopServer(folder, "server");
    }
});

test("a server that is only slow to answer is not replaced", async () => {
    const folder = temporaryFolder();
    let misses = 0;
    const shell = server(folder, "exec sleep 100", () =>
        misses-- > 0 ? Promise.reject(new Error("no answer")) : whileRunning(folder)(),
    );
    try {
        expect(await startServer(folder, shell)).toBe("started");
        misses = 2;
        expect(await startServer(folder, shell)).toBe("same");
    } finally {
        await stopServer(folder, "server");
    }
});

test("a server with another configuration is started anew, but not while it has to be kept; one that ended always is", async () => {
    const folder = temporaryFolder();
    const serving = (seconds: number) => server(folder, `exec sleep ${seconds}`);
    try {
        await startServer(folder, serving(100));
        const first = runningProcess(folder, "server")?.pid ?? 0;
        expect(await startServer(folder, serving(101), true)).toBe("kept");
        expect(runningProcess(folder, "server")?.pid).toBe(first);
        expect(await startServer(folder, serving(101))).toBe("started");
        const second = runningProcess(folder, "server")?.pid ?? 0;
        expect(second).not.toBe(first);
        process.kill(second, "SIGKILL");
        await eventually(() => {
            expect(startOf(second)).toBeUndefined();
        });
        expect(await startServer(folder, serving(102), true)).toBe("started");
    } finally {
        await stopServer(folder, "server");
    }
});

test.each([
    ["of a process that is gone", JSON.stringify({ pid: process.pid, started: "0", key: "" })],
    ["that a crash left empty", ""],
    ["that says something else", "{}"],
])("a pid file %s is no server, and is removed", async (_name, text) => {
    const folder = tree({ "server.pid": text });
    expect(deadServers(folder)).toEqual(["server"]);
    expect(await stopServer(folder, "server")).toBe(false);
    expect(startedServers(folder)).toEqual([]);
});

test("a server that another run starts while one is being stopped keeps its pid file", async () => {
    const folder = temporaryFolder();
    const shell = server(folder, "trap 'sleep 1 & sleep 0.2; exit' TERM; while :; do sleep 0.1; done");
    await startServer(folder, shell);
    const stopping = stopServer(folder, "server");
    writePidFile(folder, "server", { pid: process.pid, started: startOf(process.pid) ?? "", key: "" });
    expect(await stopping).toBe(true);
    expect(runningProcess(folder, "server")?.pid).toBe(process.pid);
});

test.each<[string, (file: string) => void]>([
    [
        "missing",
        (file) => {
            rmSync(file);
        },
    ],
    [
        "empty",
        (file) => {
            writeFileSync(file, "");
        },
    ],
    [
        "a folder",
        (file) => {
            rmSync(file);
            mkdirSync(file);
        },
    ],
])("a running server whose pid file is %s is found, stopped and started again, never beside it", async (_, damage) => {
    const folder = temporaryFolder();
    const shell = server(folder, "sleep 100; true");
    const started: Server = { ...shell, args: [...shell.args, shell.config.file] };
    try {
        await startServer(folder, started);
        const first = runningProcess(folder, "server")?.pid ?? 0;
        expect(first).toBeGreaterThan(0);
        damage(path.join(folder, "server.pid"));
        expect(await startServer(folder, started, true)).toBe("kept");
        expect(runningProcess(folder, "server")?.pid).toBe(first);
        damage(path.join(folder, "server.pid"));
        expect(await startServer(folder, started)).toBe("started");
        expect(startOf(first)).toBeUndefined();
        damage(path.join(folder, "server.pid"));
        recoverPidFile(folder, started);
        expect(await stopServer(folder, "server")).toBe(true);
    } finally {
        await stopServer(folder, "server");
    }
});

test("a server that answers from where its process can't be seen is named, and none is started beside it", async () => {
    const folder = temporaryFolder();
    const shell = server(folder, "exec sleep 100", () => Promise.resolve());
    await expect(startServer(folder, shell)).rejects.toThrow(
        /server answers already, and its process can't be seen from here[^]*next: stop the lab there/,
    );
    expect(startedServers(folder)).toEqual([]);
});

test("a start that failed ends with the next step for what this start logged, not for what an earlier one did", async () => {
    const folder = tree({ "server.log": "store damaged\n" });
    const shell = server(folder, "echo $MESSAGE; exit 7", () => Promise.reject(new Error("down")));
    const advice = (log: string) => (log.includes("store damaged") ? "remove the store" : undefined);
    const start = (MESSAGE: string) => startServer(folder, { ...shell, advice, env: { ...process.env, MESSAGE } });
    await expect(start("address in use")).rejects.toThrow(/server did not start[^]*\n {2}next: mend what the log says/);
    await expect(start("store damaged")).rejects.toThrow(/server did not start[^]*\n {2}next: remove the store$/);
});
