import { createHash } from "node:crypto";
import { readFileSync, renameSync } from "node:fs";
import path from "node:path";
import { expandImages } from "../lib/hierarchy/matrix";
import { run } from "../lib/system/process";
import { expect, test } from "../tests/mocha";
import { temporaryFolder, tree, writeTree } from "../tests/tree";
import { chosenImages, firstDifference } from "./canary";

type Files = Readonly<Record<string, string>>;

/** Creates an OCI archive with these layers. The files of each layer are written in the given order. */
async function image(...layers: readonly Files[]): Promise<string> {
    const folder = temporaryFolder();
    const blobs: string[] = [];
    for (const [index, files] of layers.entries()) {
        const file = path.join(folder, `layer-${String(index)}`);
        await run("tar", ["--create", "--mtime=@0", "--file", file, "--directory", tree(files), ...Object.keys(files)]);
        const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
        writeTree(folder, { "blobs/sha256/.keep": "" });
        renameSync(file, path.join(folder, "blobs/sha256", digest));
        blobs.push(`sha256:${digest}`);
    }
    const manifest = { layers: blobs.map((digest) => ({ digest })) };
    writeTree(folder, {
        "index.json": JSON.stringify({ manifests: [{ digest: "sha256:manifest" }] }),
        "blobs/sha256/manifest": JSON.stringify(manifest),
    });
    const archive = path.join(folder, "image.tar");
    await run("tar", ["--create", "--file", archive, "--directory", folder, "index.json", "blobs"]);
    return archive;
}

test.each<[string, readonly Files[], readonly Files[], RegExp]>([
    ["nothing but the configuration", [{ a: "1" }], [{ a: "1" }], /^the configuration differs$/],
    ["the number of layers", [{ a: "1" }], [{ a: "1" }, { b: "2" }], /^the number of layers differs$/],
    [
        "a file's content",
        [{ a: "1" }, { b: "2", c: "3" }],
        [{ a: "1" }, { b: "2", c: "4" }],
        /^layer 2 of 2 differs:\n +published +c: sha256 [0-9a-f]{64}\n +rebuilt +c: sha256 [0-9a-f]{64}$/,
    ],
    [
        "a file that is missing",
        [{ a: "1", b: "2" }],
        [{ a: "1" }],
        /^layer 1 of 1 differs:\n +published .* b\n +rebuilt +\(nothing\)$/,
    ],
    [
        "the order of files",
        [{ a: "1", b: "2" }],
        [{ b: "2", a: "1" }],
        /^layer 1 of 1 differs: the same files in another order$/,
    ],
    [
        "the order of files, and further up a file",
        [{ a: "1", b: "2" }, { c: "3" }],
        [{ b: "2", a: "1" }, { c: "4" }],
        /^layer 2 of 2 differs:\n +published +c: /,
    ],
])("images that differ in %s are told apart", async (_name, published, rebuilt, text) => {
    expect(await firstDifference(await image(...published), await image(...rebuilt), temporaryFolder())).toMatch(text);
});

test("names choose published images: all of a matrix, one of it, or one that images.ts no longer has", () => {
    const one = { description: "", dockerfile: "Dockerfile", platforms: ["linux/amd64"] as const };
    const definitions = () => expandImages({ python: { ...one, matrix: { V: ["1", "2", "3"] } }, app: one });
    const published = ["python-1", "python-2", "app", "old"];
    const chosen = (...wanted: string[]) => chosenImages(wanted, published, definitions);
    expect(chosen()).toEqual(published);
    expect(chosen("python")).toEqual(["python-1", "python-2"]);
    expect(chosen("python-2", "old")).toEqual(["python-2", "old"]);
    expect(() => chosen("app", "python-3")).toThrow(
        'canary: there is no published image "python-3"\n  allowed: python, python-1, python-2, app, old\n',
    );
    expect(() => chosenImages([], [], definitions)).toThrow("nothing is published. Publish with: ");
});
