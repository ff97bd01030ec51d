import { homedir } from "node:os";
import path from "node:path";

/** A tool built from Go modules: a folder of `lab/toolchain` with its own go.mod and go.sum. */
export interface Tool {
    readonly folder: string;
    readonly version: string;
    /** Go packages to build. Each binary is named after the last element of its package. */
    readonly packages: readonly string[];
    readonly ldflags?: string;
    /** Command that prints the version of a copy on PATH. The copy is used if it reports `version` or later. */
    readonly present?: readonly string[];
    /** Program that must be on PATH in addition, if `present` is the command of another one. */
    readonly beside?: string;
    /** Name of the resource plugin that it is. An official Pulumi on PATH can download it. */
    readonly plugin?: string;
}

/** The toolchain, in the order in which it is built. */
export const tools = {
    buildkit: {
        folder: "buildkit",
        version: "0.31.1",
        packages: ["github.com/moby/buildkit/cmd/buildkitd", "github.com/moby/buildkit/cmd/buildctl"],
        present: ["buildkitd", "--version"],
    },
    buildx: {
        folder: "buildx",
        version: "0.35.0",
        packages: ["github.com/docker/buildx/cmd/buildx"],
        ldflags: "-X github.com/docker/buildx/version.Version=v0.35.0",
        present: ["buildx", "version"],
    },
    pulumi: {
        folder: "pulumi",
        version: "3.259.0",
        packages: ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
        ldflags: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
        present: ["pulumi", "version"],
    },
    languageHost: {
        folder: "pulumi-language-nodejs",
        version: "3.259.0",
        packages: ["."],
        ldflags: "-X main.version=v3.259.0",
        // The official distribution installs the language host next to `pulumi`.
        present: ["pulumi", "version"],
        beside: "pulumi-language-nodejs",
    },
    dockerBuild: {
        folder: "pulumi-resource-docker-build",
        version: "0.0.22",
        packages: ["github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build"],
        ldflags: "-X github.com/pulumi/pulumi-docker-build/provider.Version=0.0.22",
        plugin: "docker-build",
    },
    github: {
        folder: "pulumi-resource-github",
        version: "6.15.0",
        packages: ["."],
        ldflags: "-X main.version=6.15.0",
        plugin: "github",
    },
    command: {
        folder: "pulumi-resource-command",
        version: "1.2.1",
        packages: ["."],
        ldflags: "-X main.version=1.2.1",
        plugin: "command",
    },
} as const satisfies Record<string, Tool>;

/** Returns the PULUMI_HOME of an official Pulumi. */
export const officialHome = (env: NodeJS.ProcessEnv): string => env.PULUMI_HOME ?? path.join(homedir(), ".pulumi");

/** Returns the file that is a tool as a plugin in a home. */
export const pluginFile = (home: string, plugin: string, { folder, version }: Tool): string =>
    path.join(home, "plugins", `resource-${plugin}-v${version}`, folder);
