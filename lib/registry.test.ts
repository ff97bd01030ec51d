import { chmodSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { RegistryError, parseManifest, readManifest } from "./registry";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

/** An environment whose `buildx` is this script. */
function environment(script: string): NodeJS.ProcessEnv {
    const folder = tree({ buildx: `#!/bin/sh\n${script}\n` });
    chmodSync(path.join(folder, "buildx"), 0o755);
    return { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` };
}

test("a manifest has its layers in order, and the digest of its bytes", () => {
    const layers = [
        { digest: digest("a"), size: 10 },
        { digest: digest("b"), size: 20 },
    ];
    const config = { digest: digest("c"), size: 3 };
    const text = JSON.stringify({ schemaVersion: 2, config, layers });
    expect(parseManifest(text)).toEqual({
        digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
        config,
        layers,
        platforms: {},
    });
    expect(parseManifest("{}").digest).toBe("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
});

test("an index has digests by platform, without attestations", () => {
    const manifests = [
        { digest: digest("a"), platform: { os: "linux", architecture: "amd64" } },
        { digest: digest("b"), platform: { os: "linux", architecture: "arm64", variant: "v8" } },
        { digest: digest("c"), platform: { os: "linux", architecture: "arm", variant: "v7" } },
        { digest: digest("d"), platform: { os: "unknown", architecture: "unknown" } },
    ];
    expect(parseManifest(JSON.stringify({ manifests })).platforms).toEqual({
        "linux/amd64": digest("a"),
        "linux/arm64": digest("b"),
        "linux/arm/v7": digest("c"),
    });
});

test("what the registry says it does not have is undefined", async () => {
    const env = environment('echo "ERROR: ghcr.io/o/r:latest: not found" >&2; exit 1');
    expect(await readManifest("ghcr.io/o/r:latest", env)).toBeUndefined();
});

test("a refused login is told with the registry and its words, never as an absent image", async () => {
    const env = environment('echo "ERROR: failed to authorize: 403 Forbidden" >&2; exit 1');
    const asked = readManifest("ghcr.io/o/r:latest", env);
    await expect(asked).rejects.toThrow("registry ghcr.io can't be asked: failed to authorize: 403 Forbidden");
    await expect(asked).rejects.toBeInstanceOf(RegistryError);
});

test("an answer that is no manifest is told", async () => {
    const asked = readManifest("ghcr.io/o/r:latest", environment("echo '<html>'"));
    await expect(asked).rejects.toThrow(/registry ghcr.io can't be asked: its answer to ghcr.io\/o\/r:latest is no/);
});

test("without buildx and docker that is said", async () => {
    await expect(readManifest("ghcr.io/o/r:latest", { PATH: "/nowhere" })).rejects.toThrow(
        "neither buildx nor docker is on PATH",
    );
});
