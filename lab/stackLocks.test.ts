import { existsSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { tree } from "../tests/tree";
import { removeDeadLocks, stackLocks } from "./stackLocks";

const folder = "pulumi/.pulumi/locks/organization/layered-images/local";
const timestamp = "2026-11-23T17:00:00Z";
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

test.each([
    ["of a process that lives", { pid: process.pid, hostname: hostname(), timestamp }],
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
