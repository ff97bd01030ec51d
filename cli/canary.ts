import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadDefinitions } from "../definitions";
import { startLab } from "../lab/lab";
import { imageScheme } from "../lib/engine/resources";
import { type Build, type CanaryOptions, buildName, publishedBuilds } from "../lib/engine/state";
import { CommandError } from "../lib/errors";
import { type Definitions, imagesNamed } from "../lib/hierarchy/definition";
import { withDigest } from "../lib/registry/references";
import { type Platform, archOf } from "../lib/platform";
import { repositoryRoot } from "../lib/system/paths";
import { run } from "../lib/system/process";
import { progress } from "../lib/system/progress";
import { typed } from "../lib/system/commandLine";
import { neededParts } from "./openStack";

/** Returns the paths of the layer blobs in an OCI archive (image-spec, image-layout), lowest layer first. */
async function layersOf(archive: string): Promise<string[]> {
    const read = async (name: string) =>
        JSON.parse(await run("tar", ["--extract", "--to-stdout", "--file", archive, name])) as unknown;
    const blob = (digest: string) => `blobs/${digest.replace(":", "/")}`;
    const index = (await read("index.json")) as { manifests: { digest: string }[] };
    const manifest = (await read(blob(index.manifests[0]?.digest ?? ""))) as { layers: { digest: string }[] };
    return manifest.layers.map(({ digest }) => blob(digest));
}

/** Lists the entries of an uncompressed layer: their metadata as `ls -l` shows it, and the hash of each file's content. */
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
 * Finds the first layer and file in which two images differ. A layer with the same files in a different blob (a different compression or
 * order) is reported only if there is no other difference.
 *
 * @param published OCI archive of the published image, with uncompressed layers
 * @param rebuilt OCI archive of the rebuilt image, with uncompressed layers
 * @param folder scratch folder in which layers are unpacked
 * @returns a description of the difference
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

/** Environment variables that pass secrets to a build: on the command line every user of the machine could read them. */
const secretVariables = ({ inputs }: Build) =>
    Object.entries(inputs.secrets).map(([id, value], index) => ({
        id,
        variable: `CANARY_SECRET_${String(index)}`,
        value,
    }));

/**
 * Runs a build and exports the image as an OCI archive, with the attributes of an exporter to a registry. Returns the digest of its
 * manifest.
 */
async function exportBuild(args: readonly string[], archive: string, exporter: string, settings: CanaryOptions) {
    const metadata = `${archive}.json`;
    const output = exporter.replace("type=registry", `type=oci,dest=${archive}`);
    const options = ["--provenance=false", "--progress", "plain", "--metadata-file", metadata, "--output", output];
    await run("buildx", ["build", ...options, ...args], settings);
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    return digest ?? "";
}

function buildArguments(build: Build): string[] {
    const { inputs } = build;
    const pairs = (flag: string, values: Readonly<Record<string, string>>) =>
        Object.entries(values).flatMap(([name, value]) => [flag, `${name}=${value}`]);
    const named = Object.fromEntries(
        Object.entries(inputs.context.named).map(([name, { location }]) => [name, location]),
    );
    return [
        ...["--platform", inputs.platforms.join(), "--file", inputs.dockerfile.location],
        ...(inputs.target === undefined ? [] : ["--target", inputs.target]),
        ...pairs("--build-arg", inputs.buildArgs),
        ...pairs("--label", inputs.labels),
        ...pairs("--build-context", named),
        ...secretVariables(build).flatMap(({ id, variable }) => ["--secret", `id=${id},env=${variable}`]),
        inputs.context.location,
    ];
}

/** Digests of a published build and of its rebuild. */
export interface Rebuild {
    /** Name of the build: `<image>-<arch>`. */
    readonly name: string;
    /** Digest of the published image. */
    readonly published: string;
    /** Digest of the rebuilt image. */
    readonly rebuilt: string;
    /** Description of the first difference; absent if the digests are equal. */
    readonly difference?: string;
}

/** Exporter whose layers can be compared: equal files give equal layers, however they were compressed. */
const uncompressed =
    "type=registry,rewrite-timestamp=true,oci-mediatypes=true,compression=uncompressed,force-compression=true";

