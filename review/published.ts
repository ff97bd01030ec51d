import type { Plan } from "../lib/plan/plan";
import { parseReference } from "../lib/references";
import type { DeployedImage } from "../lib/status/state";
import { askRegistries } from "./ask";

/** What the registry has of the builds in the state. */
export interface Published {
    /** Digests that it does not have. */
    readonly missing: ReadonlySet<string>;
    /** Compressed bytes by image and platform ("bot linux/amd64"). */
    readonly bytes: ReadonlyMap<string, number>;
    /** Why it could not be asked, a text a registry. */
    readonly unasked: readonly string[];
}

/** Asks the registry for builds. What can't be asked is told, and counts as there. */
export async function lookUp(images: readonly DeployedImage[], env: NodeJS.ProcessEnv): Promise<Published> {
    const missing = new Set<string>();
    const bytes = new Map<string, number>();
    const unasked = new Set<string>();
    const builds = images.flatMap(({ image, builds: own }) => own.map((build) => ({ ...build, image })));
    const refOf = ({ repository, digest }: { readonly repository: string; readonly digest: string }) =>
        `${repository}@${digest}`;
    const answers = await askRegistries(builds.map(refOf), env);
    for (const build of builds) {
        const answer = answers.get(refOf(build));
        if (!answer) continue;
        if ("unknown" in answer) unasked.add(`${parseReference(build.repository).registry}: ${answer.unknown}`);
        else if (!answer.found) missing.add(build.digest);
        else
            bytes.set(
                `${build.image} ${build.platform}`,
                answer.found.layers.reduce((sum, { size }) => sum + size, 0),
            );
    }
    return { missing, bytes, unasked: [...unasked].map((reason) => `what is published could not be asked: ${reason}`) };
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
