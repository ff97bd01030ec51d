import { homedir } from "node:os";
import path from "node:path";
import type { Release } from "./releases";

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
    /** Seconds that building it takes on two idle cores, after the tools before it. */
    readonly seconds: number;
    /** The same version as its publisher releases it. */
    readonly release: Release;
}

/** Architecture of this machine as Go names it. */
const arch = process.arch === "x64" ? "amd64" : process.arch;

const pulumiVersion = "3.259.0";

/** A release on GitHub. */
const onGitHub = (repository: string, version: string, file: string, checksums: string): Release => {
    const folder = `https://github.com/${repository}/releases/download/v${version}`;
    return { url: `${folder}/${file}`, checksums: `${folder}/${checksums}` };
};

/** The release of a plugin whose publisher is Pulumi. */
const pluginRelease = (name: string, version: string): Release =>
    onGitHub(
        `pulumi/pulumi-${name}`,
        version,
        `pulumi-resource-${name}-v${version}-linux-${arch}.tar.gz`,
        `pulumi-${name}_${version}_checksums.txt`,
    );

/** The release of Pulumi, which contains the CLI and all language hosts. */
const pulumiRelease = (program: string): Release => {
    const folder = "https://get.pulumi.com/releases/sdk";
    return {
        url: `${folder}/pulumi-v${pulumiVersion}-linux-${arch === "amd64" ? "x64" : arch}.tar.gz`,
        checksums: `${folder}/pulumi-${pulumiVersion}-checksums.txt`,
        members: [`pulumi/${program}`],
    };
};

/** The toolchain, in the order in which it is built. */
export const tools = {
    buildkit: {
        folder: "buildkit",
        seconds: 150,
        version: "0.31.1",
        packages: ["github.com/moby/buildkit/cmd/buildkitd", "github.com/moby/buildkit/cmd/buildctl"],
        present: ["buildkitd", "--version"],
        release: {
            ...onGitHub(
                "moby/buildkit",
                "0.31.1",
                `buildkit-v0.31.1.linux-${arch}.tar.gz`,
                `buildkit-v0.31.1.linux-${arch}.provenance.json`,
            ),
            members: ["bin/buildkitd", "bin/buildctl"],
        },
    },
    buildx: {
        folder: "buildx",
        seconds: 90,
        version: "0.35.0",
        packages: ["github.com/docker/buildx/cmd/buildx"],
        ldflags: "-X github.com/docker/buildx/version.Version=v0.35.0",
        present: ["buildx", "version"],
        release: onGitHub("docker/buildx", "0.35.0", `buildx-v0.35.0.linux-${arch}`, "checksums.txt"),
    },
    pulumi: {
        folder: "pulumi",
        seconds: 300,
        version: pulumiVersion,
        packages: ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
        ldflags: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
        present: ["pulumi", "version"],
        release: pulumiRelease("pulumi"),
    },
    languageHost: {
        folder: "pulumi-language-nodejs",
        seconds: 10,
        version: pulumiVersion,
        packages: ["."],
        ldflags: "-X main.version=v3.259.0",
        // The official distribution installs the language host next to `pulumi`.
        present: ["pulumi", "version"],
        beside: "pulumi-language-nodejs",
        release: pulumiRelease("pulumi-language-nodejs"),
    },
    dockerBuild: {
        folder: "pulumi-resource-docker-build",
        seconds: 150,
        version: "0.0.22",
        packages: ["github.com/pulumi/pulumi-docker-build/provider/cmd/pulumi-resource-docker-build"],
        ldflags: "-X github.com/pulumi/pulumi-docker-build/provider.Version=0.0.22",
        plugin: "docker-build",
        release: pluginRelease("docker-build", "0.0.22"),
    },
    github: {
        folder: "pulumi-resource-github",
        seconds: 180,
        version: "6.15.0",
        packages: ["."],
        ldflags: "-X main.version=6.15.0",
        plugin: "github",
        release: pluginRelease("github", "6.15.0"),
    },
    command: {
        folder: "pulumi-resource-command",
        seconds: 10,
        version: "1.2.1",
        packages: ["."],
        ldflags: "-X main.version=1.2.1",
        plugin: "command",
        release: pluginRelease("command", "1.2.1"),
    },
} as const satisfies Record<string, Tool>;

/** Returns the names of a tool's programs. */
export const programsOf = ({ folder, packages }: Tool): string[] =>
    packages.map((one) => (one === "." ? folder : path.basename(one)));

/** Returns the PULUMI_HOME of an official Pulumi. */
export const officialHome = (env: NodeJS.ProcessEnv): string => env.PULUMI_HOME ?? path.join(homedir(), ".pulumi");

/** Returns the file that is a tool as a plugin in a home. */
export const pluginFile = (home: string, plugin: string, { folder, version }: Tool): string =>
    path.join(home, "plugins", `resource-${plugin}-v${version}`, folder);
