/** An answer that refuses a request, in GitHub's form: a message and, where the input is wrong, what about it. */
export class Refusal extends Error {
    override readonly name = "Refusal";

    constructor(
        readonly status: number,
        message: string,
        readonly details: {
            readonly errors?: readonly Readonly<Record<string, string>>[];
            readonly documentation?: string;
            readonly headers?: Readonly<Record<string, string>>;
        } = {},
    ) {
        super(message);
    }

    /** The body of the answer (schema `basic-error` or `validation-error`). */
    get body(): object {
        const { errors, documentation } = this.details;
        return {
            message: this.message,
            ...(errors && { errors }),
            documentation_url: documentation ?? "https://docs.github.com/rest",
            status: this.status.toString(),
        };
    }
}

/** What GitHub says of everything that is not there, and of much that may not be seen. */
export const notFound = (): Refusal => new Refusal(404, "Not Found");

/** 422 with GitHub's list of what is wrong. */
export const invalid = (...errors: readonly Readonly<Record<string, string>>[]): Refusal =>
    new Refusal(422, "Validation Failed", { errors });
