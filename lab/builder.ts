import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { type LabPaths, builderFolder } from "../lib/system/paths";
import { run } from "../lib/system/process";
import { builderAddress } from "./servers/services";

/** Name of the lab's buildx builder. */
export const builderName = "layered-images";

/** Whether a file of buildx's says this; one that is missing or broken says nothing. */
const says = (file: string, text: string) => existsSync(file) && readFileSync(file, "utf8").includes(text);

/**
 * A buildx builder that names the lab's BuildKit: what docker-build and `docker buildx` find by BUILDX_CONFIG. It is the
 * current one of every Docker endpoint (`--global`): buildx otherwise forgets it as soon as one command runs with another
 * DOCKER_HOST or Docker context, and docker-build does not read BUILDX_BUILDER.
 *
 * @param env the lab's
 */
export async function ensureBuilder(paths: LabPaths, env: NodeJS.ProcessEnv): Promise<void> {
    const folder = builderFolder(paths);
    const instance = path.join(folder, "instances", builderName);
    const address = builderAddress(paths);
    // A state folder that was moved has a builder with the old address.
    if (!says(instance, JSON.stringify(address))) {
        rmSync(instance, { force: true });
        await run("buildx", ["create", "--name", builderName, "--driver", "remote", address], { env });
    }
    const current = path.join(folder, "current");
    if (says(current, JSON.stringify(builderName)) && says(current, '"Global":true')) return;
    await run("buildx", ["use", "--global", builderName], { env });
}
