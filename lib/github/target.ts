import { type ConfigFile, providerSettingIn, settingIn } from "../engine/configFile";
import type { GitHubTarget } from "./api";
import { githubSchema } from "./settings";

/** The address of GitHub where neither configuration nor environment names another. */
export const defaultBaseUrl = "https://api.github.com/";

/** Returns the first of these values that is set: an empty variable counts as unset, as in GitHub Actions. */
export const firstSet = (...values: readonly (string | undefined)[]): string | undefined => values.find(Boolean);

/**
 * Returns the address of the GitHub that a git remote is on; undefined for a host of which only its owner knows whether it is a GitHub
 * server: a token must not be sent to any other.
 */
export function baseUrlOf(host: string): string | undefined {
    if (host === "github.com") return defaultBaseUrl;
    return host.endsWith(".ghe.com") ? `https://${host}/` : undefined;
}

/**
 * Returns the repository that a stack's file configures, with the address and token for its requests: an owner in the environment has the
 * precedence that the GitHub provider gives it.
 *
 * @returns undefined if it configures no repository, or nothing that could be one: the program refuses that
 */
export function targetIn(config: ConfigFile, env: NodeJS.ProcessEnv): GitHubTarget | undefined {
    const { data } = githubSchema.safeParse(settingIn(config, "github"));
    const owner = firstSet(
        providerSettingIn(config, "github:organization"),
        env.GITHUB_ORGANIZATION,
        env.GITHUB_OWNER,
        providerSettingIn(config, "github:owner"),
    );
    if (!data || owner === undefined) return undefined;
    const { repository, branch } = data;
    return {
        owner,
        repository,
        branch,
        baseUrl: firstSet(providerSettingIn(config, "github:baseUrl"), env.GITHUB_BASE_URL) ?? defaultBaseUrl,
        ...(env.GITHUB_TOKEN && { token: env.GITHUB_TOKEN }),
    };
}
