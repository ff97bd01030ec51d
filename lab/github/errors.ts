/** A response that refuses a request, in GitHub's form: a message and, for invalid input, its errors. */
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

    /** The body of the response (schema `basic-error` or `validation-error`). */
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

/** Returns GitHub's response for everything that does not exist, and for much that the token may not see. */
export const notFound = (): Refusal => new Refusal(404, "Not Found");

/** Returns 422 with GitHub's list of errors. */
export const invalid = (...errors: readonly Readonly<Record<string, string>>[]): Refusal =>
    new Refusal(422, "Validation Failed", { errors });
