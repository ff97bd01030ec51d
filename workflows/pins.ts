import { tools as toolchain } from "../lab/toolchain/tools";

/** An action, pinned to a commit. */
export interface Pin {
    readonly action: string;
    /** Release of the commit. It is written after the commit as a comment, and Dependabot updates both. */
    readonly version: string;
    readonly commit: string;
}

const pin = (action: string, version: string, commit: string): Pin => ({ action, version, commit });

/** All actions that workflows use. They are pinned by commit, because a tag can be moved to different code. */
export const pins = {
    checkout: pin("actions/checkout", "v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    setupNode: pin("actions/setup-node", "v7.0.0", "820762786026740c76f36085b0efc47a31fe5020"),
    setupGo: pin("actions/setup-go", "v7.0.0", "b7ad1dad31e06c5925ef5d2fc7ad053ef454303e"),
    uploadArtifact: pin("actions/upload-artifact", "v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    appToken: pin("actions/create-github-app-token", "v3.1.1", "1b10c78c7865c340bc4f6099eb2f838309f1e8c3"),
    setupQemu: pin("docker/setup-qemu-action", "v4.2.0", "96fe6ef7f33517b61c61be40b68a1882f3264fb8"),
    setupBuildx: pin("docker/setup-buildx-action", "v4.3.0", "37fe631027851001ddb9b187196cc803df7f5f0e"),
    login: pin("docker/login-action", "v4.1.0", "4907a6ddec9925e35a0a9e82d7399ccc52663121"),
    pulumi: pin("pulumi/actions", "v7.0.0", "8e5e406f4007fca908480587cb9893c07090f58d"),
    pulumiLogin: pin("pulumi/auth-actions", "v2.1.0", "141415910c3beb54e03b48e9057c204c97b956f2"),
} as const satisfies Readonly<Record<string, Pin>>;

/** Formats a pin as the `uses` of a step: `owner/repository@commit`. */
export const uses = ({ action, commit }: Pin): string => `${action}@${commit}`;

/** Versions of tools that actions install. Pulumi and BuildKit have the lab's versions, so that CI and the lab build identical images. */
export const tools = {
    node: "22",
    pulumi: toolchain.pulumi.version,
    buildkit: toolchain.buildkit.version,
} as const;
