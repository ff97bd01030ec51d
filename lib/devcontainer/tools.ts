import { existsSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../errors";
import { capture } from "../system/process";

/** The programs that make a devcontainer on this machine, and their environment. */
export interface DevcontainerTools {
    /** The Dev Containers CLI, with its first arguments. */
    readonly cli: readonly [command: string, ...args: string[]];
    /** For Docker and the Dev Containers CLI, which builds on the images of the local Docker and not on those of a registry. */
    readonly env: NodeJS.ProcessEnv;
}

/** The Dev Containers CLI of the repository, or one on PATH. */
async function findCli(root: string, env: NodeJS.ProcessEnv): Promise<DevcontainerTools["cli"]> {
    const own = path.join(root, "node_modules/@devcontainers/cli/devcontainer.js");
    if (existsSync(own)) return [process.execPath, own];
    const { failure } = await capture("devcontainer", ["--version"], { env });
    if (failure === undefined) return ["devcontainer"];
    throw new CommandError(
        `the Dev Containers CLI is neither in node_modules of ${root} nor on PATH`,
        "npm install --save-dev --save-exact @devcontainers/cli",
    );
}

/**
 * Finds the Dev Containers CLI and asks Docker whether it can build.
 *
 * @param root the repository's root
 * @throws CommandError for what is missing or does not answer, with how to get it
 */
export async function findTools(root: string, env: NodeJS.ProcessEnv): Promise<DevcontainerTools> {
    const cli = await findCli(root, env);
    const server = await capture("docker", ["version", "--format", "{{.Server.Version}}"], { env });
    if (server.failure !== undefined) {
        throw new CommandError(
            `Docker does not answer: ${server.stderr.trim() || server.failure}`,
            "install Docker (docker.io on Debian) and start it; if it runs elsewhere, set DOCKER_HOST or `docker context use <name>`",
        );
    }
    const plugin = await capture("docker", ["buildx", "version"], { env });
    if (plugin.failure !== undefined) {
        throw new CommandError(
            "Docker has no buildx, without which it does not understand the Dockerfiles' mounts",
            "install Docker's buildx plugin: docker-buildx-plugin, docker-buildx on Debian",
        );
    }
    // The builder of Docker itself has the name of the context. Any other would look for the parent's name in a registry.
    const context = await capture("docker", ["context", "inspect", "--format", "{{.Name}}"], { env });
    return { cli, env: { ...env, BUILDX_BUILDER: context.stdout.trim() || "default" } };
}
