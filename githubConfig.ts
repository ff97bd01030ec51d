import * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { GitHubTarget } from "./lib/github/api";
import type { Access } from "./lib/github/repository";
import type { githubSchema, repositorySecretsSchema } from "./lib/github/settings";

/** A secret of the repository on GitHub, and who gets it beside its workflows. */
export interface RepositorySecret {
    readonly value: pulumi.Output<string>;
    readonly dependabot: boolean;
    readonly codespaces: boolean;
}

/** What the stack's configuration says of GitHub. The token comes from the environment and is in no configuration. */
export interface GitHubConfig extends GitHubTarget {
    readonly delivery: z.infer<typeof githubSchema>["delivery"];
    readonly adopt: boolean;
    readonly secrets: Readonly<Record<string, RepositorySecret>>;
    /** What there is to change beside workflow files. */
    readonly access: readonly Access[];
}

/** Settings of the default GitHub provider that the program needs to know. */
export interface ProviderSettings extends Readonly<Record<"baseUrl" | "token", string | undefined>> {
    /** Wherever an owner is set, in the provider's order: it takes the first (github/provider.go, 6.13.0). */
    readonly owners: readonly (readonly [where: string, owner: string])[];
}

/** Reads the provider's settings from where the provider takes them. */
export function providerSettings(): ProviderSettings {
    const config = new pulumi.Config("github");
    const { GITHUB_ORGANIZATION, GITHUB_OWNER, GITHUB_BASE_URL } = process.env;
    const owners = [
        ["github:organization", config.get("organization")],
        ["GITHUB_ORGANIZATION", GITHUB_ORGANIZATION],
        ["GITHUB_OWNER", GITHUB_OWNER],
        ["github:owner", config.get("owner")],
    ] as const;
    return {
        owners: owners.flatMap(([where, owner]) => (owner ? [[where, owner] as const] : [])),
        baseUrl: config.get("baseUrl") ?? GITHUB_BASE_URL,
        token: config.get("token"),
    };
}

/** The GitHub part of the stack's configuration, from checked values; undefined where the stack names no repository. */
export function githubConfig(
    github: z.infer<typeof githubSchema> | undefined,
    repositorySecrets: z.infer<typeof repositorySecretsSchema> = {},
): GitHubConfig | undefined {
    if (!github) return undefined;
    const { owners, baseUrl = "https://api.github.com/" } = providerSettings();
    const [[, owner] = ["", ""]] = owners;
    const secrets = Object.entries(repositorySecrets).map(
        ([name, { value, ...rest }]) => [name, { ...rest, value: pulumi.secret(value) }] as const,
    );
    const some = (reader: "dependabot" | "codespaces") => secrets.some(([, secret]) => secret[reader]);
    return {
        ...github,
        access: [
            "variables",
            ...(secrets.length > 0 ? ["secrets" as const] : []),
            ...(["dependabot", "codespaces"] as const).filter(some),
        ],
        owner,
        baseUrl,
        ...(process.env.GITHUB_TOKEN && { token: process.env.GITHUB_TOKEN }),
        secrets: Object.fromEntries(secrets),
    };
}

/** Whether any part of a key's value was set with --secret. @pulumi/pulumi exports this, and leaves it out of its types. */
export const isEncrypted = (key: string): boolean =>
    (pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean }).isConfigSecret(key);
