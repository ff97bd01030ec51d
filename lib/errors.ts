/** What is wrong with an input. */
export interface InputProblem {
    /** The input, its value and what is wrong with it. */
    readonly problem: string;
    /** The file and line, or the setting, that contains it. */
    readonly where?: string;
    /** The valid values. */
    readonly allowed?: readonly string[];
    /** What to do about it: a command or a correction. */
    readonly next?: string;
}

/** Bad input, reported as one message before anything is built. */
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

    /** @param next what to do about it, unless the message says it */
    constructor(message: string, next?: string) {
        super(next === undefined ? message : `${message}\n  next: ${next}`);
    }
}

/**
 * Returns the location of an instruction for messages: its file and line, and for an instruction that ONBUILD triggered
 * also the location of that ONBUILD.
 *
 * @param where file and line where it runs
 * @param triggeredBy file and line of the ONBUILD
 */
export const placeOf = (where: string, { triggeredBy }: { readonly triggeredBy?: string | undefined }): string =>
    triggeredBy === undefined ? where : `${where} (ONBUILD in ${triggeredBy})`;

/** The next step for errors of the operating system that are not faults of the program. */
const nextSteps: Readonly<Record<string, (path: string) => string>> = {
    EACCES: restoreOwner,
    EPERM: restoreOwner,
    EROFS: () => "its file system is read-only: work in another folder",
    ENOSPC: () => "the disk is full: make room, then run the same command again",
    EISDIR: (path) => `a file belongs in its place: move the folder away, mv '${path}' '${path}.away'`,
    ENOTEMPTY: (path) => `a file belongs in its place: move the folder away, mv '${path}' '${path}.away'`,
    ENAMETOOLONG: () =>
        "a name in this path is longer than the file system allows (255 bytes): shorten the image's key or the file's name",
    EMFILE: () => "this process may open too few files: ulimit -n 1024, then run the same command again",
    ENOTDIR: () => "a folder of this path is a file: move that away",
};

/** The next step for a file that another user owns. */
export function restoreOwner(path: string): string {
    return `if an earlier command ran with sudo, restore the owner of its files: sudo chown -R "$(id -un)" '${path}'`;
}

/**
 * Converts an error to bad input, which is reported as a message without a stack trace.
 *
 * @returns undefined for a fault of the program itself
 */
export function asInputError(error: unknown): InputError | undefined {
    if (error instanceof InputError) return error;
    const { code = "", path, syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
    const isTemporary = code === "ENOENT" && syscall === "mkdtemp";
    const next = isTemporary ? "set TMPDIR to a folder that exists" : nextSteps[code]?.(path ?? "");
    // A failed write to an open file has no path.
    if (next === undefined || (path === undefined && syscall !== "write")) return undefined;
    return new InputError({ problem: `${path ?? "a file"} can't be read or written (${code})`, next });
}
