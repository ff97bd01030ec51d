import { readKept, replaceFile } from "../../lib/system/files";
import { damageError } from "../../lib/system/kept";
import type { Protection, PullRequest, Repository, State } from "./state";

/** The state while the server runs: a change is on disk before any client sees it, or it did not happen. */
export interface Store {
    readonly state: State;
    readonly file: string;
    /** Applies a change to a copy, keeps the copy if the change does not throw, and returns the change's result. */
    readonly update: <T>(change: (draft: State) => T) => T;
}

/** Returns the branch protection that most repositories have: the branches change by pull requests only. */
export const byPullRequestOnly = (branches: readonly string[]): Protection[] =>
    branches.length === 0 ? [] : [{ by: "protection", branches, rules: { pullRequest: true }, bypass: [] }];

/** Returns an empty state. */
export const emptyState = (): State => ({ lastId: 1000, accounts: {}, tokens: {}, repositories: {}, limits: {} });

/**
 * A repository in a file that an earlier version wrote: it kept pull requests as a kind of issues, names of protected branches, and no
 * workflow runs.
 */
interface EarlierRepository {
    protections?: Protection[];
    readonly protected?: readonly string[];
    signsCommits?: boolean;
    runs?: Repository["runs"];
    pulls?: PullRequest[];
    readonly issues?: readonly (PullRequest & { readonly pull?: Partial<PullRequest> })[];
}

/**
 * Reads the state in `file`; returns an empty state if the file does not exist.
 *
 * @throws InputError for a damaged file
 */
export function readState(file: string): State {
    const kept = readKept(file, (text) => {
        const state = JSON.parse(text) as Partial<State> | null;
        if (typeof state?.repositories === "object") return state as State;
        throw new Error("it holds no repositories");
    });
    if (kept === undefined) return emptyState();
    if ("damage" in kept) {
        throw damageError(file, kept, {
            what: "what the GitHub stand-in knows",
            next:
                `mv '${file}' '${file}.damaged', then start the lab again: the stand-in begins without any repository's files, ` +
                "variables and secrets, and the next `up` with --refresh delivers them again",
        });
    }
    const state = kept.value;
    for (const repository of Object.values<EarlierRepository>(state.repositories)) {
        repository.pulls ??= (repository.issues ?? []).flatMap(({ pull, ...issue }) =>
            pull ? [{ ...issue, ...pull }] : [],
        );
        repository.protections ??= byPullRequestOnly(repository.protected ?? []);
        repository.signsCommits ??= true;
        repository.runs ??= {};
    }
    return state;
}

/** Opens the state in `file`, which only its user may read: it contains private keys and tokens. */
export function openStore(file: string): Store {
    let state = readState(file);
    let text = JSON.stringify(state);
    return {
        file,
        get state() {
            return state;
        },
        update: (change) => {
            const draft = structuredClone(state);
            const result = change(draft);
            const changed = JSON.stringify(draft);
            if (changed !== text) {
                replaceFile(file, changed, 0o600);
                [state, text] = [draft, changed];
            }
            return result;
        },
    };
}
