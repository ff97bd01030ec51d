import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { startLab } from "./lab";
import { LabError, run } from "./process";
import { progress } from "./progress";

/** A published build as the stack's state has it: enough to do it again. */
const build = z.object({
    urn: z.string(),
    type: z.literal("docker-build:index:Image"),
    outputs: z.object({ digest: z.string().startsWith("sha256:") }),
    inputs: z.object({
        platforms: z.array(z.string()),
        dockerfile: z.object({ location: z.string() }),
        context: z.object({
            location: z.string(),
            named: z.record(z.string(), z.object({ location: z.string() })).default({}),
        }),
        buildArgs: z.record(z.string(), z.string()).default({}),
        labels: z.record(z.string(), z.string()).default({}),
        target: z.string().optional(),
        tags: z.array(z.string()).min(1),
    }),
});
type Build = z.infer<typeof build>;

const nameOf = ({ urn }: Pick<Build, "urn">) => urn.split("::").at(-1) ?? urn;

async function publishedBuilds(env: NodeJS.ProcessEnv): Promise<Build[]> {
    const exported = JSON.parse(await run("pulumi", ["stack", "export"], { env })) as {
        deployment: { resources?: unknown[] };
    };
    return (exported.deployment.resources ?? []).flatMap((one) => build.safeParse(one).data ?? []);
}

/** Runs a build and exports it as an OCI archive; returns the digest of its manifest. */
async function exportBuild(args: readonly string[], archive: string, compression: string, env: NodeJS.ProcessEnv) {
    const metadata = `${archive}.json`;
    const output = `type=oci,dest=${archive},rewrite-timestamp=true,oci-mediatypes=true,compression=${compression}`;
    const options = ["--provenance=false", "--progress", "plain", "--metadata-file", metadata, "--output", output];
    await run("buildx", ["build", ...options, ...args], { env });
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    return digest ?? "";
}

function buildArguments({ inputs }: Build): string[] {
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
        inputs.context.location,
    ];
}

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
    const hash = 'printf "%s " "$TAR_FILENAME"; sha256sum';
    const hashes = await run("tar", ["--extract", `--to-command=${hash}`, "--file", path.join(folder, layer)]);
    return [...list.split("\n"), ...hashes.split("\n")].filter(Boolean);
}

/** Says in which layer and file two OCI archives differ first. */
async function firstDifference(published: string, rebuilt: string, folder: string): Promise<string> {
    const [before, after] = [await layersOf(published), await layersOf(rebuilt)];
    const index = before.findIndex((layer, position) => layer !== after[position]);
    if (index < 0) return before.length === after.length ? "the configuration differs" : "the number of layers differs";
    const entries = async (archive: string, layer = "") => new Set(await entriesOf(archive, layer, folder));
    const [had, has] = [await entries(published, before[index]), await entries(rebuilt, after[index])];
    const gone = [...had].find((entry) => !has.has(entry));
    const come = [...has].find((entry) => !had.has(entry));
    const layer = `layer ${(index + 1).toString()} of ${before.length.toString()} differs`;
    if (gone === undefined && come === undefined) return `${layer}: the same files in another order`;
    return `${layer}:\n    published  ${gone ?? "(nothing)"}\n    rebuilt    ${come ?? "(nothing)"}`;
}

/**
 * Builds published images again without any cache and compares the digests; where one differs, says in which layer and
 * file first.
 *
 * @param wanted keys of the images, all when empty
 * @returns whether every digest came back
 */
export async function runCanary(wanted: readonly string[]): Promise<boolean> {
    const { env } = await startLab();
    const builds = await publishedBuilds(env);
    const keys = [...new Set(builds.map((one) => nameOf(one).replace(/-[^-]+$/, "")))];
    const unknown = wanted.find((key) => !keys.includes(key));
    if (unknown !== undefined) {
        throw new LabError(
            `no image "${unknown}" is published; published are: ${keys.join(", ") || "none (npm run up)"}.`,
        );
    }
    let same = true;
    for (const one of builds.filter(
        (built) => wanted.length === 0 || wanted.some((key) => nameOf(built).startsWith(`${key}-`)),
    )) {
        const folder = mkdtempSync(path.join(tmpdir(), "layered-images-canary-"));
        try {
            const rebuilt = path.join(folder, "rebuilt.tar");
            const args = buildArguments(one);
            const digest = await progress(`building ${nameOf(one)} again`, () =>
                exportBuild(["--no-cache", ...args], rebuilt, "zstd", env),
            );
            if (digest === one.outputs.digest) {
                console.log(`${nameOf(one)}: the same digest again (${digest})`);
                continue;
            }
            same = false;
            const published = path.join(folder, "published.tar");
            const repository = one.inputs.tags[0]?.replace(/:[^:/]*$/, "") ?? "";
            writeFileSync(path.join(folder, "Dockerfile"), "FROM published\n");
            const context = `published=docker-image://${repository}@${one.outputs.digest}`;
            const pull = ["--platform", one.inputs.platforms.join(), "--build-context", context, folder];
            await exportBuild(pull, published, "uncompressed,force-compression=true", env);
            await exportBuild(args, rebuilt, "uncompressed", env);
            console.log(`${nameOf(one)}: published ${one.outputs.digest}, rebuilt ${digest}`);
            console.log(`  ${await firstDifference(published, rebuilt, folder)}`);
        } finally {
            rmSync(folder, { recursive: true, force: true });
        }
    }
    return same;
}
