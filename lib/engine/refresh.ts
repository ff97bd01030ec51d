import { quote } from "../system/shell";
import { dockerTypes, githubPattern, githubTypes } from "./resources";

/** A resource of a deployment (`pulumi stack export`), reduced to the fields used here. */
export interface DeployedResource {
    readonly urn: string;
    readonly type: string;
    readonly outputs?: Readonly<Record<string, unknown>>;
}

const compared: readonly string[] = [
    githubTypes.actionsSecret,
    githubTypes.environmentSecret,
    githubTypes.dependabotSecret,
];

/**
 * Returns the secrets on GitHub that were changed outside the program since it set them: a refresh records the time of
 * the last change on GitHub next to the time of the program's change. GitHub never returns a secret's value, and the
 * GitHub provider (6.13.0) compares these times in a way that never finds a difference, so `pulumi up` alone leaves
 * such a secret unchanged; `pulumi up --replace <urn>` restores it. (The provider drops a changed codespaces secret
 * from the state, and the next `up` sets it again.)
 *
 * @param resources resources of a deployment right after a refresh
 * @returns URNs for `--replace`
 */
export const changedSecrets = (resources: readonly DeployedResource[]): string[] =>
    resources
        .filter(({ type }) => compared.includes(type))
        .filter(({ outputs }) => outputs?.remoteUpdatedAt !== outputs?.updatedAt)
        .map(({ urn }) => urn);

const indexes = `**${dockerTypes.index}::**`;

/** Options of `pulumi refresh` that select resources. */
export const refreshOptions = {
    /**
     * Only the workflow files: their update names the version in the state, so it fails after a push that changed a
     * file.
     */
    files: ["--target", `**${githubTypes.file}::**`],
    /** Everything but the indexes: a refresh would adopt whatever `latest` was moved to. */
    all: ["--exclude", indexes],
    /** Everything but the indexes and the resources on GitHub. */
    images: ["--exclude", indexes, "--exclude", githubPattern],
} as const;

const command = ([option, pattern]: readonly [string, string]) => `pulumi refresh ${option} ${quote(pattern)}`;
/** The command that refreshes the workflow files. */
export const refreshFiles = command(refreshOptions.files);
/** The command that refreshes everything but the indexes. */
export const refreshAll = command(refreshOptions.all);

/** The refresh before an `up`, and the remaining arguments of the `up`. */
export interface RefreshBefore {
    /** Options of a `pulumi refresh`; undefined if no refresh is needed. */
    readonly refresh: readonly string[] | undefined;
    /** Arguments of the `pulumi up`. */
    readonly rest: readonly string[];
}

const refreshOption = /^(-r|--refresh(=(true|1))?)$/;
/** Whether arguments of Pulumi limit the operation to targets. */
export const namesTargets = (args: readonly string[]): boolean =>
    args.some((arg) => /^(-t.*|--target(=.*)?)$/.test(arg));

/**
 * Removes `--refresh` from the arguments of an `up`, because Pulumi would then refresh the indexes too. With targets
 * the option stays, and Pulumi refreshes only these. Without the option, the workflow files are refreshed if that is needed.
 *
 * @param isNeeded whether they differ from the state, or the state has to be put in order
 */
export function refreshBefore(args: readonly string[], isNeeded: boolean): RefreshBefore {
    if (!args.some((arg) => refreshOption.test(arg))) {
        return { refresh: isNeeded ? refreshOptions.files : undefined, rest: args };
    }
    if (namesTargets(args)) return { refresh: undefined, rest: args };
    return { refresh: refreshOptions.all, rest: args.filter((arg) => !refreshOption.test(arg)) };
}
