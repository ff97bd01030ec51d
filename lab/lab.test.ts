import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../lib/system/lock";
import { lockPath } from "../lib/system/paths";
import { runningProcess } from "../lib/system/pidFiles";
import { expect, test } from "../tests/mocha";
import { temporaryFolder } from "../tests/tree";
import { startLab } from "./lab";
import { labStatus, stopLab } from "./labState";
import { startServer } from "./servers/server";

/** Starts a process in place of the lab's registry. */
const startRegistry = (state: string) =>
    startServer(path.join(state, "servers"), {
        name: "registry",
        command: "sleep",
        args: ["100"],
        config: { file: path.join(state, "config"), text: "" },
        check: () =>
            runningProcess(path.join(state, "servers"), "registry")
                ? Promise.resolve()
                : Promise.reject(new Error("down")),
    });

test("what a first start that failed left running is told, and can be stopped", async () => {
    const state = temporaryFolder();
    const paths = { cache: state, state };
    await startRegistry(state);
    expect(await labStatus(paths)).toMatchObject({
        registry: { state: "unhealthy", reason: expect.stringContaining("npm run lab -- start") as string },
        buildkitd: { state: "stopped" },
    });
    expect(await stopLab(paths)).toEqual(["registry"]);
    expect(await labStatus(paths)).toEqual({
        registry: { state: "stopped" },
        github: { state: "stopped" },
        buildkitd: { state: "stopped" },
    });
});

test("stopping waits for a start that is under way, and stops what that has started", async () => {
    const state = temporaryFolder();
    const paths = { cache: state, state };
    let stopping: Promise<string[]> | undefined;
    await withLock(lockPath(paths), async () => {
        stopping = stopLab(paths);
        await sleep(300);
        await startRegistry(state);
    });
    expect(await stopping).toEqual(["registry"]);
});

test("stopping does not wait for ever for a start that hangs", async () => {
    const state = temporaryFolder();
    const paths = { cache: state, state };
    await withLock(lockPath(paths), async () => {
        await startRegistry(state);
        expect(await stopLab(paths, 0.2)).toEqual(["registry"]);
    });
});

test("there is nothing to stop where no lab ever was, and nothing is made there", async () => {
    const state = path.join(temporaryFolder(), "state");
    expect(await stopLab({ cache: state, state })).toEqual([]);
    expect(existsSync(state)).toBe(false);
});

test("a lab is not started with less free than was asked for", async () => {
    const home = temporaryFolder();
    const paths = { cache: path.join(home, "cache"), state: path.join(home, "state") };
    await expect(startLab({ paths, minFree: 1e6 })).rejects.toThrow(
        /^not enough disk space at .*: 1000000 GB needed \(asked for by --min-free 1000000 GB\), \d+\.\d GB free\. /,
    );
});
