import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { labPaths } from "./paths";
import { replaceFile } from "./files";

/**
 * What a stack has to know of a lab: written when the lab starts, read by `config.ts` where the stack says `lab: true`.
 * It outlives the servers, so a preview works while they are stopped.
 */
const schema = z.strictObject({
    /** Host and port of the registry. */
    registry: z.string(),
    port: z.int(),
    /** Platforms to build: the machine's own, or every one that an image declares. */
    platforms: z.enum(["host", "all"]),
    /** Roots, as Dockerfiles write them, to the lab's own stand-ins pinned by digest. */
    roots: z.record(z.string(), z.string()),
    /** What the stand-ins were made from: another value means they have to be published anew. */
    standIn: z.string(),
    /** Platforms that the stand-ins have. */
    standInPlatforms: z.array(z.string()).default([]),
    /** Port of the GitHub stand-in; absent in a lab that was last started before there was one. */
    githubPort: z.int().optional(),
});
export type Instance = z.infer<typeof schema>;

/** The instance file: `LAYERED_IMAGES_INSTANCE`, or the default instance's. */
export function instanceFile(env: NodeJS.ProcessEnv = process.env): string {
    return env.LAYERED_IMAGES_INSTANCE ?? path.join(labPaths(env).state, "instance.json");
}

/** The lab that `file` describes; undefined where none was ever started. */
export function readInstance(file: string): Instance | undefined {
    return existsSync(file) ? schema.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
}

export function writeInstance(file: string, instance: Instance): void {
    replaceFile(file, `${JSON.stringify(instance, null, 2)}\n`);
}
