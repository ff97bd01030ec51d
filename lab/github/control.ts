import type { Incoming } from "./api";
import { Refusal } from "./errors";
import { bodies, parseInput as parse } from "./controlInput";
import { mergePull, pushFiles } from "./outside";
import { noContent, ok, type Reply } from "./request";
import { seal } from "./sealedBox";
import { ensureAccount, seedRepository } from "./seed";
import { findRepository, own, type Repository, secretKinds, type State } from "./state";
import { laterThan, timestamp } from "./time";
import type { Store } from "./store";

/** Root of the control API, by which tests change the stand-in's state and behaviour. GitHub has no counterpart. */
export const controlRoot = "/_lab/";

/** State that is not stored on disk: the number of next requests that fail, and the last received requests. */
export interface Faults {
    /** Number of requests to the API that are answered with 502. */
    outages: number;
    readonly requests: { readonly method: string; readonly path: string; readonly status: number }[];
}

function repositoryOf(state: State, [owner = "", name = ""]: readonly string[]): Repository {
    const repository = findRepository(state, owner, name);
    if (!repository) throw new Refusal(404, `there is no repository ${owner}/${name}`);
    return repository;
}

type Route = (incoming: Incoming, args: readonly string[], state: State, faults: Faults, file: string) => Reply;

/** Method and path → action; a `*` matches one part of the path, and the matched parts are passed on in order. */
const routes: Readonly<Record<string, Route>> = {
    "PUT tokens/*": (incoming, [token = ""], state) => {
        const { login, scopes, permissions } = parse(bodies.token, incoming);
        ensureAccount(state, login);
        state.tokens[token] = { login, ...(scopes && { scopes }), ...(permissions && { permissions }) };
        return noContent();
    },
    "DELETE tokens/*": (_, [token = ""], state) => {
        Reflect.deleteProperty(state.tokens, token);
        return noContent();
    },
    "POST repositories": (incoming, _, state) => {
        const { owner, name, private: isPrivate } = parse(bodies.repository, incoming);
        seedRepository(state, owner, name, isPrivate);
        return noContent();
    },
    "PATCH repositories/*/*": (incoming, args, state) => {
        Object.assign(repositoryOf(state, args), parse(bodies.settings, incoming));
        return noContent();
    },
    "DELETE repositories/*/*": (_, args, state) => {
        const { owner, name } = repositoryOf(state, args);
        Reflect.deleteProperty(state.repositories, `${owner}/${name}`);
        return noContent();
    },
    "POST repositories/*/*/push": (incoming, args, state) =>
        ok({ sha: pushFiles(repositoryOf(state, args), parse(bodies.push, incoming)).sha }),
    "POST repositories/*/*/pulls/*/merge": (_, args, state) =>
        ok({ sha: mergePull(state, repositoryOf(state, args), Number(args[2])).sha }),
    "PUT repositories/*/*/secrets/*/*": (incoming, args, state) => {
        const repository = repositoryOf(state, args);
        const kind = secretKinds.find((one) => one === args[2]);
        if (!kind) throw new Refusal(404, `kinds of secrets are ${secretKinds.join(", ")}`);
        const name = (args[3] ?? "").toUpperCase();
        const before = own(repository.secrets[kind], name);
        const updatedAt = before ? laterThan(before.updatedAt) : timestamp();
        const sealed = seal(parse(bodies.value, incoming).value, repository.keys[kind]);
        repository.secrets[kind][name] = { sealed, createdAt: before?.createdAt ?? updatedAt, updatedAt };
        return noContent();
    },
    "PUT repositories/*/*/variables/*": (incoming, args, state) => {
        const { variables } = repositoryOf(state, args);
        const name = (args[2] ?? "").toUpperCase();
        const before = own(variables, name);
        const updatedAt = before ? laterThan(before.updatedAt) : timestamp();
        const { value } = parse(bodies.value, incoming);
        variables[name] = { value, createdAt: before?.createdAt ?? updatedAt, updatedAt };
        return noContent();
    },
    "PUT limits": (incoming, _, state) => {
        const { primary, secondary } = parse(bodies.limits, incoming);
        state.limits = { ...(primary && { primary }), ...(secondary && { secondary }) };
        return noContent();
    },
    "PUT outages": (incoming, _, _state, faults) => {
        faults.outages = parse(bodies.outages, incoming).count;
        return noContent();
    },
    "GET requests": (_, _args, _state, { requests }) => ok(requests),
    "GET health": (_, _args, _state, _faults, file) => ok({ state: file }),
};

/** Finds the route of a request and the parts of its path that match a `*`. */
function findRoute(method: string, path: string): { route: Route; args: string[] } | undefined {
    const parts = path.split("/").map(decodeURIComponent);
    for (const [key, route] of Object.entries(routes)) {
        const [wanted = "", pattern = ""] = key.split(" ");
        const names = pattern.split("/");
        if (wanted !== method || names.length !== parts.length) continue;
        if (names.every((name, index) => name === "*" || name === parts[index])) {
            return { route, args: parts.filter((_, index) => names[index] === "*") };
        }
    }
    return undefined;
}

/** Answers a request below `/_lab/`. */
export function answerControl(store: Store, faults: Faults, incoming: Incoming): Reply {
    const found = findRoute(incoming.method, incoming.url.pathname.slice(controlRoot.length));
    if (!found) return { status: 404, body: { message: `the control API knows ${Object.keys(routes).join(", ")}` } };
    try {
        return store.update((draft) => found.route(incoming, found.args, draft, faults, store.file));
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { status: error.status, body: error.body };
    }
}
