/** A resource of a deployment (`pulumi stack export`), as far as it matters here. */
export interface DeployedResource {
    readonly urn: string;
    readonly type: string;
    readonly outputs?: Readonly<Record<string, unknown>>;
}

const types = ["github:index/actionsSecret:ActionsSecret", "github:index/dependabotSecret:DependabotSecret"];

/**
 * The secrets on GitHub that somebody else set since we did: a refresh writes the time of the last change there beside the
 * time of ours. GitHub tells nobody a secret's value, and the GitHub provider (6.13.0) compares these times in a way that
 * never finds a difference, so that `pulumi up` alone leaves such a secret as it is; `pulumi up --replace <urn>` puts it
 * right. (The provider forgets a codespaces secret that was changed, and the next `up` sets it again.)
 *
 * @param resources of a deployment that was just refreshed
 * @returns URNs for `--replace`
 */
export const changedSecrets = (resources: readonly DeployedResource[]): string[] =>
    resources
        .filter(({ type }) => types.includes(type))
        .filter(({ outputs }) => outputs?.remoteUpdatedAt !== outputs?.updatedAt)
        .map(({ urn }) => urn);
