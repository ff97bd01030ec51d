import { readState, type State, writeState } from "./state";

/** The state while the server runs: a change is on disk before anybody is told of it, or did not happen. */
export interface Store {
    readonly state: State;
    readonly file: string;
    /** Applies a change to a copy, keeps that when nothing is thrown, and hands on what the change returns. */
    readonly update: <T>(change: (draft: State) => T) => T;
}

export function openStore(file: string): Store {
    let state = readState(file);
    return {
        file,
        get state() {
            return state;
        },
        update: (change) => {
            const draft = structuredClone(state);
            const result = change(draft);
            if (JSON.stringify(draft) !== JSON.stringify(state)) {
                writeState(file, draft);
                state = draft;
            }
            return result;
        },
    };
}
