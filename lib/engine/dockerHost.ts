import { InputError } from "../errors";
import { typed } from "../system/commandLine";

/*
 * The provider of images takes DOCKER_HOST for one of its settings, and Pulumi replaces every image when a setting of its provider changes. So the same
 * stack would be built again on a machine that has another DOCKER_HOST. Where the provider does not need it, because it builds on an engine that has a
 * name, Pulumi is run without, and what this program starts itself gets it back.
 */

/** Environment variable that keeps DOCKER_HOST for the programs that need it. */
const kept = "LAYERED_IMAGES_DOCKER_HOST";

/** Returns an environment for Pulumi, without DOCKER_HOST. */
export function withoutDockerHost({ DOCKER_HOST: host, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return host === undefined || host === "" ? env : { ...env, [kept]: host };
}

/** Gives this process, which Pulumi may have started, the DOCKER_HOST that was kept from Pulumi. */
export function restoreDockerHost(env: NodeJS.ProcessEnv = process.env): void {
    const { [kept]: host } = env;
    if (host !== undefined && !env.DOCKER_HOST) env.DOCKER_HOST = host;
}

/**
 * Refuses to replace every image of a stack because of another DOCKER_HOST.
 *
 * @param host what the provider takes in this run; "" for none
 * @param former what it took when the stack's images were built, for each of its versions; empty if there are none
 * @throws InputError with the ways to keep them
 */
export function checkDockerHost(host: string, former: readonly string[]): void {
    if (host === "" || former.length === 0 || former.includes(host)) return;
    const before = former.find((one) => one !== "");
    throw new InputError({
        problem:
            `DOCKER_HOST is ${host}, and was ${before ?? "not set"} when the stack's images were built: the provider takes it for a setting of its own, ` +
            "and Pulumi would replace every image",
        where: "the environment",
        allowed: [before === undefined ? "no DOCKER_HOST" : `DOCKER_HOST=${before}`],
        next:
            `for the lab's stack, and one that sets \`builder\`, ${typed("up")} keeps it from Pulumi; for another one set \`builder\`, or name the ` +
            'engine by a Docker context instead (docs/operations.md, "DOCKER_HOST")',
    });
}
