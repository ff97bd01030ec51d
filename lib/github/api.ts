import type { RequestError } from "@octokit/request-error";
import { network } from "../system/connections";
import { RefusedError, brokenRules, nextAfterRefusal, refusal } from "./refusals";

/** The repository to query, with the address and token for the requests. */
export interface GitHubTarget {
    /** The organization or user that owns the repository. */
    readonly owner: string;
    /** Name of the repository, without its owner. */
    readonly repository: string;
    /** Target branch of the workflow files. */
    readonly branch: string;
    /** As in the GitHub provider: https://api.github.com/, or the address of another GitHub server or of a stand-in. */
    readonly baseUrl: string;
    /** From GITHUB_TOKEN; without one GitHub stays as it is. */
    readonly token?: string;
}

/**
 * GitHub is not available: no token, no network, or the server is down. A preview can continue without the response.
 */
export class UnreachableError extends Error {
    override readonly name = "UnreachableError";

    constructor(
        message: string,
        /** The next step for the user. */
        readonly next = "run the same command again",
    ) {
        super(message);
    }
}

/** A response: its JSON, or undefined for 404 and for a response without content, its headers and its status. */
export interface Answer {
    readonly status: number;
    readonly body: unknown;
    readonly headers: Headers;
}

/** A request that changes something. */
export interface Change {
    readonly method: "DELETE" | "PATCH" | "POST" | "PUT";
    readonly body?: unknown;
}

/** Longest duration of one request, in milliseconds. */
const timeout = 15_000;

/** Longest wait for a rate limit, in seconds. A preview has to be quick, and an update has images to build. */
const longestWait = 10;

