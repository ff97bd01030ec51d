/** Exit codes of the commands, the same for all of them; 130 after Ctrl-C is the shell's. */
export const exit = {
    done: 0,
    /** Failed, or could not tell. */
    failed: 1,
    /** Drift, or something pending. */
    differs: 2,
    dangerous: 3,
    wrongUse: 64,
    interrupted: 130,
} as const;
