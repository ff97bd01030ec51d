import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { InputError } from "../errors";
import { replaceFile } from "./files";
import { instancePath, labPaths } from "./paths";

/**
 * What a stack has to know of a lab: written when the lab starts, read by `config.ts` where the stack says `lab: true`.
 * It outlives the servers, so images can be planned while they are stopped.
 * Clones of several versions may share it, so what only another one knows does not matter.
 */
const schema = z.object({
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
    return env.LAYERED_IMAGES_INSTANCE ?? instancePath(labPaths(env));
}

/**
 * The lab that `file` describes; undefined where none was ever started.
 *
 * @throws InputError for a file that can't be read as one: a crash can leave it empty
 */
export function readInstance(file: string): Instance | undefined {
    if (!existsSync(file)) return undefined;
    const text = readFileSync(file, "utf8");
    const refuse = (reason: string) =>
        new InputError({
            problem: `what the lab wrote down of itself can't be read: ${reason}`,
            where: file,
            // Its servers go first: the lab then finds the ports free that it had, and nothing is rebuilt.
            next: "npm run down, then remove this file, then npm run lab -- start (with --platforms all where that was said before)",
        });
    let value: unknown;
    try {
        value = JSON.parse(text);
    } catch {
        throw refuse(text.trim() === "" ? "it is empty" : "it is no JSON");
    }
    const { data, error } = schema.safeParse(value);
    if (data) return data;
    throw refuse(error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
}

export function writeInstance(file: string, instance: Instance): void {
    replaceFile(file, `${JSON.stringify(instance, null, 2)}\n`);
}