/** Returns the address of the REST interface for a base URL, by the provider's rules. */
export function restAddress(baseUrl: string): URL {
    const url = new URL(baseUrl);
    const pathname = url.pathname.replace(/\/*$/, "/");
    if (url.hostname === "github.com" || /^(?!api\.)[^.]+\.ghe\.com$/.test(url.hostname)) {
        return new URL(`https://api.${url.host}/`);
    }
    const isGitHub = url.hostname === "api.github.com" || url.hostname.endsWith(".ghe.com");
    return new URL(isGitHub || pathname.endsWith("api/v3/") ? pathname : `${pathname}api/v3/`, url);
}

/**
 * Sends a request and reads its response within the time limit. Octokit would take a response that breaks off for an
 * empty one, so a list would seem to end there.
 */
async function send(address: string, init: RequestInit): Promise<Response> {
    const url = new URL(address);
    try {
        const response = await network.fetch(url, { ...init, signal: AbortSignal.timeout(timeout) });
        const text = await response.text();
        if (response.ok && text !== "") JSON.parse(text);
        const { status, statusText, headers } = response;
        const complete = new Response(text === "" ? null : text, { status, statusText, headers: [...headers] });
        // A response that a program makes has no address, and Octokit reads it to count the pages of a list with a total.
        return Object.defineProperty(complete, "url", { value: address });
    } catch (error) {
        const { cause, message } = error as Error;
        const reason = cause instanceof Error && cause.message !== "" ? cause.message : message;
        throw new Error(`${url.host}: ${reason}`, { cause: error });
    }
}

/** Returns a client for requests with that purpose. Octokit is loaded here, because most commands never ask GitHub. */
async function connect({ baseUrl, token }: GitHubTarget, what: string) {
    // Fetch would repeat the token in its error.
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
        throw new RefusedError({
            where: "environment variable GITHUB_TOKEN",
            problem: "it has a line break, a space or another character that is in no token",
            next: "set it to the token alone",
        });
    }
    const [{ Octokit }, { paginateRest }, { retry }, { throttling }] = await Promise.all([
        import("@octokit/core"),
        import("@octokit/plugin-paginate-rest"),
        import("@octokit/plugin-retry"),
        import("@octokit/plugin-throttling"),
    ]);
    const waits = (seconds: number, _request: unknown, _client: unknown, retries: number): boolean => {
        const isShort = retries === 0 && seconds <= longestWait;
        if (isShort) process.stderr.write(`GitHub's rate limit: waiting ${seconds.toString()} s to ${what}\n`);
        return isShort;
    };
    return new (Octokit.plugin(paginateRest, retry, throttling))({
        baseUrl: restAddress(baseUrl).href.replace(/\/$/, ""),
        userAgent: "layered-images",
        ...(token !== undefined && { auth: token }),
        request: { fetch: send },
        // Pauses of 0.5 and 2 seconds, after server errors only.
        retry: {
            retries: 2,
            retryAfterBaseValue: 500,
            doNotRetry: Array.from({ length: 100 }, (_, index) => 400 + index),
        },
        throttle: { onRateLimit: waits, onSecondaryRateLimit: waits },
    });
}

const headers = { "x-github-api-version": "2022-11-28" };

/** Returns the next step after an answer that a repetition would not change; undefined for the others. */
function nextAfter(status: number, said = ""): string | undefined {
    if (/billing plan|upgrade (your|to)/i.test(said)) {
        return "the plan of the repository's owner has this for public repositories only: change the plan, or make the repository public";
    }
    return status === 400 || status === 422 ? "mend what GitHub names, and run the same command again" : undefined;
}

/** Returns the answer 404 for a request that failed with it. Throws the errors of `ask` for every other failure. */
function answerOf(error: unknown, what: string): Answer {
    if (!(error instanceof Error && "status" in error)) throw error;
    const { status, message, response } = error as RequestError;
    if (!response) throw new UnreachableError(`GitHub can't be asked to ${what}: ${message}`);
    const answered = new Headers(response.headers as Record<string, string>);
    if (status === 404) return { status, body: undefined, headers: answered };
    const said = status < 500 ? (response.data as { message?: string } | undefined)?.message : undefined;
    // A rule of the branch refuses with 403 as well, and is no matter of the token.
    const byRule = brokenRules(said ?? "") && nextAfterRefusal([said ?? ""], "a branch", "pull-request");
    const refused = byRule === undefined ? refusal(status, answered, what, said) : undefined;
    if (refused) throw refused;
    const reason = `it answered ${status}${said === undefined ? "" : `: ${said}`}`;
    throw new UnreachableError(`GitHub can't be asked to ${what}: ${reason}`, byRule ?? nextAfter(status, said));
}

/**
 * Sends a request to GitHub's REST interface. After a server error the request is repeated up to twice, so a `change`
 * must be harmless if it is made twice. A rate limit that ends within seconds is waited for, which stderr says.
 *
 * @param path path below the interface's address, with its query: "repos/o/r"
 * @param what purpose of the request, for messages: "read the branch main"
 * @throws InputError if the token is refused or its rate limit is used up
 * @throws UnreachableError if GitHub does not respond, or the response is unexpected
 */
export async function ask(target: GitHubTarget, path: string, what: string, change?: Change): Promise<Answer> {
    const client = await connect(target, what);
    try {
        const parameters = change?.body === undefined ? { headers } : { headers, data: change.body };
        const answer = await client.request(`${change?.method ?? "GET"} /${path}`, parameters);
        return {
            status: answer.status,
            body: answer.data as unknown,
            headers: new Headers(answer.headers as Record<string, string>),
        };
    } catch (error) {
        return answerOf(error, what);
    }
}

/**
 * Reads a list of GitHub's REST interface, all its pages; undefined if there is no such list (404). Parameters and errors
 * are those of `ask`.
 *
 * @param path with its query, except for the size of a page: "repos/o/r/pulls?state=open"
 * @param size the size of a page, for the few lists that take none: {}
 */
export async function list(
    target: GitHubTarget,
    path: string,
    what: string,
    size: { readonly per_page?: number } = { per_page: 100 },
): Promise<readonly unknown[] | undefined> {
    const client = await connect(target, what);
    try {
        return await client.paginate(`GET /${path}`, { headers, ...size });
    } catch (error) {
        answerOf(error, what);
        return undefined;
    }
}
