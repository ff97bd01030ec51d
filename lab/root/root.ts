import { readFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../../lib/errors";
import type { Platform } from "../../lib/platform";
import type { Instance } from "../../lib/system/instance";
import type { LabPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { progress } from "../../lib/system/progress";
import { ensureStandIn, standInFolder, standInRoot } from "./standIn";

/** What an instance keeps of its root. */
type Root = Pick<Instance, "roots" | "standIn" | "standInPlatforms">;

/** What the choice between the root that is there and a new one depends on. */
export interface RootChoice {
    /** The root of the instance, where it has one. */
    readonly known: Root | undefined;
    /** Name of the stand-in that this machine would make today. */
    readonly today: string;
    /** Platforms that the lab builds for. */
    readonly needed: readonly Platform[];
    /** Whether a new root was asked for. */
    readonly renew: boolean;
}

/**
 * Whether the instance's root stays. It does while it serves: a root that moves rebuilds every image, and what a machine
 * trusts or can emulate changes without anybody thinking of images. Asked to, it is published anew even where it would be the
 * same one: that puts its tag back, wherever somebody moved it.
 */
export function keepsRoot({ known, today, needed, renew }: RootChoice): boolean {
    if (known === undefined || renew) return false;
    return known.standIn === today || needed.every((platform) => known.standInPlatforms.includes(platform));
}

/** Publishes the stand-in and returns the root it stands for, pinned by digest. */
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

/** What `ensureRoot` needs. */
export interface RootRequest extends Pick<RootChoice, "known" | "needed" | "renew"> {
    readonly paths: LabPaths;
    /** Host and port of the lab's registry. */
    readonly registry: string;
    /** Platforms that this machine can make a stand-in for. */
    readonly makeable: readonly Platform[];
    readonly env: NodeJS.ProcessEnv;
}

/** The lab's root: the one that it has, or a stand-in that is made and published. */
export async function ensureRoot(request: RootRequest): Promise<Root> {
    const { paths, known, registry, makeable, env } = request;
    const today = path.basename(standInFolder(paths.cache, makeable));
    if (known && keepsRoot({ ...request, today })) {
        if (known.standIn !== today) {
            console.error(
                `note: the stand-in for ${standInRoot} would be another one today (the certificates that this machine trusts, the ` +
                    "platforms that it can run or the lab's recipe changed). The old one is kept, so that nothing is " +
                    "rebuilt. To take the new one, and rebuild every image: npm run lab -- start --renew-root",
            );
        }
        const { roots, standIn, standInPlatforms } = known;
        return { roots, standIn, standInPlatforms };
    }
    const folder = await ensureStandIn(paths.cache, makeable);
    const roots = await progress(`publishing the stand-in for ${standInRoot}`, () =>
        publishStandIn(folder, registry, makeable, env, paths.state),
    );
    if (known && known.roots[standInRoot] !== roots[standInRoot]) {
        console.error(`the stand-in for ${standInRoot} is replaced: every image is built again`);
    }
    return { roots, standIn: today, standInPlatforms: [...makeable] };
}
