/** Exit codes, which all commands share. 130 after Ctrl-C is the shell's convention. */
export const exit = {
    done: 0,
    /** The command failed, or could not determine the answer. */
    failed: 1,
    /** There is drift, or changes are pending. */
    differs: 2,
    dangerous: 3,
    wrongUse: 64,
    interrupted: 130,
} as const;
