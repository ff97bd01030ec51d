import { chmodSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { backendUrl } from "./engine";

/** An environment in which `pulumi whoami` does this. */
function saying(script: string): NodeJS.ProcessEnv {
    const folder = tree({ pulumi: `#!/bin/sh\n[ "$1" = whoami ] || exit 9\n${script}\n` });
    chmodSync(path.join(folder, "pulumi"), 0o755);
    return { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}`, PULUMI_BACKEND_URL: "" };
}

test("where states are is what the environment says, else what `pulumi login` left", async () => {
    const env = saying(`printf '{\\n  "user": "root",\\n  "url": "file://~"\\n}\\n'`);
    expect(await backendUrl(env)).toBe("file://~");
    expect(await backendUrl({ ...env, PULUMI_BACKEND_URL: "s3://bucket" })).toBe("s3://bucket");
    expect(await backendUrl(saying("exit 1"))).toBeUndefined();
});
