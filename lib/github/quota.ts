/** What a run is going to change on GitHub. */
export interface RunSize {
    readonly files: number;
    /** Secrets, each once for everybody who gets it. */
    readonly secrets: number;
    readonly variables: number;
}

/**
 * The most requests that the GitHub provider (6.13.0) makes for one: to make it where the state does not have it, after it was
 * looked for before the plan or removed.
 */
const each = {
    /** Repository, branch, contents twice, the commit, and what it is read back with. */
    files: 7,
    /** Removal, repository, public key, the value, and what it is read back with. */
    secrets: 5,
    /** The same, and the attempt that found it there. */
    variables: 5,
} as const satisfies Record<keyof RunSize, number>;

/** What comes beside those: before the plan, by the provider's start, for a pull request, its branch, and leftovers. */
const beside = 40;

/** How many requests to GitHub a run may take: more than it does unless everything is new. */
export const requestsFor = (size: RunSize): number =>
    beside + size.files * each.files + size.secrets * each.secrets + size.variables * each.variables;
