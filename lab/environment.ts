import path from "node:path";
import { labStack } from "../lib/engine/stacks";
import { type LabPaths, backendFolder, builderFolder } from "../lib/system/paths";
import { builderName } from "./builder";
import { githubVariables } from "./github/service";
import { proxyExceptions } from "./servers/proxies";
import { type Certificates, systemBundle } from "./servers/tls";
import type { Toolchain } from "./toolchain/build";
import { systemFolders } from "./toolchain/packages";

/** Description of a lab, from which its environment is derived. */
export interface LabEnvironment {
    readonly paths: LabPaths;
    readonly certificates: Certificates;
    readonly toolchain: Toolchain;
    readonly home: string;
    readonly instanceFile: string;
    /** Port of the GitHub stand-in, if the lab has one. */
    readonly githubPort: number | undefined;
}

/**
 * Returns the environment variables, except PATH, that make plain `pulumi` and `buildx` use the lab.
 *
 * @param env the user's environment
 */
export function labVariables(lab: LabEnvironment, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
    const { paths } = lab;
    return {
        PULUMI_HOME: lab.home,
        PULUMI_BACKEND_URL: `file://${backendFolder(paths)}`,
        // Not secret: the stack never leaves this machine and is disposable, and its salt in Pulumi.local.yaml is public.
        PULUMI_CONFIG_PASSPHRASE: "lab",
        PULUMI_STACK: labStack,
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        // Saves three seconds per run if all plugins are installed and there is no network.
        ...(lab.toolchain.pulumi && { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" }),
        BUILDX_CONFIG: builderFolder(paths),
        // Overrides the user's setting, which names a builder that does not exist in the lab's BUILDX_CONFIG.
        BUILDX_BUILDER: builderName,
        SSL_CERT_FILE: lab.certificates.bundle,
        LAYERED_IMAGES_SYSTEM_CA: systemBundle(),
        LAYERED_IMAGES_INSTANCE: lab.instanceFile,
        ...(lab.githubPort !== undefined && githubVariables(lab.githubPort)),
        ...proxyExceptions(env),
    };
}

/** Returns the folders to prepend to PATH. */
export function labPath(lab: LabEnvironment): string[] {
    const { pulumi, languageHost, buildx, buildkit } = lab.toolchain;
    const folders = [pulumi === undefined ? languageHost : path.join(lab.home, "bin"), buildx, buildkit];
    return folders.filter((folder) => folder !== undefined);
}

/** Returns the complete environment for a command that uses the lab. */
export function labEnvironment(lab: LabEnvironment): NodeJS.ProcessEnv {
    const folders = [...labPath(lab), process.env.PATH ?? "", ...systemFolders];
    return { ...process.env, ...labVariables(lab), PATH: folders.join(path.delimiter) };
}
