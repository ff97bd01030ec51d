import { InputError, type InputProblem } from "../errors";

/** What a refusal stops: the workflow files, the secrets and variables, or both. */
export type Stopped = "files" | "values" | "everything";

/**
 * GitHub refuses for now what the configuration may well ask for: the token, the rate limit, or what is in the repository today.
 * Nothing of it says that the configuration is wrong, so no image has to wait for it.
 */
export class RefusedError extends InputError {
    constructor(
        problem: InputProblem,
        readonly stops: Stopped = "everything",
    ) {
        super(problem);
    }
}

/** Who is asked for what may be done: the same words in every refusal. */
const permissions =
    "the repository permissions Contents, Workflows, Secrets, Variables, Pull requests: read and write (a classic token: " +
    "the scopes repo and workflow)";

/** When fewer than `least` requests are left: the time, in milliseconds, when there are all of them again. */
function limitEnd(headers: Headers, least: number): number | undefined {
    const left = headers.get("x-ratelimit-remaining");
    return left !== null && Number(left) < least ? Number(headers.get("x-ratelimit-reset")) * 1000 : undefined;
}

/**
 * What to say when the rate limit would end a run that needs so many requests: in the middle of it the GitHub provider waits
 * for more, silently and for up to an hour.
 *
 * @param headers of any answer
 */
export function shortage(headers: Headers, need: number): RefusedError | undefined {
    const end = limitEnd(headers, need);
    if (end === undefined) return undefined;
    const left = headers.get("x-ratelimit-remaining") ?? "";
    return new RefusedError({
        where: "environment variable GITHUB_TOKEN",
        problem: `GitHub answers this token ${left} more requests until ${new Date(end).toISOString()}; a run may need ${need}`,
        next: "run the same command after that, or with another token",
    });
}

/**
 * What to say of a classic token without the scope for workflow files. Only classic tokens have scopes and say them; an empty
 * list is a fine-grained token's or an App's.
 *
 * @param headers of any answer
 */
export function missingScope(headers: Headers): RefusedError | undefined {
    const scopes = (headers.get("x-oauth-scopes") ?? "").split(",").map((scope) => scope.trim());
    if (scopes.join("") === "" || scopes.includes("workflow")) return undefined;
    const problem = {
        where: "environment variable GITHUB_TOKEN",
        problem: `this token lacks the scope workflow, without which GitHub refuses files in .github/workflows (it has ${scopes.join(", ")})`,
        next: "add the scope where the token was made (Settings, Developer settings), or make a fine-grained token",
    };
    return new RefusedError(problem, "files");
}

/** A refusal in the words of who has to mend it; undefined for an answer that is none. */
export function refusal(status: number, headers: Headers, what: string): RefusedError | undefined {
    const where = "environment variable GITHUB_TOKEN";
    if (status === 401) {
        return new RefusedError({
            where,
            problem: "GitHub does not know this token: it expired or was revoked",
            next: `make another with ${permissions}`,
        });
    }
    if (status !== 403 && status !== 429) return undefined;
    const after = headers.get("retry-after");
    const end = after === null ? limitEnd(headers, 1) : Date.now() + Number(after) * 1000;
    if (end !== undefined && Number.isFinite(end)) {
        return new RefusedError({
            where,
            problem: `GitHub's rate limit for this token is used up until ${new Date(end).toISOString()}`,
            next: "run the same command after that, or with another token",
        });
    }
    const wanted = headers.get("x-accepted-github-permissions") ?? headers.get("x-accepted-oauth-scopes");
    return new RefusedError({
        where,
        problem: `this token may not ${what}`,
        ...(wanted !== null && wanted !== "" && { allowed: [wanted] }),
        next: `give it ${permissions}`,
    });
}
