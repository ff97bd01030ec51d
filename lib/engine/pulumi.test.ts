import { chmodSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tree } from "../../tests/tree";
import { backendUrl, preview } from "./pulumi";

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

test("a preview that fails is told by its errors, then its warnings: they can say what could not be asked", async () => {
    const diagnostics = [
        { severity: "warning", message: "GitHub can't be asked: it answered 502\n" },
        { severity: "info", message: "an info" },
        { severity: "error", message: "failed to lookup organization\n" },
    ];
    const stdout = JSON.stringify({ steps: [], diagnostics });
    const pulumi = () => Promise.resolve({ failure: "exit code 1", stdout, stderr: "" });
    await expect(preview({ stack: "ci", isLab: false, isCi: true, env: {}, pulumi })).rejects.toThrow(
        "the preview failed: pulumi ended with exit code 1:\n" +
            "failed to lookup organization\nwarning: GitHub can't be asked: it answered 502",
    );
});
