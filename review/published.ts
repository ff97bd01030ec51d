import { mapBounded } from "../lib/bounded";
import type { DeployedBuild } from "../lib/plan/deployed";
import type { Plan } from "../lib/plan/plan";
import { RegistryError, readManifest } from "../lib/registry";

/** What the registry has of the builds in the state. */
export interface Published {
    /** Digests that it does not have. */
    readonly missing: ReadonlySet<string>;
    /** Compressed bytes by image and platform ("bot linux/amd64"). */
    readonly bytes: ReadonlyMap<string, number>;
    /** Why it could not be asked, a text a registry. */
    readonly unasked: readonly string[];
}

/** Questions at a time: registries limit them, and each starts a process. */
const atOnce = 8;

/** Asks the registry for builds. What can't be asked is told, and counts as there. */
export async function lookUp(builds: readonly DeployedBuild[], env: NodeJS.ProcessEnv): Promise<Published> {
    const missing = new Set<string>();
    const bytes = new Map<string, number>();
    const unasked = new Set<string>();
    await mapBounded(builds, atOnce, async ({ image, platform, repository, digest }) => {
        try {
            const manifest = await readManifest(`${repository}@${digest}`, env);
            if (manifest) bytes.set(`${image} ${platform}`, manifest.layers.reduce((sum, { size }) => sum + size, 0));
            else missing.add(digest);
        } catch (error) {
            if (!(error instanceof RegistryError)) throw error;
            unasked.add(error.message);
        }
    });
    return { missing, bytes, unasked: [...unasked] };
}

/** The plan with the sizes of what is published, and with what could not be asked as warnings. */
export function withSizes(plan: Plan, { bytes, unasked }: Published): Plan {
    return {
        ...plan,
        warnings: [...plan.warnings, ...unasked],
        images: plan.images.map((image) => ({
            ...image,
            platforms: image.platforms.map((one) => {
                const known = bytes.get(`${image.image} ${one.platform}`);
                return known === undefined ? one : { ...one, bytes: known };
            }),
        })),
    };
}
