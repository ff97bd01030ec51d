import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "./errors";

/** The repository to ask about, and how. */
export interface GitHubTarget {
    readonly owner: string;
    readonly repository: string;
    /** The branch that workflow files are for. */
    readonly branch: string;
    /** As the GitHub provider has it: https://api.github.com/, or the address of another GitHub or of a stand-in. */
    readonly baseUrl: string;
    readonly token?: string;
}

/** GitHub can't be asked: no token, no network, or it is down. A preview can go on without the answer. */
export class UnreachableError extends Error {
    override readonly name = "UnreachableError";

    constructor(
        message: string,
        /** What to do about it. */
        readonly next = "run the same command again",
    ) {
        super(message);
    }
}

/** An answer: its JSON, or undefined for 404, and its headers. */
export interface Answer {
    readonly body: unknown;
    readonly headers: Headers;
}

const timeout = 15_000;
const pauses = [500, 2_000];

/** The address of the REST interface below a base URL, by the provider's rules. */
export function restAddress(baseUrl: string): URL {
    const url = new URL(baseUrl);
    const pathname = url.pathname.replace(/\/*$/, "/");
    if (url.hostname === "github.com" || /^(?!api\.)[^.]+\.ghe\.com$/.test(url.hostname)) {
        return new URL(`https://api.${url.host}/`);
    }
    const isGitHub = url.hostname === "api.github.com" || url.hostname.endsWith(".ghe.com");
    return new URL(isGitHub || pathname.endsWith("api/v3/") ? pathname : `${pathname}api/v3/`, url);
}

/** Who is asked for what may be done: the same words in every refusal. */
const permissions =
    "the repository permissions Contents, Workflows, Secrets, Variables, Pull requests: read and write (a classic token: " +
    "the scopes repo and workflow)";

/** Requests that must be left for a run: when none are left in the middle of it, the GitHub provider waits silently. */
const enough = 100;

/** When fewer than `least` requests are left: the time, in milliseconds, when there are all of them again. */
function limitEnd(headers: Headers, least: number): number | undefined {
    const left = headers.get("x-ratelimit-remaining");
    return left !== null && Number(left) < least ? Number(headers.get("x-ratelimit-reset")) * 1000 : undefined;
}

/** What to say when an answer came, and too few others will before the rate limit ends the run. */
export function shortage(headers: Headers): InputError | undefined {
    const end = limitEnd(headers, enough);
    if (end === undefined) return undefined;
    const left = headers.get("x-ratelimit-remaining") ?? "";
    return new InputError({
        where: "environment variable GITHUB_TOKEN",
        problem: `GitHub answers this token ${left} more requests until ${new Date(end).toISOString()}; a run may need ${enough}`,
        next: "run the same command after that, or with another token",
    });
}

/** A refusal in the words of who has to mend it; undefined for an answer that is none. */
export function refusal(status: number, headers: Headers, what: string): InputError | undefined {
    const where = "environment variable GITHUB_TOKEN";
    if (status === 401) {
        return new InputError({
            where,
            problem: "GitHub does not know this token: it expired or was revoked",
            next: `make another with ${permissions}`,
        });
    }
    if (status !== 403 && status !== 429) return undefined;
    const after = headers.get("retry-after");
    const end = after === null ? limitEnd(headers, 1) : Date.now() + Number(after) * 1000;
    if (end !== undefined && Number.isFinite(end)) {
        return new InputError({
            where,
            problem: `GitHub's rate limit for this token is used up until ${new Date(end).toISOString()}`,
            next: "run the same command after that, or with another token",
        });
    }
    const wanted = headers.get("x-accepted-github-permissions") ?? headers.get("x-accepted-oauth-scopes");
    return new InputError({
        where,
        problem: `this token may not ${what}`,
        ...(wanted !== null && wanted !== "" && { allowed: [wanted] }),
        next: `give it ${permissions}`,
    });
}

async function attempt(url: URL, headers: Record<string, string>): Promise<Response | string> {
    try {
        const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeout) });
        return response.status >= 500 ? `it answered ${response.status}` : response;
    } catch (error) {
        const { cause, message } = error as Error;
        return `${url.host}: ${cause instanceof Error && cause.message !== "" ? cause.message : message}`;
    }
}

/**
 * Asks GitHub's REST interface. A server that fails is asked again twice.
 *
 * @param path below the interface's address, with its query: "repos/o/r"
 * @param what what is asked for, for messages: "read the branch main"
 * @throws InputError when the token is refused or its rate limit is used up
 * @throws UnreachableError when there is no answer, or another than expected
 */
export async function ask(target: GitHubTarget, path: string, what: string): Promise<Answer> {
    const url = new URL(path, restAddress(target.baseUrl));
    const headers = {
        accept: "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        ...(target.token !== undefined && { authorization: `Bearer ${target.token}` }),
    };
    let response = await attempt(url, headers);
    for (const pause of pauses) {
        if (typeof response !== "string") break;
        await sleep(pause);
        response = await attempt(url, headers);
    }
    if (typeof response === "string") throw new UnreachableError(`GitHub can't be asked to ${what}: ${response}`);
    const refused = refusal(response.status, response.headers, what) ?? shortage(response.headers);
    if (refused) throw refused;
    if (response.status === 404) return { body: undefined, headers: response.headers };
    if (!response.ok) throw new UnreachableError(`GitHub can't be asked to ${what}: it answered ${response.status}`);
    return { body: await response.json(), headers: response.headers };
}
