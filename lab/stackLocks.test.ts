import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { tree } from "../tests/tree";
import { startTime } from "./processTable";
import { removeDeadLocks, runningUpdates, stackLocks } from "./stackLocks";

const folder = "pulumi/.pulumi/locks/organization/layered-images/local";
const timestamp = new Date().toISOString();
/** Long before this process started. */
const longAgo = "2001-01-01T00:00:00Z";
/** No process has a pid above the kernel's limit. */
const gone = 2 ** 22 + 1;

afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
});

function locked(file: string, content: unknown) {
    const state = tree({ [`${folder}/${file}`]: JSON.stringify(content), [`${folder}/${file}.attrs`]: "{}" });
    const removed = removeDeadLocks({ cache: state, state });
    return { removed, left: ["", ".attrs"].filter((end) => existsSync(path.join(state, folder, file + end))) };
}

test("the lock of a process that is gone is removed, and said", () => {
    const { removed, left } = locked("a.json", { pid: gone, username: "root", hostname: hostname(), timestamp });
    expect(removed).toEqual([
        `removed the lock of a pulumi that was killed (pid ${String(gone)}, started ${timestamp})`,
    ]);
    expect(left).toEqual([]);
});

test("the lock of a process whose pid another one has since got is removed, and holds nothing up", () => {
    const lock = { pid: process.pid, hostname: hostname(), timestamp: longAgo };
    const state = tree({ [`${folder}/a.json`]: JSON.stringify(lock) });
    expect(stackLocks(`file://${path.join(state, "pulumi")}`, "local")).toMatchObject([{ isDead: true }]);
    expect(runningUpdates({ cache: state, state })).toEqual([]);
    expect(locked("a.json", lock).left).toEqual([]);
});

test("the lock of a pulumi stays although it looks older than that: the clock may have been set", async () => {
    const program = path.join(tree({}), "pulumi");
    copyFileSync("/bin/sleep", program);
    const child = spawn(program, ["100"], { stdio: "ignore" });
    try {
        await once(child, "spawn");
        const lock = { pid: child.pid, hostname: hostname(), timestamp: longAgo };
        expect(locked("a.json", lock)).toEqual({ removed: [], left: ["", ".attrs"] });
    } finally {
        child.kill();
    }
});

test("a process started between boot and now, and one that is gone never did", () => {
    const started = startTime(process.pid) ?? 0;
    expect(Math.abs(started - (Date.now() - process.uptime() * 1000))).toBeLessThan(5000);
    expect(startTime(gone)).toBeUndefined();
});

test.each([
    ["of a process that lives", { pid: process.pid, hostname: hostname(), timestamp }],
    ["of a process that lives, of unknown time", { pid: process.pid, hostname: hostname(), timestamp: "" }],
    ["of another machine", { pid: gone, hostname: `${hostname()}-other`, timestamp }],
    ["that is no lock of Pulumi's", { owner: "somebody" }],
])("a lock %s stays", (_name, content) => {
    expect(locked("a.json", content)).toEqual({ removed: [], left: ["", ".attrs"] });
});

test("a state without locks is fine", () => {
    const state = tree({ "instance.json": "{}" });
    expect(removeDeadLocks({ cache: state, state })).toEqual([]);
});

test("the locks of one stack are seen in a file backend, with whether their process is gone", () => {
    const lock = (pid: number) => JSON.stringify({ pid, hostname: hostname(), timestamp });
    const other = folder.replace("local", "other");
    const state = tree({
        [`${folder}/a.json`]: lock(gone),
        [`${folder}/b.json`]: lock(process.pid),
        [`${other}/c.json`]: lock(gone),
    });
    const backend = `file://${path.join(state, "pulumi")}`;
    const seen = stackLocks(backend, "local") ?? [];
    expect(new Map(seen.map(({ pid, isDead }) => [pid, isDead]))).toEqual(
        new Map([
            [gone, true],
            [process.pid, false],
        ]),
    );
    expect(stackLocks(backend, "organization/layered-images/other")).toHaveLength(1);
    expect(stackLocks(`file://${state}`, "local")).toEqual([]);
});

test("an update of any of the lab's stacks is seen while it runs; a killed one and one on another machine are none", () => {
    const other = folder.replace("local", "other");
    const lock = (pid: number, host = hostname()) => JSON.stringify({ pid, hostname: host, timestamp });
    const dead = { [`${folder}/a.json`]: lock(gone), [`${folder}/b.json`]: lock(process.pid, `${hostname()}-other`) };
    const running = (files: Readonly<Record<string, string>>) => {
        const state = tree(files);
        return runningUpdates({ cache: state, state });
    };
    expect(running({ "instance.json": "{}" })).toEqual([]);
    expect(running(dead)).toEqual([]);
    expect(running({ ...dead, [`${other}/c.json`]: lock(process.pid) })).toEqual([process.pid]);
});

test.each(["file://~", "file://~/", "file://./", "file://./a b", "file://~/a%20b?no_tmp_dir=true"])(
    "the folder of a file backend is found as Pulumi finds it: %s",
    (backend) => {
        const lock = JSON.stringify({ pid: gone, hostname: hostname(), timestamp });
        const files = folder.replace("pulumi/", "");
        const state = tree({ [`${files}/a.json`]: lock, [`a b/${files}/a.json`]: lock });
        vi.stubEnv("HOME", state);
        vi.spyOn(process, "cwd").mockReturnValue(state);
        expect(stackLocks(backend, "local")).toHaveLength(1);
    },
);

test.each(["s3://bucket", "https://api.pulumi.com", undefined])(
    "in another backend they can't be seen: %s",
    (backend) => {
        expect(stackLocks(backend, "local")).toBeUndefined();
    },
);
