import { quote } from "../system/shell";
import { dockerTypes, githubPattern, githubTypes } from "./resources";

/** A resource of a deployment (`pulumi stack export`), as far as it matters here. */
export interface DeployedResource {
    readonly urn: string;
    readonly type: string;
    readonly outputs?: Readonly<Record<string, unknown>>;
}

const compared: readonly string[] = [githubTypes.actionsSecret, githubTypes.dependabotSecret];

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
        .filter(({ type }) => compared.includes(type))
        .filter(({ outputs }) => outputs?.remoteUpdatedAt !== outputs?.updatedAt)
        .map(({ urn }) => urn);

const indexes = `**${dockerTypes.index}::**`;

/** What `pulumi refresh` is told to look at. */
export const refreshOptions = {
    /** The workflow files alone: their update names the version that the state knows, so a push that changed one makes it fail. */
    files: ["--target", `**${githubTypes.file}::**`],
    /** Everything but the indexes: a refresh would take whatever `latest` was moved to for ours. */
    all: ["--exclude", indexes],
    /** The same without what is on GitHub. */
    images: ["--exclude", indexes, "--exclude", githubPattern],
} as const;

const command = ([option, pattern]: readonly [string, string]) => `pulumi refresh ${option} ${quote(pattern)}`;
/** The command that looks at the workflow files. */
export const refreshFiles = command(refreshOptions.files);
/** The command that looks at everything but the indexes. */
export const refreshAll = command(refreshOptions.all);

/** What is done before an `up`, and what is left for it. */
export interface RefreshBefore {
    /** Options of a `pulumi refresh`; undefined where none is needed. */
    readonly refresh: readonly string[] | undefined;
    /** Arguments of the `pulumi up`. */
    readonly rest: readonly string[];
}

const asks = /^(-r|--refresh(=(true|1))?)$/;
/** Whether arguments of Pulumi name what alone is looked at. */
export const namesTargets = (args: readonly string[]): boolean =>
    args.some((one) => /^(-t.*|--target(=.*)?)$/.test(one));

/**
 * Takes `--refresh` out of the arguments of an `up`: Pulumi's own would refresh the indexes too. With targets it stays, and
 * looks at these alone. Without it, workflow files are refreshed where they differ from the state.
 */
export function refreshBefore(args: readonly string[], filesDiffer: boolean): RefreshBefore {
    if (!args.some((one) => asks.test(one))) {
        return { refresh: filesDiffer ? refreshOptions.files : undefined, rest: args };
    }
    if (namesTargets(args)) return { refresh: undefined, rest: args };
    return { refresh: refreshOptions.all, rest: args.filter((one) => !asks.test(one)) };
}
