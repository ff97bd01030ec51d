import { createHash } from "node:crypto";
import {
    authenticate,
    authorize,
    checkLimits,
    checkWritable,
    countRequest,
    isCounted,
    rateLimitHeaders,
    scopeHeaders,
} from "./access";
import type { Description, Matched } from "./description";
import { notFound, Refusal } from "./errors";
import { accountHandlers, repositoryHandlers } from "./handlers";
import { operations } from "./operations";
import { type ApiRequest, type Handler, parseBody, type Reply } from "./request";
import { findRepository, own, type State } from "./state";
import type { Store } from "./store";

/**
 * Returns the path below the API with the repository's name instead of its id: GitHub also answers
 * `/repositories/<id>/…`, which the GitHub provider uses for environments.
 */
function byName(state: State, path: string): string {
    const [, id, rest = ""] = /^\/repositories\/(\d+)(\/.*)?$/.exec(path) ?? [];
    const found = Object.values(state.repositories).find((repository) => repository.id.toString() === id);
    return found ? `/repos/${found.owner}/${found.name}${rest}` : path;
}

/** Path of the API, as on GitHub Enterprise Server. */
export const apiRoot = "/api/v3";

/** A request as received over HTTP. */
export interface Incoming {
    readonly method: string;
    readonly url: URL;
    readonly headers: Readonly<Record<string, string | undefined>>;
    readonly body: string;
}

/** GitHub needs the type of a body only if it can't be JSON; the description contains only JSON. */
const headersOf = (incoming: Incoming) => ({
    ...(incoming.body !== "" && { "content-type": "application/json" }),
});

/** Finds the handler of an operation after all checks that can refuse it: repository, permission, archive, input. */
function prepare(state: State, description: Description, matched: Matched, request: ApiRequest): () => Reply {
    const need = operations[matched.id];
    const account: Handler | undefined = own<Handler>(accountHandlers, matched.id);
    if (account) {
        authorize(request.token, need, undefined);
        description.checkRequest(matched);
        return () => account(request);
    }
    const handler = repositoryHandlers[matched.id as keyof typeof repositoryHandlers];
    const { owner = "", repo = "" } = matched.params;
    const repository = findRepository(state, owner, repo);
    if (!repository) throw notFound();
    authorize(request.token, need, repository);
    if (need?.access === "write") checkWritable(repository);
    description.checkRequest(matched);
    return () => handler({ ...request, repository });
}

function answer(state: State, description: Description, matched: Matched | undefined, incoming: Incoming): Reply {
    const token = authenticate(state, incoming.headers.authorization);
    checkLimits(state);
    if (!matched) {
        throw new Refusal(
            501,
            `the stand-in does not know ${incoming.method} ${incoming.url.pathname}; see lab/github/operations.ts`,
        );
    }
    const query = Object.fromEntries(incoming.url.searchParams);
    const body = matched.request.body as unknown;
    const base = `${incoming.url.origin}${apiRoot}`;
    const request = { state, token, base, params: matched.params, query, body, url: incoming.url };
    const reply = prepare(state, description, matched, request)();
    const problem = description.answerProblem(matched, reply.status, reply.body);
    if (problem !== undefined) throw new Error(`the answer to ${matched.id} is not as described: ${problem}`);
    return reply;
}

function refusalReply(refusal: Refusal): Reply {
    return { status: refusal.status, body: refusal.body, headers: refusal.details.headers ?? {} };
}

/** Adds the hash of the body to responses of GET requests; a body that the client already has is not sent again. */
function withEntityTag(incoming: Incoming, reply: Reply): Reply {
    if (incoming.method !== "GET" || reply.status !== 200) return reply;
    const tag = `W/"${createHash("sha256").update(JSON.stringify(reply.body)).digest("hex")}"`;
    const headers = { ...reply.headers, etag: tag };
    const known = incoming.headers["if-none-match"]?.split(/\s*,\s*/) ?? [];
    return known.includes(tag) ? { status: 304, headers } : { ...reply, headers };
}

/** Answers a request to the API; a refused or failed request changes nothing. */
export function answerApi(store: Store, description: Description, incoming: Incoming): Reply {
    const path = byName(store.state, incoming.url.pathname.slice(apiRoot.length));
    let matched: Matched | undefined;
    let reply: Reply;
    try {
        const query = Object.fromEntries(incoming.url.searchParams);
        const request = { method: incoming.method, path, query, headers: headersOf(incoming) };
        matched = description.match({ ...request, body: parseBody(incoming.body) });
        const work = (state: State) => answer(state, description, matched, incoming);
        reply = incoming.method === "GET" ? work(store.state) : store.update(work);
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        reply = refusalReply(error);
        const problem = matched && description.answerProblem(matched, reply.status, reply.body);
        if (problem !== undefined) throw new Error(`the refusal is not as described: ${problem}`, { cause: error });
    }
    const { authorization } = incoming.headers;
    if (isCounted(store.state, authorization)) {
        store.update((state) => {
            countRequest(state, authorization);
        });
    }
    const tagged = withEntityTag(incoming, reply);
    const about = { ...rateLimitHeaders(store.state), ...scopeHeaders(store.state, authorization) };
    return { ...tagged, headers: { ...about, ...tagged.headers } };
}
