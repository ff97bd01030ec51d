/** What is wrong with an input, in the words of who gave it. */
export interface InputProblem {
    /** The input, its value and what is wrong with it. */
    readonly problem: string;
    /** File and line, or the setting, that it stands in. */
    readonly where?: string;
    /** The values that would have been right. */
    readonly allowed?: readonly string[];
    /** What to do about it. */
    readonly next?: string;
}

/** Bad input, told as one message before anything is built. */
export class InputError extends Error {
    override readonly name = "InputError";

    constructor(readonly input: InputProblem) {
        const { problem, where, allowed, next } = input;
        const parts = [where === undefined ? problem : `${where}: ${problem}`];
        if (allowed !== undefined) parts.push(`allowed: ${allowed.length > 0 ? allowed.join(", ") : "none"}`);
        if (next !== undefined) parts.push(`next: ${next}`);
        super(parts.join("\n  "));
    }
}

/**
 * The error as bad input where it is one: told as a message, without a stack.
 *
 * @returns undefined for a fault of the program itself
 */
export function asInputError(error: unknown): InputError | undefined {
    if (error instanceof InputError) return error;
    const { code, path } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
    if (path === undefined || (code !== "EACCES" && code !== "EPERM")) return undefined;
    return new InputError({
        problem: `${path} can't be read or written (${code})`,
        next: `where a command was run with sudo before, take its files back: sudo chown -R "$(id -un)" '${path}'`,
    });
}
