import { readFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import type { Platform } from "../../lib/platform";
import type { Instance } from "../../lib/system/instance";
import type { LabPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";
import { ensureStandIn, standInFolder, standInRoot } from "./standIn";
import { typed } from "../../lib/system/commandLine";

/** Properties of an instance that describe its root. */
type Root = Pick<Instance, "roots" | "standIn" | "standInPlatforms">;

/** Inputs of the decision between the existing root and a new one. */
export interface RootChoice {
    /** The root of the instance, if any. */
    readonly known: Root | undefined;
    /** Name of the stand-in that this machine would create now. */
    readonly today: string;
    /** Platforms that the lab builds for. */
    readonly needed: readonly Platform[];
    /** Whether the user requested a new root. */
    readonly renew: boolean;
    /** Whether a Dockerfile names the root. */
    readonly wanted: boolean;
}

/**
 * Returns whether to keep the instance's root. It is kept as long as it has the needed platforms, because a new root rebuilds every image,
 * and the certificates and the emulation of a machine change for reasons that have nothing to do with images. On request the root is
 * published again even if it is the same, which restores a moved tag. A root that no Dockerfile names is not made.
 */
export function keepsRoot({ known, today, needed, renew, wanted }: RootChoice): boolean {
    if (renew) return false;
    if (known?.roots[standInRoot] === undefined) return !wanted;
    return known.standIn === today || needed.every((platform) => known.standInPlatforms.includes(platform));
}

/** Publishes the stand-in. Returns its reference with digest, by the reference of the root that it replaces. */
async function publishStandIn(
    folder: string,
    registry: string,
    platforms: readonly string[],
    env: NodeJS.ProcessEnv,
    state: string,
): Promise<Record<string, string>> {
    const repository = `${registry}/library/${standInRoot.split(":")[0] ?? ""}`;
    const metadata = path.join(state, "stand-in.json");
    const output = "type=image,push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=zstd";
    const options = ["--platform", platforms.join(), "--provenance=false", "--metadata-file", metadata];
    const args = [
        "build",
        ...options,
        "--output",
        `${output},name=${repository}:${standInRoot.split(":")[1] ?? ""}`,
        folder,
    ];
    await run("buildx", args, { env: { ...env, SOURCE_DATE_EPOCH: "0" }, log: path.join(state, "stand-in.log") });
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    if (!digest) throw new CommandError(`the builder reported no digest for ${repository}: see ${metadata}`);
    return { [standInRoot]: `${repository}@${digest}` };
}

/** Arguments of `ensureRoot`. */
export interface RootRequest extends Pick<RootChoice, "known" | "needed" | "renew" | "wanted"> {
    readonly paths: LabPaths;
    /** Host and port of the lab's registry. */
    readonly registry: string;
    /** Platforms for which this machine can create a stand-in. */
    readonly makeable: readonly Platform[];
    readonly env: NodeJS.ProcessEnv;
}

/** The root of a lab in which no Dockerfile has named one yet. */
const noRoot: Root = { roots: {}, standIn: "", standInPlatforms: [] };

/** Returns the lab's root: the existing root, or a stand-in that is created and published. */
export async function ensureRoot(request: RootRequest): Promise<Root> {
    const { paths, known, registry, makeable, env } = request;
    const today = path.basename(standInFolder(paths.cache, makeable));
    if (keepsRoot({ ...request, today })) {
        const { roots, standIn, standInPlatforms } = known ?? noRoot;
        if (roots[standInRoot] !== undefined && standIn !== today) {
            console.error(
                `note: a new stand-in for ${standInRoot} would differ (the certificates that this machine trusts, the ` +
                    "platforms that it can run or the lab's recipe changed). The old stand-in is kept, so that nothing is " +
                    `rebuilt. To use the new stand-in, and rebuild every image: ${typed("lab", "start", "--renew-root")}`,
            );
        }
        return { roots, standIn, standInPlatforms };
    }
    const folder = await ensureStandIn(paths.cache, makeable);
    const roots = await progress(`publishing the stand-in for ${standInRoot}`, () =>
        publishStandIn(folder, registry, makeable, env, paths.state),
    );
    if (known?.roots[standInRoot] !== undefined && known.roots[standInRoot] !== roots[standInRoot]) {
        console.error(`the stand-in for ${standInRoot} is replaced: every image is built again`);
    }
    return { roots, standIn: today, standInPlatforms: [...makeable] };
}
