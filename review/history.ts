import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { labPaths } from "../lab/paths";
import { stackName } from "../lab/environment";
import type { UpdateRecord } from "../lib/plan/history";

/** Updates of a stack that were recorded on this machine, newest first; none where nothing was. */
export function readHistory(stack: string, env: NodeJS.ProcessEnv): Promise<UpdateRecord[]> {
    const folder = stack === stackName ? path.join(labPaths(env).state, "updates") : ".updates";
    const file = path.join(folder, `${stack.replaceAll("/", "-")}.json`);
    return Promise.resolve(existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as UpdateRecord[]) : []);
}
