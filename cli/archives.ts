import path from "node:path";
import { run } from "../lib/system/process";

/** Blobs of the layers of an OCI archive (image-spec, image-layout), lowest first. */
async function layersOf(archive: string): Promise<string[]> {
    const read = async (name: string) =>
        JSON.parse(await run("tar", ["--extract", "--to-stdout", "--file", archive, name])) as unknown;
    const blob = (digest: string) => `blobs/${digest.replace(":", "/")}`;
    const index = (await read("index.json")) as { manifests: { digest: string }[] };
    const manifest = (await read(blob(index.manifests[0]?.digest ?? ""))) as { layers: { digest: string }[] };
    return manifest.layers.map(({ digest }) => blob(digest));
}

/** Entries of an uncompressed layer: what `ls -l` would show, and the hash of each file's content. */
async function entriesOf(archive: string, layer: string, folder: string): Promise<string[]> {
    await run("tar", ["--extract", "--file", archive, "--directory", folder, layer]);
    const list = await run("tar", [
        "--list",
        "--verbose",
        "--full-time",
        "--numeric-owner",
        "--file",
        path.join(folder, layer),
    ]);
    const hash = 'printf "%s: sha256 " "$TAR_FILENAME"; sha256sum | cut -d " " -f 1';
    const hashes = await run("tar", ["--extract", `--to-command=${hash}`, "--file", path.join(folder, layer)]);
    return [...list.split("\n"), ...hashes.split("\n")].filter(Boolean);
}

/**
 * Says in which layer and file two images differ first. A layer whose blobs differ but whose files do not (compressed or
 * ordered otherwise) is named only where nothing else differs.
 *
 * @param published one image as an OCI archive, its layers not compressed
 * @param rebuilt the other
 * @param folder where layers are unpacked
 */
export async function firstDifference(published: string, rebuilt: string, folder: string): Promise<string> {
    const [before, after] = [await layersOf(published), await layersOf(rebuilt)];
    if (before.length !== after.length) return "the number of layers differs";
    const entries = async (archive: string, layer: string) => new Set(await entriesOf(archive, layer, folder));
    let sameFiles: string | undefined;
    for (const [index, layer] of before.entries()) {
        const other = after[index] ?? "";
        if (layer === other) continue;
        const [had, has] = [await entries(published, layer), await entries(rebuilt, other)];
        const gone = [...had].find((entry) => !has.has(entry));
        const come = [...has].find((entry) => !had.has(entry));
        const where = `layer ${(index + 1).toString()} of ${before.length.toString()} differs`;
        if (gone !== undefined || come !== undefined) {
            return `${where}:\n    published  ${gone ?? "(nothing)"}\n    rebuilt    ${come ?? "(nothing)"}`;
        }
        sameFiles ??= `${where}: the same files in another order`;
    }
    return sameFiles ?? "the configuration differs";
}