/** Exports an image as an OCI archive with uncompressed layers. Returns the path of the archive. */
async function unpack(image: string, platform: Platform, folder: string, options: CanaryOptions): Promise<string> {
    const archive = path.join(folder, `${image.split(":")[0] ?? ""}.tar`);
    writeFileSync(path.join(folder, "Dockerfile"), "FROM image\n");
    const args = ["--platform", platform, "--build-context", `image=${image}`, folder];
    await exportBuild(args, archive, uncompressed, options);
    return archive;
}

/**
 * Builds a published image again without any cache, from the inputs in the stack's state.
 *
 * @throws CommandError if the staged context is missing, as in a checkout that never built the image
 */
export async function rebuild(build: Build, settings: CanaryOptions): Promise<Rebuild> {
    const { location } = build.inputs.context;
    if (!existsSync(path.resolve(settings.cwd ?? ".", location))) {
        throw new CommandError(
            `the context of ${buildName(build)} (${location}) is not staged in this checkout. Check out the files that it was ` +
                `published from and run: ${typed("preview")}`,
        );
    }
    const secrets = Object.fromEntries(secretVariables(build).map(({ variable, value }) => [variable, value]));
    const options = { ...settings, env: { ...(settings.env ?? process.env), ...secrets } };
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-canary-"));
    try {
        const archive = path.join(folder, "rebuilt.tar");
        // BuildKit empties the cache mounts of steps that it runs with --no-cache (llbsolver, detectPrunedCacheID).
        const [{ raw: exporter }] = build.inputs.exports;
        const digest = await exportBuild(["--no-cache", ...buildArguments(build)], archive, exporter, options);
        const outcome = { name: buildName(build), published: build.outputs.digest, rebuilt: digest };
        if (digest === build.outputs.digest) return outcome;
        const layout = path.join(folder, "layout");
        mkdirSync(layout);
        await run("tar", ["--extract", "--file", archive, "--directory", layout]);
        const repository = build.inputs.tags[0]?.replace(/:[^:/]*$/, "") ?? "";
        const platform = build.inputs.platforms[0];
        const published = await unpack(
            imageScheme + withDigest(repository, outcome.published),
            platform,
            folder,
            options,
        );
        const rebuilt = await unpack(`oci-layout://${withDigest(layout, digest)}`, platform, folder, options);
        return { ...outcome, difference: await firstDifference(published, rebuilt, folder) };
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/**
 * Returns the keys of the published images that names stand for; all of them if there are no names. An image that images.ts
 * no longer has may still be published.
 *
 * @param wanted keys of images, or of entries with a matrix for all their images
 * @param published keys of the published images
 * @throws CommandError if nothing is published; InputError for a name of no published image
 */
export function chosenImages(
    wanted: readonly string[],
    published: readonly string[],
    definitions: () => Definitions,
): readonly string[] {
    if (published.length === 0) throw new CommandError(`nothing is published. Publish with: ${typed("up")}`);
    if (wanted.length === 0) return published;
    return imagesNamed(definitions(), wanted, { where: "canary", among: { keys: published, adjective: "published" } });
}

/**
 * Builds published images of the lab's stack again and compares the digests. If a digest differs, prints the first layer and file that
 * differ.
 *
 * @param wanted keys of images or of entries with a matrix; all images if empty
 * @returns whether all digests are equal
 * @throws InputError for a name of no published image
 */
export async function runCanary(wanted: readonly string[]): Promise<boolean> {
    const options = { env: (await startLab({ parts: neededParts() })).env };
    const builds = await publishedBuilds(options);
    const keyOf = (build: Build) => buildName(build).slice(0, -(archOf(build.inputs.platforms[0]).length + 1));
    const chosen = chosenImages(wanted, [...new Set(builds.map(keyOf))], () => loadDefinitions(repositoryRoot()));
    let areEqual = true;
    for (const build of builds.filter((candidate) => chosen.includes(keyOf(candidate)))) {
        const outcome = await progress(`building ${buildName(build)} again`, () => rebuild(build, options));
        areEqual &&= outcome.difference === undefined;
        console.log(
            outcome.difference === undefined
                ? `${outcome.name}: the same digest again (${outcome.rebuilt})`
                : `${outcome.name}: published ${outcome.published}, rebuilt ${outcome.rebuilt}\n  ${outcome.difference}`,
        );
    }
    return areEqual;
}
