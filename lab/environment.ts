import path from "node:path";
import { labStack } from "../lib/engine/stacks";
import { type LabPaths, backendFolder, builderFolder } from "../lib/system/paths";
import { builderName } from "./builder";
import { githubVariables } from "./github/service";
import { proxyExceptions } from "./servers/proxies";
import { type Certificates, systemBundle } from "./servers/tls";
import type { Toolchain } from "./toolchain/build";
import { systemFolders } from "./toolchain/packages";

/** What `labVariables` is made from. */
export interface LabEnvironment {
    readonly paths: LabPaths;
    readonly certificates: Certificates;
    readonly toolchain: Toolchain;
    readonly home: string;
    readonly instanceFile: string;
    /** Port of the GitHub stand-in, where there is one. */
    readonly githubPort: number | undefined;
}

/**
 * The variables that turn plain `pulumi` and `buildx` into the lab's, PATH apart.
 *
 * @param env the user's environment
 */
export function labVariables(lab: LabEnvironment, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
    const { paths } = lab;
    return {
        PULUMI_HOME: lab.home,
        PULUMI_BACKEND_URL: `file://${backendFolder(paths)}`,
        // The stack never leaves this machine and can be thrown away; everyone can read its salt in Pulumi.local.yaml.
        PULUMI_CONFIG_PASSPHRASE: "lab",
        PULUMI_STACK: labStack,
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        // Saves three seconds a run where everything is installed and there is no network.
        ...(lab.toolchain.pulumi && { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" }),
        BUILDX_CONFIG: builderFolder(paths),
        // buildx would look for the user's builder among the lab's.
        BUILDX_BUILDER: builderName,
        SSL_CERT_FILE: lab.certificates.bundle,
        LAYERED_IMAGES_SYSTEM_CA: systemBundle(),
        LAYERED_IMAGES_INSTANCE: lab.instanceFile,
        ...(lab.githubPort !== undefined && githubVariables(lab.githubPort)),
        ...proxyExceptions(env),
    };
}

/** Folders that go in front of PATH. */
export function labPath(lab: LabEnvironment): string[] {
    const folders = [lab.toolchain.pulumi && path.join(lab.home, "bin"), lab.toolchain.buildx, lab.toolchain.buildkit];
    return folders.filter((folder) => folder !== undefined);
}

/** The whole environment of a command that works on the lab. */
export function labEnvironment(lab: LabEnvironment): NodeJS.ProcessEnv {
    const folders = [...labPath(lab), process.env.PATH ?? "", ...systemFolders];
    return { ...process.env, ...labVariables(lab), PATH: folders.join(path.delimiter) };
}
