import { readFileSync } from "node:fs";
import { readFile, rename } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { replaceFile } from "../system/files";
import { type UpdateRecord, keepUpdates } from "./history";

const image = z.object({
    image: z.string(),
    platform: z.string().optional(),
    kind: z.enum(["build", "test", "promotion"]),
    operation: z.string(),
    seconds: z.number(),
    result: z.enum(["succeeded", "failed"]),
    digestMoved: z.boolean().optional(),
    bytesPushed: z.number().optional(),
});
const updates = z.array(
    z.object({
        start: z.iso.datetime(),
        seconds: z.number(),
        result: z.enum(["succeeded", "failed"]),
        commit: z.string().optional(),
        images: z.array(image),
    }),
);

/**
 * The file that keeps a stack's updates: in the lab beside the state, elsewhere `.updates/<stack>.json` of the checkout.
 *
 * @param stack its name; with an organization and project before it, or without
 * @param env of the lab (it has LAYERED_IMAGES_INSTANCE), or another
 * @param root of the repository
 */
export function historyFile(stack: string, env: NodeJS.ProcessEnv, root: string = process.cwd()): string {
    const name = `${stack.split("/").at(-1) ?? stack}.json`;
    const instance = env.LAYERED_IMAGES_INSTANCE;
    if (instance === undefined || instance === "") return path.join(root, ".updates", name);
    // One lab serves every repository on the machine, and Pulumi keeps their stacks apart by the project.
    const { name: project } = parse(readFileSync(path.join(root, "Pulumi.yaml"), "utf8")) as { name: string };
    return path.join(path.dirname(instance), "updates", project, name);
}

/**
 * The recorded updates of a stack. A file that is no history is said on stderr and put aside: what is lost is durations.
 *
 * @returns newest first; none where nothing was recorded
 */
export async function readHistory(stack: string, env: NodeJS.ProcessEnv, root?: string): Promise<UpdateRecord[]> {
    const file = historyFile(stack, env, root);
    try {
        // The type has no `undefined` for what is absent, and neither has JSON.
        return updates.parse(JSON.parse(await readFile(file, "utf8"))) as UpdateRecord[];
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
        const aside = `${file}.damaged`;
        await rename(file, aside);
        const reason = error instanceof SyntaxError ? error.message : z.prettifyError(error);
        console.error(`note: ${file} holds no recorded updates and is now ${aside}: ${reason}`);
        return [];
    }
}

/** Adds an update to the recorded ones of a stack, and leaves out those that are not needed any more. */
export async function appendHistory(
    stack: string,
    env: NodeJS.ProcessEnv,
    update: UpdateRecord,
    root?: string,
): Promise<void> {
    const kept = keepUpdates([update, ...(await readHistory(stack, env, root))]);
    replaceFile(historyFile(stack, env, root), `${JSON.stringify(kept, null, 1)}\n`);
}
