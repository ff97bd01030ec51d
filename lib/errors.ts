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
