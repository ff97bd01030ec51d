import { notFound, Refusal } from "./errors";
import { type Level, type Permission, factsOf, needsWorkflows } from "../../lib/github/permissions";
import type { Need } from "./operations";
import { own, type Repository, type State, type Token } from "./state";

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

/** Returns whether a request counts against the remaining quota. */
export const isCounted = ({ limits: { primary } }: State): boolean => (primary?.left ?? 0) > 0;

/** Subtracts one request from the remaining quota. */
export function countRequest({ limits }: State): void {
    if (limits.primary) Object.assign(limits.primary, { left: (limits.primary.left ?? 0) - 1 });
}

/**
 * Refuses requests while a limit is reached
 * (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
 */
export function checkLimits(state: State): void {
    const { primary, secondary } = state.limits;
    if (primary && primary.until > seconds() && !isCounted(state)) {
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
    const scopes = own(state.tokens, authorization?.split(" ")[1] ?? "")?.scopes;
    return scopes ? { "x-oauth-scopes": scopes.join(", ") } : {};
}

/** Returns the token in `Authorization: Bearer …` or `token …`. */
export function authenticate(state: State, authorization: string | undefined): Token {
    if (authorization === undefined) throw new Refusal(401, "Requires authentication");
    const [, text = ""] = /^(?:bearer|token) (.+)$/i.exec(authorization) ?? [];
    const token = own(state.tokens, text);
    if (!token) throw new Refusal(401, "Bad credentials");
    return token;
}

function permits(token: Token, permission: Permission, access: Level): boolean {
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
        if (!need.permissions.some((permission) => scopes.includes(factsOf(permission).scope))) throw notFound();
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
