/** Exit codes of the commands, the same for all of them; 130 after Ctrl-C is the shell's. */
export const exit = { done: 0, failed: 1, wrongUse: 64, interrupted: 130 } as const;
