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

/**
 * The content of a registry under a tag or digest: the manifest of one platform (`layers`) or an index (`platforms`).
 */
export interface Manifest {
    /** "sha256:<64 hex>" of the received bytes. */
    readonly digest: string;
    /** The configuration blob of the image; absent for an index. */
    readonly config?: Layer;
    /** Layers in order, the root's first; empty for an index. */
    readonly layers: readonly Layer[];
    /** Digests by platform ("linux/amd64"), without attestations; empty for the manifest of one platform. */
    readonly platforms: Readonly<Record<string, string>>;
}

/** A failed query of a registry: no network, TLS, a refused login. The content of the registry is then unknown. */
export class RegistryError extends Error {
    override readonly name = "RegistryError";

    constructor(
        /** Its host, with the port. */
        readonly registry: string,
        readonly reason: string,
        /** Whether the registry did not respond within the time limit. */
        readonly hangs = false,
    ) {
        super(`registry ${registry} can't be asked: ${reason}`);
    }
}

/** Time limit of a query, in milliseconds, for registries that do not respond. */
const timeout = 20_000;

const layer = z.object({ digest: z.string(), size: z.number() });
const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
/** image-spec v1.1, manifest.md and image-index.md; Docker's own formats have the same fields. */
const schema = z.object({
    config: layer.optional(),
    layers: z.array(layer).default([]),
    manifests: z.array(z.object({ digest: z.string(), platform: platform.optional() })).default([]),
});

/**
 * Returns a platform as `images.ts` writes it ("linux/arm64"), without arm64's default variant (containerd,
 * platforms.Normalize).
 */
function platformName({ os, architecture, variant }: z.infer<typeof platform>): string {
    const isImplied = variant === undefined || variant === "" || (architecture === "arm64" && variant === "v8");
    return isImplied ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/**
 * Parses a manifest or index.
 *
 * @param text the received bytes, as text
 * @throws z.ZodError or SyntaxError for anything else
 */
export function parseManifest(text: string): Manifest {
    const { config, layers, manifests } = schema.parse(JSON.parse(text));
    const platforms = manifests.flatMap(({ digest, platform: of }) =>
        of && of.os !== "unknown" ? [[platformName(of), digest] as const] : [],
    );
    const digest = `sha256:${createHash("sha256").update(text).digest("hex")}`;
    return { digest, ...(config && { config }), layers, platforms: Object.fromEntries(platforms) };
}

/** Returns the command of the builder's client: `buildx` if it is on PATH, as in the lab, otherwise Docker's plugin. */
export function buildx(env: NodeJS.ProcessEnv): [command: string, ...args: string[]] {
    const hasBuildx = (folder: string) => {
        try {
            accessSync(path.join(folder, "buildx"), constants.X_OK);
            return true;
        } catch {
            return false;
        }
    };
    return (env.PATH ?? "").split(path.delimiter).some(hasBuildx) ? ["buildx"] : ["docker", "buildx"];
}

/**
 * Reads a manifest from a registry with buildx, and therefore with the user's Docker login.
 *
 * @param ref "registry/repository:tag" or "registry/repository@sha256:…"
 * @param env environment of buildx
 * @param patience time limit in milliseconds
 * @returns undefined if the registry reports that it does not exist
 * @throws RegistryError if the query fails, or the response is not a manifest
 */
export async function readManifest(
    ref: string,
    env: NodeJS.ProcessEnv,
    patience = timeout,
): Promise<Manifest | undefined> {
    return await readAs(ref, env, "manifest", parseManifest, patience);
}

/**
 * An image's configuration (image-spec v1.1, config.md); ONBUILD is an extension of Docker (moby/docker-image-spec).
 */
const configSchema = z.object({ config: z.object({ OnBuild: z.array(z.string()).nullish() }).nullish() });

const readTriggers = (text: string): readonly string[] => configSchema.parse(JSON.parse(text)).config?.OnBuild ?? [];

/**
 * Reads an image's ONBUILD triggers from a registry with buildx, and therefore with the user's Docker login.
 *
 * @param ref "registry/repository:tag" or "registry/repository@sha256:…"
 * @param platform in normal form. If an index does not contain exactly this platform, the triggers of all its platforms
 *     count: BuildKit may use a compatible platform
 * @returns the instructions ("COPY . /srv/"), in order; undefined if the registry lacks the image or a part of it
 * @throws RegistryError if the query fails, or the response is not a configuration
 */
export async function onBuildTriggers(
    ref: string,
    platform: string,
    env: NodeJS.ProcessEnv,
): Promise<readonly string[] | undefined> {
    const manifest = await readManifest(ref, env);
    if (!manifest) return undefined;
    const at = (digest: string) => withDigest(repositoryOf(ref), digest);
    // buildx looks up a digest among the manifests, then among the blobs (containerd, docker.Resolve).
    if (manifest.config) return await readAs(at(manifest.config.digest), env, "configuration", readTriggers);
    const exact = manifest.platforms[platform];
    const wanted = exact === undefined ? [...new Set(Object.values(manifest.platforms))] : [exact];
    if (wanted.length === 0) return undefined;
    const triggers = await Promise.all(wanted.map((digest) => onBuildTriggers(at(digest), platform, env)));
    const [first] = triggers;
    if (first === undefined || triggers.includes(undefined)) return undefined;
    const isSame = triggers.every((list) => JSON.stringify(list) === JSON.stringify(first));
    return isSame ? first : [...new Set(triggers.flatMap((list) => list ?? []))];
}

const createdSchema = z.object({ created: z.iso.datetime({ offset: true }).optional() });

/**
 * Reads when an image was built, from the configuration of its first platform. Errors as `readManifest`.
 *
 * @param ref "registry/repository@sha256:…"
 * @returns a time in the form of ISO 8601; undefined if the image does not say it
 */
export async function readCreated(ref: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
    const manifest = await readManifest(ref, env);
    const at = (digest: string) => withDigest(repositoryOf(ref), digest);
    const [first] = Object.values(manifest?.platforms ?? {});
    if (first !== undefined) return await readCreated(at(first), env);
    if (!manifest?.config) return undefined;
    const parseCreated = (text: string) => createdSchema.parse(JSON.parse(text));
    return (await readAs(at(manifest.config.digest), env, "configuration", parseCreated))?.created;
}

/** Reads and parses the content of a reference; undefined if it does not exist. */
async function readAs<T>(
    ref: string,
    env: NodeJS.ProcessEnv,
    kind: string,
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
        const reason = stderr.trim().replace(/^ERROR: /, "");
        if (reason.endsWith(": not found")) return undefined;
        if (code === "ENOENT") throw new RegistryError(registry, `neither buildx nor docker is on PATH`);
        if (killed) throw new RegistryError(registry, `no answer in ${(patience / 1000).toString()} seconds`, true);
        // The reason without the URL, so that the same reason for several images is reported once.
        throw new RegistryError(registry, reason.replace(/^failed to do request: \w+ "[^"]*": /, "") || message);
    }
    try {
        return parse(text);
    } catch (error) {
        const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
        throw new RegistryError(registry, `its response to ${ref} is not a ${kind}: ${reason}`);
    }
}
