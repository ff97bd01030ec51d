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

/** Why a command can't go on (a program that failed, a machine that lacks something), told as one message without a stack. */
export class CommandError extends Error {
    override readonly name = "CommandError";
}

/**
 * Where an instruction stands, for messages: file and line, and for one that runs there because ONBUILD left it, where that is.
 *
 * @param where file and line that it runs in
 */
export const placeOf = (where: string, { left }: { readonly left?: string | undefined }): string =>
    left === undefined ? where : `${where} (ONBUILD in ${left})`;

/** What to do about errors of the system that are none of the program's. */
const nextSteps: Readonly<Record<string, (path: string) => string>> = {
    EACCES: takeBack,
    EPERM: takeBack,
    EROFS: () => "its file system is read-only: work in another folder",
    ENOSPC: () => "the disk is full: make room, then run the same command again",
};

function takeBack(path: string): string {
    return `where a command was run with sudo before, take its files back: sudo chown -R "$(id -un)" '${path}'`;
}

/**
 * The error as bad input where it is one: told as a message, without a stack.
 *
 * @returns undefined for a fault of the program itself
 */
export function asInputError(error: unknown): InputError | undefined {
    if (error instanceof InputError) return error;
    const { code = "", path, syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
    const next = nextSteps[code]?.(path ?? "");
    // A write into a file that was opened before names none.
    if (next === undefined || (path === undefined && syscall !== "write")) return undefined;
    return new InputError({ problem: `${path ?? "a file"} can't be read or written (${code})`, next });
}
