import { chmodSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { RegistryError, onBuildTriggers, parseManifest, readManifest } from "./manifest";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

/** An environment in which `buildx` is this script. */
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
    await expect(asked).rejects.toThrow(
        /registry ghcr.io can't be asked: its response to ghcr.io\/o\/r:latest is not a manifest/,
    );
});

describe("ONBUILD", () => {
    const config = (triggers: unknown) => JSON.stringify({ config: { OnBuild: triggers } });
    const manifestOf = (letter: string) =>
        JSON.stringify({ config: { digest: digest(letter), size: 1 }, layers: [{ digest: digest("9"), size: 1 }] });
    const index = (platforms: Readonly<Record<string, string>>) =>
        JSON.stringify({
            manifests: Object.entries(platforms).map(([name, letter]) => {
                const [os, architecture, variant] = name.split("/");
                return { digest: digest(letter), platform: { os, architecture, variant } };
            }),
        });
    /** A `buildx` with these references. */
    const knowing = (held: Readonly<Record<string, string>>) => {
        const cases = Object.entries(held).map(([ref, text]) => `*${ref}) printf '%s' '${text}' ;;`);
        return environment(`case "$4" in ${cases.join(" ")} *) echo "ERROR: $4: not found" >&2; exit 1 ;; esac`);
    };
    const held = {
        "r.io/root:1": index({ "linux/amd64": "a", "linux/arm/v7": "b", "linux/arm/v6": "c", "unknown/unknown": "d" }),
        [digest("a")]: manifestOf("1"),
        [digest("b")]: manifestOf("2"),
        [digest("c")]: manifestOf("3"),
        [digest("1")]: config(null),
        [digest("2")]: config(["COPY . /srv/"]),
        [digest("3")]: config(["RUN make"]),
        "r.io/twice:1": index({ "linux/arm64": "e", "linux/s390x": "f" }),
        [digest("e")]: manifestOf("4"),
        [digest("f")]: manifestOf("4"),
        [digest("4")]: config(["RUN make", "RUN make"]),
    };

    test.each([
        ["the platform that is built for", "r.io/root:1", "linux/amd64", []],
        ["a variant", "r.io/root:1", "linux/arm/v7", ["COPY . /srv/"]],
        ["all where BuildKit has to choose", "r.io/root:1", "linux/arm/v5", ["COPY . /srv/", "RUN make"]],
        ["one that says a thing twice", "r.io/twice:1", "linux/arm64", ["RUN make", "RUN make"]],
        ["all where they agree", "r.io/twice:1", "linux/amd64", ["RUN make", "RUN make"]],
        ["an image of one platform, whatever it is", `r.io/root@${digest("b")}`, "linux/amd64", ["COPY . /srv/"]],
    ])("is read of %s", async (_name, ref, platform, expected) => {
        expect(await onBuildTriggers(ref, platform, knowing(held))).toEqual(expected);
    });

    test.each([
        ["the image", "r.io/root:2", held],
        ["its configuration", `r.io/root@${digest("b")}`, { ...held, [digest("2")]: undefined }],
        ["any platform that it has", "r.io/root:1", { "r.io/root:1": index({ "unknown/unknown": "d" }) }],
    ])("is not known without %s", async (_name, ref, there) => {
        const known = Object.fromEntries(Object.entries(there).filter(([, text]) => text !== undefined)) as typeof held;
        expect(await onBuildTriggers(ref, "linux/amd64", knowing(known))).toBeUndefined();
    });
});

test("without buildx and docker that is said", async () => {
    await expect(readManifest("ghcr.io/o/r:latest", { PATH: "/nowhere" })).rejects.toThrow(
        "neither buildx nor docker is on PATH",
    );
});
