import { Refusal } from "./errors";
import type { Repository, State, Token } from "./state";

/** A request that was matched, authenticated, authorized and validated: the input of handlers. */
export interface ApiRequest {
    /** A draft: stored only if the response is a success. */
    readonly state: State;
    readonly token: Token;
    /** Base of the API's URLs, without a trailing slash. */
    readonly base: string;
    readonly params: Readonly<Record<string, string>>;
    readonly query: Readonly<Record<string, string>>;
    /** Valid by the description; undefined without a body. */
    readonly body: unknown;
    /** Path and query as requested, for links to other pages. */
    readonly url: URL;
}

/** A request for an existing repository. */
export interface RepositoryRequest extends ApiRequest {
    readonly repository: Repository;
}

/** A response; its body is sent as JSON. */
export interface Reply {
    readonly status: number;
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
}

/** Answers an operation without a repository. */
export type Handler = (request: ApiRequest) => Reply;
/** Answers an operation on a repository; throws a Refusal if GitHub refuses it. */
export type RepositoryHandler = (request: RepositoryRequest) => Reply;

/** 200 with a body. */
export const ok = (body: unknown): Reply => ({ status: 200, body });
/** 201 with a body. */
export const created = (body: unknown): Reply => ({ status: 201, body });
/** 204. */
export const noContent = (): Reply => ({ status: 204 });

/**
 * Parses a JSON body; undefined without a body.
 *
 * @throws Refusal 400 for a body that is not JSON
 */
export function parseBody(text: string): unknown {
    if (text === "") return undefined;
    try {
        return JSON.parse(text);
    } catch {
        throw new Refusal(400, "Problems parsing JSON");
    }
}

/**
 * Returns one page of a list, as `per_page` and `page` request, with the `Link` header that clients follow (RFC 8288).
 *
 * @param sizes items on a page: if the request does not say, and at most, whatever it says
 */
export function paginate<T>(
    { query, url }: ApiRequest,
    items: readonly T[],
    sizes = { usual: 30, most: 100 },
): { page: T[]; headers: Record<string, string> } {
    const size = Math.min(Number(query.per_page ?? sizes.usual), sizes.most);
    const number = Number(query.page ?? 1);
    const last = Math.max(1, Math.ceil(items.length / size));
    const link = (page: number, relation: string) => {
        const other = new URL(url);
        other.searchParams.set("page", page.toString());
        return `<${other.href}>; rel="${relation}"`;
    };
    const links = [
        ...(number > 1 ? [link(number - 1, "prev")] : []),
        ...(number < last ? [link(number + 1, "next"), link(last, "last")] : []),
        ...(number > 1 ? [link(1, "first")] : []),
    ];
    return {
        page: items.slice((number - 1) * size, number * size),
        headers: links.length > 0 ? { link: links.join(", ") } : {},
    };
}
