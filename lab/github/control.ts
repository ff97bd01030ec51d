import { z } from "zod";
import { permissionNames } from "../../lib/github/permissions";
import type { Incoming } from "./api";
import { Refusal } from "./errors";
import { addBlob, addCommit } from "./git";
import { mergePull } from "./pulls";
import { noContent, ok, parseBody, type Reply } from "./request";
import { seal } from "./sealedBox";
import { ensureAccount, nextId, seedRepository } from "./seed";
import { type Commit, findRepository, own, type Repository, type Rules, secretKinds, type State } from "./state";
import { laterThan, timestamp } from "./time";
import { byPullRequestOnly, type Store } from "./store";

/** Root of the control API, by which tests change the stand-in's state and behaviour. GitHub has no counterpart. */
export const controlRoot = "/_lab/";

/** State that is not stored on disk: the number of next requests that fail, and the last received requests. */
export interface Faults {
    /** Number of requests to the API that are answered with 502. */
    outages: number;
    /** The answer to requests whose method and path match, until it is taken back. */
    refusal: z.output<typeof refusal> | undefined;
    readonly requests: { readonly method: string; readonly path: string; readonly status: number }[];
}

const level = z.enum(["read", "write"]);

/** An answer that GitHub documents and the stand-in has no occasion for: an organization's rules about tokens, or a limit of the owner's plan. */
const refusal = z.strictObject({
    method: z.string().default(""),
    /** A part of the path; every path has the empty one. */
    path: z.string().default(""),
    status: z.int().min(300).max(599),
    message: z.string(),
    headers: z.record(z.string(), z.string()).default({}),
});
const until = z.iso.datetime().transform((text) => Math.ceil(Date.parse(text) / 1000));

const rules: z.ZodType<Rules> = z.strictObject({
    pullRequest: z.boolean().optional(),
    approvals: z.int().min(1).optional(),
    checks: z.array(z.string()).min(1).optional(),
    signatures: z.boolean().optional(),
    linearHistory: z.boolean().optional(),
    locked: z.boolean().optional(),
    mergeQueue: z.boolean().optional(),
    pushers: z.array(z.string()).optional(),
    creations: z.boolean().optional(),
    updates: z.boolean().optional(),
    deletions: z.boolean().optional(),
    codeScanning: z.string().optional(),
    commitMessage: z.string().optional(),
    paths: z.array(z.string()).optional(),
    maxFileSize: z.int().optional(),
});

/** Input of the control API, by subject. */
const bodies = {
    token: z.strictObject({
        login: z.string().min(1),
        scopes: z.array(z.string()).optional(),
        permissions: z.partialRecord(z.enum([...permissionNames, "actions", "packages"]), level).optional(),
        left: z.int().min(0).optional(),
    }),
    repository: z.strictObject({ owner: z.string().min(1), name: z.string().min(1), private: z.boolean().optional() }),
    settings: z.strictObject({
        archived: z.boolean().optional(),
        defaultBranch: z.string().optional(),
        /** Names of the secrets and values of the variables that the owner shares with the repository. */
        organization: z
            .strictObject({
                secrets: z.array(z.string()).default([]),
                variables: z.record(z.string(), z.string()).default({}),
            })
            .optional(),
        private: z.boolean().optional(),
        signsCommits: z.boolean().optional(),
        protected: z.array(z.string()).optional(),
        protections: z
            .array(
                z.strictObject({
                    by: z.enum(["protection", "ruleset"]).default("protection"),
                    branches: z.array(z.string()).default(["main"]),
                    rules,
                    bypass: z.array(z.string()).default([]),
                }),
            )
            .optional(),
    }),
    jobs: z.strictObject({
        jobs: z.array(
            z.strictObject({
                name: z.string(),
                runner: z.string(),
                startedAt: z.iso.datetime(),
                completedAt: z.iso.datetime().optional(),
            }),
        ),
    }),
    push: z.strictObject({
        branch: z.string().optional(),
        message: z.string().default("Change from outside"),
        /** Path → text; null deletes. */
        files: z.record(z.string(), z.string().nullable()),
    }),
    value: z.strictObject({ value: z.string() }),
    versions: z.strictObject({
        versions: z.array(
            z.strictObject({
                digest: z.string(),
                tags: z.array(z.string()).default([]),
                createdAt: z.iso.datetime(),
                downloads: z.int().min(0).default(0),
            }),
        ),
    }),
    limits: z.strictObject({
        primary: z.strictObject({ until, left: z.int().min(0).optional() }).optional(),
        secondary: z.strictObject({ until, retryAfter: z.int().min(0) }).optional(),
    }),
    outages: z.strictObject({ count: z.int().min(0) }),
    refusal,
};

/**
 * Parses the body of a request to the control API.
 *
 * @throws Refusal 400 for a body that is not JSON, 422 with the list of errors for other invalid input
 */
function parse<T extends z.ZodType>(schema: T, incoming: Incoming): z.output<T> {
    const result = schema.safeParse(parseBody(incoming.body));
    if (!result.success) throw new Refusal(422, z.prettifyError(result.error));
    return result.data;
}

/** A user who works on the repository in addition to the program. */
const outsider = { name: "outsider", email: "outsider@example.com" } as const;

/** Adds a commit that another user pushes; a new branch starts from the default branch. A file that is null is deleted. */
export function pushFiles(
    repository: Repository,
    { branch = repository.defaultBranch, message, files }: z.output<typeof bodies.push>,
): Commit {
    const head = own(repository.branches, branch) ?? repository.branches[repository.defaultBranch] ?? "";
    const all: Record<string, string> = { ...repository.commits[head]?.files };
    for (const [path, text] of Object.entries(files)) {
        if (text === null) Reflect.deleteProperty(all, path);
        else all[path] = addBlob(repository, Buffer.from(text));
    }
    const author = { ...outsider, date: timestamp() };
    const commit = addCommit(repository, { parents: [head], message, author, files: all });
    repository.branches[branch] = commit.sha;
    repository.pushedAt = timestamp();
    return commit;
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
        const { login, scopes, permissions, left } = parse(bodies.token, incoming);
        ensureAccount(state, login);
        state.tokens[token] = {
            login,
            ...(scopes && { scopes }),
            ...(permissions && { permissions }),
            ...(left !== undefined && { left }),
        };
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
        const { protected: branches, ...settings } = parse(bodies.settings, incoming);
        const protections = branches && byPullRequestOnly(branches);
        Object.assign(repositoryOf(state, args), settings, protections && { protections });
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
    "PUT repositories/*/*/runs/*/*": (incoming, args, state) => {
        const { jobs } = parse(bodies.jobs, incoming);
        repositoryOf(state, args).runs[`${args[2] ?? ""}/${args[3] ?? ""}`] = jobs.map(
            ({ completedAt = null, ...job }) => ({
                ...job,
                id: nextId(state),
                status: completedAt === null ? "in_progress" : "completed",
                conclusion: completedAt === null ? null : "cancelled",
                completedAt,
            }),
        );
        return noContent();
    },
    "PUT packages/*/*": (incoming, [owner = "", name = ""], state) => {
        const { versions } = parse(bodies.versions, incoming);
        (state.packages ??= {})[`${owner}/${name}`] = versions.map(({ digest, ...version }) => ({
            ...version,
            id: nextId(state),
            name: digest,
        }));
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
    "PUT refusal": (incoming, _, _state, faults) => {
        faults.refusal = parse(bodies.refusal, incoming);
        return noContent();
    },
    "DELETE refusal": (_, _args, _state, faults) => {
        faults.refusal = undefined;
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
