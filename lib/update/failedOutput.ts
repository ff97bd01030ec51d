import { z } from "zod";
import { type Update, failedBuilds } from "./failedBuilds";
import { LabError } from "../system/process";

/**
 * What builds and smoke tests that failed printed, as BuildKit remembers it, secrets masked.
 *
 * @returns lines by URN; none where BuildKit can't be asked
 */
export async function failedOutput(update: Update): Promise<ReadonlyMap<string, readonly string[]>> {
    try {
        const builds = await failedBuilds(update);
        return new Map(builds.flatMap(({ build, known }) => (known ? [[build.urn, known.output] as const] : [])));
    } catch (error) {
        if (!(error instanceof LabError || error instanceof z.ZodError)) throw error;
        console.error("note: what failed builds printed at their end can't be read from BuildKit");
        return new Map();
    }
}
