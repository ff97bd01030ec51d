import { readFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import { type Platform, archOf, hostPlatform } from "../../lib/platform";
import { RegistryError, readManifest } from "../../lib/registry/manifest";
import { parseReference, withDigest } from "../../lib/registry/references";
import { typed } from "../../lib/system/commandLine";
import type { Instance } from "../../lib/system/instance";
import type { LabPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { progress, say } from "../../lib/system/progress";
import { answers, takesReleases } from "../toolchain/releases";
import { ensureStandIn, standInKey, standInRoot } from "./standIn";

/** Properties of an instance that describe its root. */
type Root = Pick<Instance, "roots" | "rootsByPlatform" | "standIn" | "standInPlatforms">;

/** Inputs of the decision between the existing root and a new one. */
export interface RootChoice {
    /** The root of the instance, if any. */
    readonly known: Root | undefined;
    /** Platforms for which builds use the root; the machine's own is always served. */
    readonly needed: readonly Platform[];
    /** Whether the user requested a new root. */
    readonly renew: boolean;
    /** Whether a Dockerfile names the root. */
    readonly wanted: boolean;
}

/** What has to be made. */
export interface RootPlan {
    /** Whether the existing root stays as it is for the platforms that it has. */
    readonly keeps: boolean;
    /** Platforms to make, this machine's first. */
    readonly making: readonly Platform[];
}

/**
 * Decides what has to be made. An existing root is kept, because a new one rebuilds every image, and the certificates of a machine change
 * for reasons that have nothing to do with images; a platform that it lacks is added. On request the root is published again even if it is
 * the same, which restores a moved tag. A root that no Dockerfile names is not made.
 */
export function planRoot({ known, needed, renew, wanted }: RootChoice): RootPlan {
    const has = known?.roots[standInRoot] !== undefined;
    const all = [...new Set([hostPlatform(), ...needed])];
    if (renew || (!has && wanted)) return { keeps: false, making: all };
    if (!has) return { keeps: true, making: [] };
    return { keeps: true, making: all.filter((platform) => !known.standInPlatforms.includes(platform)) };
}

const repositoryIn = (registry: string) => `${registry}/library/${standInRoot.split(":")[0] ?? ""}`;
const tag = standInRoot.split(":")[1] ?? "";

/** Publishes the stand-in for one platform. Returns its reference with digest. */
async function publishPlatform(
    platform: Platform,
    folder: string,
    name: string,
    { paths, registry, env }: RootRequest,
): Promise<string> {
    const repository = repositoryIn(registry);
    const metadata = path.join(paths.state, "stand-in.json");
    const output = "type=image,push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=zstd";
    const options = ["--platform", platform, "--provenance=false", "--metadata-file", metadata];
    await run("buildx", ["build", ...options, "--output", `${output},name=${repository}:${name}`, folder], {
        env: { ...env, SOURCE_DATE_EPOCH: "0" },
        log: path.join(paths.state, "stand-in.log"),
    });
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    if (!digest)
        throw new CommandError(
            `the builder reported no digest for ${repository}: see ${metadata}`,
            `restart the lab: ${typed("down")}, then ${typed("lab", "start")}`,
        );
    return withDigest(repository, digest);
}

/**
 * Points the root's tag, which builds without pins use, at an index over these references, or at the only one. Returns what the tag points
 * at, with its digest.
 */
async function publishIndex(refs: readonly string[], { registry, env }: RootRequest): Promise<string> {
    const name = `${repositoryIn(registry)}:${tag}`;
    await run("buildx", ["imagetools", "create", "--prefer-index=false", "--tag", name, ...refs], { env });
    const index = await readManifest(name, env);
    if (!index)
        throw new CommandError(
            `${name} is not in the registry although it was just pushed`,
            `restart the lab: ${typed("down")}, then ${typed("lab", "start")}`,
        );
    return withDigest(repositoryIn(registry), index.digest);
}

/** Arguments of `ensureRoot`. */
export interface RootRequest extends RootChoice {
    readonly paths: LabPaths;
    /** Host and port of the lab's registry. */
    readonly registry: string;
    /** Whether to make the stand-in even if the root itself can be pulled. */
    readonly standIn: boolean;
    readonly env: NodeJS.ProcessEnv;
}

/** The root of a lab in which no Dockerfile has named one yet. */
const noRoot: Root = { roots: {}, rootsByPlatform: {}, standIn: "", standInPlatforms: [] };

/** Milliseconds for a question to Docker Hub: where it can't be reached, the stand-in is made. */
const patience = 5000;

/**
 * Makes what `ensureRoot` will publish, as far as that is possible without the toolchain: in the meantime the toolchain can be made.
 *
 * @param request.standIn whether to make the stand-in even if Docker Hub answers
 */
export async function prepareRoot({ paths, standIn, ...choice }: Omit<RootRequest, "registry" | "env">): Promise<void> {
    const { keeps, making } = planRoot(choice);
    if (making.length === 0) return;
    if (!keeps && !standIn && takesReleases() && (await answers("https://registry-1.docker.io/v2/"))) return;
    for (const platform of making) await ensureStandIn(paths.cache, platform);
}

/** Returns the root itself, pinned as it is on Docker Hub now; undefined if it can't be had or lacks a platform. */
async function pullable({ standIn, needed, env }: RootRequest): Promise<Root | undefined> {
    if (standIn || !takesReleases()) return undefined;
    const { registry, repository } = parseReference(standInRoot);
    const official = `${registry}/${repository}`;
    try {
        const found = await readManifest(`${official}:${tag}`, env, patience);
        const platforms = Object.keys(found?.platforms ?? {});
        if (!found || ![hostPlatform(), ...needed].every((platform) => platforms.includes(platform))) return undefined;
        const roots = { [standInRoot]: withDigest(official, found.digest) };
        return { roots, rootsByPlatform: {}, standIn: "", standInPlatforms: platforms };
    } catch (error) {
        if (error instanceof RegistryError) return undefined;
        throw error;
    }
}

/** Makes and publishes the stand-in for platforms, each with a tag of its own. Returns the references, with digests. */
async function publishPlatforms(platforms: readonly Platform[], request: RootRequest): Promise<string[]> {
    const refs: string[] = [];
    for (const platform of platforms) {
        const folder = await ensureStandIn(request.paths.cache, platform);
        const arch = archOf(platform);
        refs.push(
            await progress(`publishing the stand-in for ${standInRoot} (${arch})`, () =>
                publishPlatform(platform, folder, `${tag}-${arch}`, request),
            ),
        );
    }
    return refs;
}

/** Makes a new root: the stand-in for these platforms. */
async function newStandIn(platforms: readonly Platform[], request: RootRequest): Promise<Root> {
    const index = await publishIndex(await publishPlatforms(platforms, request), request);
    const roots = { ...request.known?.roots, [standInRoot]: index };
    return { roots, rootsByPlatform: {}, standIn: standInKey(), standInPlatforms: [...platforms] };
}

/**
 * Adds platforms of the stand-in to a root. They get a pin of their own: the one for the platforms that were there stays, so that nothing is
 * built again.
 */
async function withPlatforms(root: Root, platforms: readonly Platform[], request: RootRequest): Promise<Root> {
    if (platforms.length === 0) return root;
    const { [standInRoot]: first = "" } = root.roots;
    // With the platforms that were there, because a build may use the root for several.
    const index = await publishIndex([first, ...(await publishPlatforms(platforms, request))], request);
    const added = platforms.map((platform) => [platform, { ...root.rootsByPlatform[platform], [standInRoot]: index }]);
    return {
        ...root,
        rootsByPlatform: { ...root.rootsByPlatform, ...(Object.fromEntries(added) as Root["rootsByPlatform"]) },
        standInPlatforms: [...root.standInPlatforms, ...platforms],
    };
}

/** Makes a new root. Platforms that were added later stay apart, so that the same stand-in, published again, has the same pins. */
async function renewed(making: readonly Platform[], request: RootRequest): Promise<Root> {
    const isLater = (platform: Platform) => request.known?.rootsByPlatform[platform]?.[standInRoot] !== undefined;
    const first = await newStandIn(
        making.filter((platform) => !isLater(platform)),
        request,
    );
    return await withPlatforms(first, making.filter(isLater), request);
}

/**
 * Returns the lab's root: the existing one, with the platforms added that it lacks; the root itself if it can be pulled; or a stand-in that
 * is created and published.
 */
export async function ensureRoot(request: RootRequest): Promise<Root> {
    const { known, registry } = request;
    const { keeps, making } = planRoot(request);
    const pulled = keeps ? undefined : await pullable(request);
    const root = keeps
        ? await withPlatforms(known ?? noRoot, making, request)
        : (pulled ?? (await renewed(making, request)));
    const isStandIn = root.roots[standInRoot]?.startsWith(`${registry}/`) ?? false;
    if (keeps && isStandIn && root.standIn !== standInKey()) {
        say(
            `note: a new stand-in for ${standInRoot} would differ (the certificates that this machine trusts or the lab's recipe ` +
                "changed). The old stand-in is kept, so that nothing is rebuilt. To use a new one, and rebuild every image: " +
                typed("lab", "start", "--renew-root"),
        );
    }
    if (pulled) say(`${standInRoot} is used as it is on Docker Hub now: ${root.roots[standInRoot] ?? ""}`);
    const before = known?.roots[standInRoot];
    if (before !== undefined && before !== root.roots[standInRoot]) {
        say(`the root ${standInRoot} is replaced: every image is built again`);
    }
    const { roots, rootsByPlatform, standIn, standInPlatforms } = root;
    return { roots, rootsByPlatform, standIn, standInPlatforms };
}
