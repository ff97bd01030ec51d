import { existsSync, readFileSync } from "node:fs";
import { replaceFile } from "../../lib/system/files";
import type { State } from "./state";

/** The state while the server runs: a change is on disk before anybody is told of it, or did not happen. */
export interface Store {
    readonly state: State;
    readonly file: string;
    /** Applies a change to a copy, keeps that when nothing is thrown, and hands on what the change returns. */
    readonly update: <T>(change: (draft: State) => T) => T;
}

/** A state without anything in it. */
export const emptyState = (): State => ({ lastId: 1000, accounts: {}, tokens: {}, repositories: {}, limits: {} });

/** The state in `file`, or an empty one where there is none yet. */
export function readState(file: string): State {
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as State) : emptyState();
}

/** Opens the state in `file`, which only its user may read: private keys and tokens are in it. */
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
