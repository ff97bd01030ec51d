import { z } from "zod";
import { failedBuilds } from "../lab/failedBuilds";
import { LabError } from "../lab/process";
import type { EngineLog } from "../lib/plan/engineLog";
import type { ImageStep } from "../lib/plan/imageSteps";

/**
 * What builds and smoke tests that failed printed, as BuildKit remembers it: the provider loses the end, which is where the
 * reason stands. Secrets are in it as they are.
 *
 * @param env of the update
 * @returns lines by URN; none where BuildKit can't be asked
 */
export async function failedOutput(
    log: EngineLog,
    steps: readonly ImageStep[],
    env: NodeJS.ProcessEnv,
): Promise<ReadonlyMap<string, readonly string[]>> {
    const failed = steps.filter(({ result }) => result === "failed");
    if (failed.length === 0) return new Map();
    try {
        const builds = await failedBuilds(env, new Date(log.start));
        return new Map(
            failed.flatMap(({ urn, context, platform }) => {
                if (context === undefined) return [];
                const build = builds.find((one) => one.context.endsWith(context) && one.platform === platform);
                return build ? [[urn, build.output] as const] : [];
            }),
        );
    } catch (error) {
        if (!(error instanceof LabError || error instanceof z.ZodError)) throw error;
        console.error("note: what failed builds printed at their end can't be read from BuildKit");
        return new Map();
    }
}
