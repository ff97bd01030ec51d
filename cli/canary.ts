import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Platform, archOf } from "../lib/hierarchy/definition";
import { firstDifference } from "./archives";
import { startLab } from "../lab/lab";
import { LabError, run } from "../lib/system/process";
import { progress } from "../lib/system/progress";
import { type Build, type CanaryOptions, nameOf, publishedBuilds } from "../lib/engine/publishedBuilds";

/** Variables that hand a build its secrets: on the command line everybody could read them. */
const secretVariables = ({ inputs }: Build) =>
    Object.entries(inputs.secrets).map(([id, value], index) => ({
        id,
        variable: `CANARY_SECRET_${String(index)}`,
        value,
    }));

/** Runs a build and exports it as an OCI archive; returns the digest of its manifest. */
async function exportBuild(args: readonly string[], archive: string, compression: string, where: CanaryOptions) {
    const metadata = `${archive}.json`;
    const output = `type=oci,dest=${archive},rewrite-timestamp=true,oci-mediatypes=true,compression=${compression}`;
    const options = ["--provenance=false", "--progress", "plain", "--metadata-file", metadata, "--output", output];
    await run("buildx", ["build", ...options, ...args], where);
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    return digest ?? "";
}

function buildArguments(one: Build): string[] {
    const { inputs } = one;
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
        ...secretVariables(one).flatMap(({ id, variable }) => ["--secret", `id=${id},env=${variable}`]),
        inputs.context.location,
    ];
}

/** A published build done again. */
export interface Rebuild {
    /** Name of the build: `<image>-<arch>`. */
    readonly name: string;
    readonly published: string;
    readonly rebuilt: string;
    /** Where they differ first; absent when the digests are equal. */
    readonly difference?: string;
}

/** Exports an image as an OCI archive whose layers are not compressed; returns the archive. */
async function unpack(image: string, platform: Platform, folder: string, options: CanaryOptions): Promise<string> {
    const archive = path.join(folder, `${image.split(":")[0] ?? ""}.tar`);
    writeFileSync(path.join(folder, "Dockerfile"), "FROM image\n");
    const args = ["--platform", platform, "--build-context", `image=${image}`, folder];
    await exportBuild(args, archive, "uncompressed,force-compression=true", options);
    return archive;
}

/**
 * Builds a published image again, without any cache, from what the stack's state says of it.
 *
 * @throws LabError where its staged context is not: in a checkout that never built it
 */
export async function rebuild(one: Build, where: CanaryOptions): Promise<Rebuild> {
    const { location } = one.inputs.context;
    if (!existsSync(path.resolve(where.cwd ?? ".", location))) {
        throw new LabError(
            `the context of ${nameOf(one)} (${location}) is not staged in this checkout. Check out the files that it was ` +
                "published from and run: npm run preview",
        );
    }
    const secrets = Object.fromEntries(secretVariables(one).map(({ variable, value }) => [variable, value]));
    const options = { ...where, env: { ...(where.env ?? process.env), ...secrets } };
    const folder = mkdtempSync(path.join(tmpdir(), "layered-images-canary-"));
    try {
        const archive = path.join(folder, "rebuilt.tar");
        // BuildKit empties the cache mounts of steps that it runs with --no-cache (llbsolver, detectPrunedCacheID).
        const digest = await exportBuild(["--no-cache", ...buildArguments(one)], archive, "zstd", options);
        const outcome = { name: nameOf(one), published: one.outputs.digest, rebuilt: digest };
        if (digest === one.outputs.digest) return outcome;
        const layout = path.join(folder, "layout");
        mkdirSync(layout);
        await run("tar", ["--extract", "--file", archive, "--directory", layout]);
        const repository = one.inputs.tags[0]?.replace(/:[^:/]*$/, "") ?? "";
        const platform = one.inputs.platforms[0];
        const published = await unpack(`docker-image://${repository}@${outcome.published}`, platform, folder, options);
        const rebuilt = await unpack(`oci-layout://${layout}@${digest}`, platform, folder, options);
        return { ...outcome, difference: await firstDifference(published, rebuilt, folder) };
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/**
 * Builds published images of the lab's stack again and compares the digests; where one differs, says in which layer and
 * file first.
 *
 * @param wanted keys of the images, all when empty
 * @returns whether every digest came back
 * @throws LabError for a key that is not published
 */
export async function runCanary(wanted: readonly string[]): Promise<boolean> {
    const options = { env: (await startLab()).env };
    const builds = await publishedBuilds(options);
    const keyOf = (one: Build) => nameOf(one).slice(0, -(archOf(one.inputs.platforms[0]).length + 1));
    const keys = [...new Set(builds.map(keyOf))];
    const unknown = wanted.find((key) => !keys.includes(key));
    if (unknown !== undefined || keys.length === 0) {
        const problem = unknown === undefined ? "nothing is published" : `no image "${unknown}" is published`;
        throw new LabError(`${problem}; published are: ${keys.join(", ") || "none"}. Publish with: npm run up`);
    }
    let same = true;
    for (const one of builds.filter((built) => wanted.length === 0 || wanted.includes(keyOf(built)))) {
        const outcome = await progress(`building ${nameOf(one)} again`, () => rebuild(one, options));
        same &&= outcome.difference === undefined;
        console.log(
            outcome.difference === undefined
                ? `${outcome.name}: the same digest again (${outcome.rebuilt})`
                : `${outcome.name}: published ${outcome.published}, rebuilt ${outcome.rebuilt}\n  ${outcome.difference}`,
        );
    }
    return same;
}
