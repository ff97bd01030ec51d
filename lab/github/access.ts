import { notFound, Refusal } from "./errors";
import { type Level, factsOf, needsWorkflows } from "../../lib/github/permissions";
import type { Need } from "./operations";
import { own, type Repository, type StandInPermission, type State, type Token } from "./state";

const hourlyLimit = 5000;
const seconds = () => Math.floor(Date.now() / 1000);

/**
 * Returns the state of the hourly quota (schema `rate-limit`). Requests use it up only if `/_lab/limits` sets the
 * remaining number.
 */
function rateLimit({ limits }: State): { limit: number; used: number; remaining: number; reset: number } {
    const { until = 0, left: counted = 0 } = limits.primary ?? {};
    const isLimited = until > seconds();
    const left = isLimited ? counted : hourlyLimit;
    // The full quota's reset time is rounded, so that responses to equal requests are equal.
    const reset = isLimited ? until : Math.ceil((seconds() + 1) / 3600) * 3600;
    return { limit: hourlyLimit, used: hourlyLimit - left, remaining: left, reset };
}

/** Returns the quota headers of every response. */
export function rateLimitHeaders(state: State): Record<string, string> {
    const names = Object.entries(rateLimit(state)).map(([name, value]) => [`x-ratelimit-${name}`, value.toString()]);
    return { ...(Object.fromEntries(names) as Record<string, string>), "x-ratelimit-resource": "core" };
}

const tokenIn = (state: State, authorization: string | undefined): Token | undefined =>
    own(state.tokens, /^(?:bearer|token) (.+)$/i.exec(authorization ?? "")?.[1] ?? "");

/** Returns whether a request counts: against the remaining quota, or as one of a token's last requests. */
export const isCounted = (state: State, authorization: string | undefined): boolean =>
    (state.limits.primary?.left ?? 0) > 0 || (tokenIn(state, authorization)?.left ?? 0) > 0;

/** Subtracts one request from the remaining quota, and from what its token has left. */
export function countRequest(state: State, authorization: string | undefined): void {
    for (const counted of [state.limits.primary, tokenIn(state, authorization)]) {
        const left = counted?.left ?? 0;
        if (left > 0) Object.assign(counted ?? {}, { left: left - 1 });
    }
}

/**
 * Refuses requests while a limit is reached
 * (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 */
export function checkLimits(state: State): void {
    const { primary, secondary } = state.limits;
    if (primary && primary.until > seconds() && (primary.left ?? 0) === 0) {
        throw new Refusal(403, "API rate limit exceeded for user ID 1001.", {
            documentation: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
        });
    }
    if (secondary && secondary.until > seconds()) {
        throw new Refusal(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            {
                // Clients recognise this limit by the end of this address.
                documentation:
                    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits",
                headers: { "retry-after": secondary.retryAfter.toString() },
            },
        );
    }
}

/** Returns the scopes of a classic token as response headers; a fine-grained token gets no such headers. */
export function scopeHeaders(state: State, authorization: string | undefined): Record<string, string> {
    const scopes = tokenIn(state, authorization)?.scopes;
    return scopes ? { "x-oauth-scopes": scopes.join(", ") } : {};
}

/** Returns the token in `Authorization: Bearer …` or `token …`. */
export function authenticate(state: State, authorization: string | undefined): Token {
    if (authorization === undefined) throw new Refusal(401, "Requires authentication");
    const token = tokenIn(state, authorization);
    if (!token || token.left === 0) throw new Refusal(401, "Bad credentials");
    return token;
}

function scopeOf(permission: StandInPermission, access: Level): string {
    if (permission === "packages") return access === "write" ? "delete:packages" : "read:packages";
    return permission === "actions" ? "repo" : factsOf(permission).scope;
}

function permits(token: Token, permission: StandInPermission, access: Level): boolean {
    const granted = permission === "metadata" ? "read" : token.permissions?.[permission];
    return granted === "write" || (granted === "read" && access === "read");
}

/**
 * Refuses a token that lacks a permission, as GitHub does: a fine-grained token gets the missing permission (403), a
 * classic token without the scope does not even learn that the repository exists (404). Any token may read the public
 * data of a public repository.
 */
export function authorize(token: Token, need: Need | undefined, repository: Repository | undefined): void {
    if (!need || (need.publicRead && repository?.private === false)) return;
    if (token.scopes) {
        const { scopes } = token;
        if (!need.permissions.some((permission) => scopes.includes(scopeOf(permission, need.access)))) throw notFound();
        return;
    }
    if (need.permissions.some((permission) => permits(token, permission, need.access))) return;
    const accepted = need.permissions.map((permission) => `${permission}=${need.access}`).join("; ");
    throw new Refusal(403, "Resource not accessible by personal access token", {
        headers: { "x-accepted-github-permissions": accepted },
    });
}

/** Refuses changes to workflow files by a token without that permission; a classic token again gets only a 404. */
export function authorizeWorkflow(token: Token, path: string): void {
    if (needsWorkflows(path))
        authorize(token, { permissions: ["workflows"], access: "write", publicRead: false }, undefined);
}

/** Refuses changes to an archived repository, which is read-only. */
export function checkWritable(repository: Repository): void {
    if (repository.archived) throw new Refusal(403, "Repository was archived so is read-only.");
}
