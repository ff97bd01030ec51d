import { existsSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { removeDeadLocks } from "./stackLocks";

const folder = "pulumi/.pulumi/locks/organization/layered-images/local";
const timestamp = "2026-11-23T17:00:00Z";
/** No process has a pid above the kernel's limit. */
const gone = 2 ** 22 + 1;

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
