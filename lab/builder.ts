import { rmSync } from "node:fs";
import path from "node:path";
import { readKept } from "../lib/system/files";
import { valueOf } from "../lib/system/kept";
import { type LabPaths, builderFolder } from "../lib/system/paths";
import { run } from "../lib/system/process";
import { builderAddress } from "./servers/services";

/** Name of the lab's buildx builder. */
export const builderName = "layered-images";

/** Returns whether a file contains the text; false if the file does not exist or can't be read. */
const contains = (file: string, text: string) => valueOf(readKept(file, (content) => content))?.includes(text) === true;

/**
 * Creates the buildx builder for the lab's BuildKit. docker-build and `docker buildx` find it through BUILDX_CONFIG. It is the current
 * builder of every Docker endpoint (`--global`), because buildx otherwise forgets it as soon as a command runs with a different
 * DOCKER_HOST or Docker context, and docker-build does not read BUILDX_BUILDER.
 *
 * @param env the lab's environment
 */
export async function ensureBuilder(paths: LabPaths, env: NodeJS.ProcessEnv): Promise<void> {
    const folder = builderFolder(paths);
    const instance = path.join(folder, "instances", builderName);
    const address = builderAddress(paths);
    // If the state folder was moved, the existing builder has the old address.
    if (!contains(instance, JSON.stringify(address))) {
        rmSync(instance, { recursive: true, force: true });
        await run("buildx", ["create", "--name", builderName, "--driver", "remote", address], { env });
    }
    const current = path.join(folder, "current");
    if (contains(current, JSON.stringify(builderName)) && contains(current, '"Global":true')) return;
    await run("buildx", ["use", "--global", builderName], { env });
}
