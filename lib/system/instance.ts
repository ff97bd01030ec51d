import { z } from "zod";
import { replaceFile } from "./files";
import { damageError, readKeptJson } from "./kept";
import { instancePath, labPaths } from "./paths";
import { typed } from "./commandLine";

/**
 * A description of the lab for stacks that use it (`lab: true`). The lab writes it when it starts. It outlives the servers, so that images
 * can be planned while the servers are stopped. Clones of different versions share it, so unknown properties are ignored.
 */
const schema = z.object({
    /** Host and port of the registry. */
    registry: z.string(),
    port: z.int(),
    /** Platforms to build: this machine's, or all platforms that an image declares. */
    platforms: z.enum(["host", "all"]),
    /** The lab's roots, most of them stand-ins: by reference as Dockerfiles write it, `<repository>@<digest>`. */
    roots: z.record(z.string(), z.string()),
    /**
     * By platform, the roots of builds that use a root for this platform, instead of those in `roots`: platforms that were added later, so
     * that what was built for the others is not built again.
     */
    rootsByPlatform: z.record(z.string(), z.record(z.string(), z.string())).default({}),
    /** Identifies the recipe of the stand-ins, for a note if today's differs. Empty without stand-ins. */
    standIn: z.string(),
    /** Platforms of the roots. */
    standInPlatforms: z.array(z.string()).default([]),
    /**
     * Addresses in the stack's `buildArgsWithout`, and whether this machine reached each when it was asked, once: a network that comes and
     * goes must not rebuild images. Absent in labs of versions that did not ask.
     */
    reachable: z.record(z.string(), z.boolean()).optional(),
    /** Port of the GitHub stand-in; absent if the lab was last started by a version without a stand-in. */
    githubPort: z.int().optional(),
});
export type Instance = z.infer<typeof schema>;

/** Returns the path of the instance file: `LAYERED_IMAGES_INSTANCE`, or that of the default instance. */
export function instanceFile(env: NodeJS.ProcessEnv = process.env): string {
    return env.LAYERED_IMAGES_INSTANCE ?? instancePath(labPaths(env));
}

/**
 * Reads an instance file.
 *
 * @returns undefined if no lab was ever started
 * @throws InputError if the file is damaged: a crash can leave it empty
 */
export function readInstance(file: string): Instance | undefined {
    const kept = readKeptJson(file, schema);
    if (kept === undefined || "value" in kept) return kept?.value;
    throw damageError(file, kept, {
        what: "the lab's instance file",
        // The servers have to stop first, so that the lab finds its former ports free and nothing is rebuilt.
        next: `${typed("down")}, then move this file away, then ${typed("lab", "start")} (with --platforms all if it was started so before)`,
    });
}

/** Writes an instance file. */
export function writeInstance(file: string, instance: Instance): void {
    replaceFile(file, `${JSON.stringify(instance, null, 2)}\n`);
}
