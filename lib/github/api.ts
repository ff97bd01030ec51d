import { setTimeout as sleep } from "node:timers/promises";
import { refusal } from "./refusals";

/** The repository to query, with the address and token for the requests. */
export interface GitHubTarget {
    readonly owner: string;
    readonly repository: string;
    /** Target branch of the workflow files. */
    readonly branch: string;
    /** As in the GitHub provider: https://api.github.com/, or the address of another GitHub server or of a stand-in. */
    readonly baseUrl: string;
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

/** A response: its JSON, null for 204, or undefined for 404, and its headers. */
export interface Answer {
    readonly body: unknown;
    readonly headers: Headers;
}

/** A request that changes something. */
export interface Change {
    readonly method: "DELETE";
    readonly body?: unknown;
}

const timeout = 15_000;
const pauses = [500, 2_000];

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

async function attempt(url: URL, init: RequestInit): Promise<Response | string> {
    try {
        const response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeout) });
        return response.status >= 500 ? `it answered ${response.status}` : response;
    } catch (error) {
        const { cause, message } = error as Error;
        return `${url.host}: ${cause instanceof Error && cause.message !== "" ? cause.message : message}`;
    }
}

const bodyOf = ({ body }: Change) => (body === undefined ? {} : { body: JSON.stringify(body) });

/**
 * Sends a request to GitHub's REST interface. After a server error the request is repeated up to twice, so a `change`
 * must be harmless if it is made twice.
 *
 * @param path path below the interface's address, with its query: "repos/o/r"
 * @param what purpose of the request, for messages: "read the branch main"
 * @throws InputError if the token is refused or its rate limit is used up
 * @throws UnreachableError if GitHub does not respond, or the response is unexpected
 */
export async function ask(target: GitHubTarget, path: string, what: string, change?: Change): Promise<Answer> {
    const url = new URL(path, restAddress(target.baseUrl));
    const headers = {
        accept: "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        ...(target.token !== undefined && { authorization: `Bearer ${target.token}` }),
    };
    const init = change ? { headers, method: change.method, ...bodyOf(change) } : { headers };
    let response = await attempt(url, init);
    for (const pause of pauses) {
        if (typeof response !== "string") break;
        await sleep(pause);
        response = await attempt(url, init);
    }
    if (typeof response === "string") throw new UnreachableError(`GitHub can't be asked to ${what}: ${response}`);
    const refused = refusal(response.status, response.headers, what);
    if (refused) throw refused;
    if (response.status === 404) return { body: undefined, headers: response.headers };
    if (!response.ok) {
        const { message = "" } = (await response.json().catch(() => ({}))) as { message?: string };
        const reason = `it answered ${response.status}${message && `: ${message}`}`;
        throw new UnreachableError(`GitHub can't be asked to ${what}: ${reason}`);
    }
    return { body: response.status === 204 ? null : await response.json(), headers: response.headers };
}
