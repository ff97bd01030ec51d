import path from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../tests/tree";
import { labStatus, stopLab } from "./labState";
import { startServer } from "./servers";

test("what a first start that failed left running is told, and can be stopped", async () => {
    const state = temporaryFolder();
    const paths = { cache: state, state };
    await startServer(path.join(state, "servers"), {
        name: "registry",
        command: "sleep",
        args: ["100"],
        config: { file: path.join(state, "config"), text: "" },
        check: () => Promise.resolve(),
    });
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
