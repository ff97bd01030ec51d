import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { parseReference, repositoryOf, withDigest } from "./references";

/** A blob of a registry, by its content. */
export interface Layer {
    readonly digest: string;
    /** Compressed, in bytes. */
    readonly size: number;
}

/** What a registry has under a tag or digest: the manifest of one platform (`layers`) or an index (`platforms`). */
export interface Manifest {
    /** "sha256:<64 hex>" of the bytes that the registry gave. */
    readonly digest: string;
    /** What a container of it starts with; absent for an index. */
    readonly config?: Layer;
    /** Layers in order, the root's first; none for an index. */
    readonly layers: readonly Layer[];
    /** Digests by platform ("linux/amd64"); none for the manifest of one platform. Attestations are left out. */
    readonly platforms: Readonly<Record<string, string>>;
}

/** A registry can't be asked: no network, TLS, a login that is refused. What it holds is not known then. */
export class RegistryError extends Error {
    override readonly name = "RegistryError";

    constructor(
        /** Its host, with the port. */
        readonly registry: string,
        readonly reason: string,
        /** Whether it gave no answer at all in time. */
        readonly hangs = false,
    ) {
        super(`registry ${registry} can't be asked: ${reason}`);
    }
}

/** Milliseconds for one question; a registry that hangs must not hang us. */
const timeout = 20_000;

const layer = z.object({ digest: z.string(), size: z.number() });
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
/** image-spec v1.1, manifest.md and image-index.md; Docker's own formats have the same fields. */
const schema = z.object({
    config: layer.optional(),
    layers: z.array(layer).default([]),
    manifests: z.array(z.object({ digest: z.string(), platform: platform.optional() })).default([]),
});

/** "linux/arm64", as `images.ts` writes platforms: arm64's only variant is not said (containerd, platforms.Normalize). */
function platformName({ os, architecture, variant }: z.infer<typeof platform>): string {
    const said = variant === undefined || variant === "" || (architecture === "arm64" && variant === "v8");
    return said ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/**
 * Reads a manifest or index.
 *
 * @param text the bytes that the registry gave, as text
 * @throws z.ZodError or SyntaxError when they are none
 */
export function parseManifest(text: string): Manifest {
    const { config, layers, manifests } = schema.parse(JSON.parse(text));
    const platforms = manifests.flatMap(({ digest, platform: of }) =>
        of && of.os !== "unknown" ? [[platformName(of), digest] as const] : [],
    );
    const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`;
    return { digest, ...(config && { config }), layers, platforms: Object.fromEntries(platforms) };
}

/** The builder's own tool: `buildx` by itself where it is on PATH, as in the lab, else Docker's plugin. */
export function buildx(env: NodeJS.ProcessEnv): [command: string, ...args: string[]] {
    const isThere = (folder: string) => {
        try {
            accessSync(path.join(folder, "buildx"), constants.X_OK);
            return true;
        } catch {
            return false;
        }
    };
    return (env.PATH ?? "").split(path.delimiter).some(isThere) ? ["buildx"] : ["docker", "buildx"];
}

/**
 * Asks a registry what it has under a tag or digest, with the builder's own tool and so with the user's Docker login.
 *
 * @param ref "registry/repository:tag" or "registry/repository@sha256:…"
 * @param env environment of the tool
 * @param patience milliseconds
 * @returns undefined when the registry says that there is nothing
 * @throws RegistryError when it can't be asked, or its answer is no manifest
 */
export async function readManifest(
    ref: string,
    env: NodeJS.ProcessEnv,
    patience = timeout,
): Promise<Manifest | undefined> {
    return await readAs(ref, env, "manifest", parseManifest, patience);
}

/** An image's configuration (image-spec v1.1, config.md); ONBUILD is Docker's own (moby/docker-image-spec). */
const configSchema = z.object({ config: z.object({ OnBuild: z.array(z.string()).nullish() }).nullish() });

const readTriggers = (text: string): readonly string[] => configSchema.parse(JSON.parse(text)).config?.OnBuild ?? [];

/**
 * Asks a registry for an image's ONBUILD triggers, with the builder's own tool and so with the user's Docker login.
 *
 * @param ref "registry/repository:tag" or "registry/repository@sha256:…"
 * @param platform in normal form. Where an index does not have exactly it, those of all its platforms count: BuildKit may take a
 *     compatible one
 * @returns the instructions ("COPY . /srv/"), in order; undefined when the registry does not have the image, or not all of it
 * @throws RegistryError when it can't be asked, or its answer is none
 */
export async function onBuildTriggers(
    ref: string,
    platform: string,
    env: NodeJS.ProcessEnv,
): Promise<readonly string[] | undefined> {
    const manifest = await readManifest(ref, env);
    if (!manifest) return undefined;
    const at = (digest: string) => withDigest(repositoryOf(ref), digest);
    // The tool looks among manifests for a digest, then among blobs (containerd, docker.Resolve).
    if (manifest.config) return await readAs(at(manifest.config.digest), env, "configuration", readTriggers);
    const exact = manifest.platforms[platform];
    const wanted = exact === undefined ? [...new Set(Object.values(manifest.platforms))] : [exact];
    if (wanted.length === 0) return undefined;
    const found = await Promise.all(wanted.map((digest) => onBuildTriggers(at(digest), platform, env)));
    const [first] = found;
    if (first === undefined || found.includes(undefined)) return undefined;
    const isSame = found.every((one) => JSON.stringify(one) === JSON.stringify(first));
    return isSame ? first : [...new Set(found.flatMap((one) => one ?? []))];
}

/** Reads what a registry has under a reference; undefined when it has nothing. */
async function readAs<T>(
    ref: string,
    env: NodeJS.ProcessEnv,
    what: string,
    parse: (text: string) => T,
    patience = timeout,
): Promise<T | undefined> {
    const { registry } = parseReference(ref);
    const [command, ...args] = buildx(env);
    let text: string;
    try {
        const options = { env, timeout: patience, maxBuffer: 16 * 1024 * 1024 };
        text = (await promisify(execFile)(command, [...args, "imagetools", "inspect", "--raw", ref], options)).stdout;
    } catch (error) {
        const {
            stderr = "",
            message,
            killed,
            code,
        } = error as Error & {
            stderr?: string;
            killed?: boolean;
            code?: unknown;
        };
        const said = stderr.trim().replace(/^ERROR: /, "");
        if (said.endsWith(": not found")) return undefined;
        if (code === "ENOENT") throw new RegistryError(registry, `neither buildx nor docker is on PATH`);
        if (killed) throw new RegistryError(registry, `no answer in ${(patience / 1000).toString()} seconds`, true);
        // Reasons without the address, so that one reason for many images is told once.
        throw new RegistryError(registry, said.replace(/^failed to do request: \w+ "[^"]*": /, "") || message);
    }
    try {
        return parse(text);
    } catch (error) {
        const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
        throw new RegistryError(registry, `its answer to ${ref} is no ${what}: ${reason}`);
    }
}
