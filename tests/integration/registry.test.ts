import { afterAll, beforeAll, expect, test } from "vitest";
import { readManifest } from "../../review/registry";
import { type TestLab, startTestLab } from "../lab";
import { manifest } from "../registry";

/* What `npm run status` asks, of the lab's own registry, with the lab's own buildx. */

let lab: TestLab;
beforeAll(async () => {
    lab = await startTestLab();
});
afterAll(async () => {
    await lab.close();
});

test("an index and a manifest are read as the registry has them, an absent one is undefined", async () => {
    const [root = ""] = Object.values(lab.instance.roots);
    const repository = root.slice(0, root.indexOf("@"));
    const index = await readManifest(`${repository}:3.12-slim`, lab.env);
    expect(index?.digest).toBe(root.slice(root.indexOf("@") + 1));
    expect(Object.keys(index?.platforms ?? {}).sort()).toEqual(["linux/amd64", "linux/arm64"]);
    const digest = index?.platforms["linux/amd64"] ?? "";
    const found = await readManifest(`${repository}@${digest}`, lab.env);
    const held = await manifest(lab, "library/python", digest);
    expect(found).toEqual({
        digest,
        layers: held?.layers?.map((layer) => ({ digest: layer.digest, size: layer.size })),
        platforms: {},
    });
    expect(await readManifest(`${repository}:other`, lab.env)).toBeUndefined();
    expect(await readManifest(`${repository}@sha256:${"0".repeat(64)}`, lab.env)).toBeUndefined();
    expect(await readManifest(`${lab.instance.registry}/never/made:latest`, lab.env)).toBeUndefined();
});

test("a registry that does not answer, and one that nobody vouches for, are told with the reason", async () => {
    const unknowing = { ...lab.env, SSL_CERT_FILE: lab.env.LAYERED_IMAGES_SYSTEM_CA };
    const ref = `${lab.instance.registry}/library/python:3.12-slim`;
    await expect(readManifest(ref, unknowing)).rejects.toThrow(
        /^registry registry\.localhost:\d+ can't be asked: .*certificate/,
    );
    await expect(readManifest("registry.localhost:1/o/r:latest", lab.env)).rejects.toThrow(
        /^registry registry\.localhost:1 can't be asked: .*connection refused/,
    );
});
