import { readManifest } from "../registry/manifest";

/**
 * Asks the registry for the size of a build.
 *
 * @param ref `<repository>@<digest>`
 * @param read `readManifest`, or a substitute
 * @returns the bytes of its layers, compressed; undefined if the registry does not have it, or has an index of several builds there
 * @throws RegistryError if the registry does not answer
 */
export async function layerBytes(ref: string, read: typeof readManifest = readManifest): Promise<number | undefined> {
    const manifest = await read(ref, process.env);
    if (!manifest?.config) return undefined;
    return manifest.layers.reduce((sum, { size }) => sum + size, 0);
}
