import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { type Dispatcher, type Response, fetch } from "undici";
import { z } from "zod";
import { connections, longestResponse } from "../system/connections";
import { RegistryError } from "./manifest";
import { isLoopback, parseReference } from "./references";

/** Credentials for a registry. */
export interface Login {
    readonly username: string;
    readonly password: string;
    /** An OAuth2 refresh token that replaces the password. */
    readonly identityToken: string;
    /** A token that the registry accepts directly. */
    readonly registryToken: string;
}

const entry = z.object({
    auth: z.string().default(""),
    username: z.string().default(""),
    password: z.string().default(""),
    identitytoken: z.string().default(""),
    registrytoken: z.string().default(""),
});
/** The parts of Docker's config.json with credentials (docker/cli, cli/config/configfile). */
const schema = z.object({
    auths: z.record(z.string(), entry).default({}),
    credHelpers: z.record(z.string(), z.string()).default({}),
    credsStore: z.string().default(""),
});
type Config = z.infer<typeof schema>;

const helperResponse = z.object({ Username: z.string(), Secret: z.string() });

/** A credential helper's user name if its secret is an identity token. */
const tokenUser = "<token>";

/** Time limit of a credential helper, in milliseconds. */
const helperTimeout = 20_000;

/** Returns the key of a registry's login; Docker Hub has kept its old key. */
const keyOf = (registry: string): string => (registry === "docker.io" ? "https://index.docker.io/v1/" : registry);

/** Returns the host in the key of a login, which older versions of Docker wrote as a URL. */
const hostOf = (key: string): string => key.replace(/^[a-z]+:\/\//, "").split("/")[0] ?? "";

function parseConfig(text: string, where: string): Config {
    try {
        return schema.parse(JSON.parse(text));
    } catch (error) {
        // The error must not quote the text, which contains passwords.
        const reason = error instanceof z.ZodError ? z.prettifyError(error) : "it is not JSON";
        throw new Error(`Docker's ${where} can't be read: ${reason}`);
    }
}

function readConfig(env: NodeJS.ProcessEnv): Config | undefined {
    const file = path.join(env.DOCKER_CONFIG ?? path.join(env.HOME ?? homedir(), ".docker"), "config.json");
    let text: string;
    try {
        text = readFileSync(file, "utf8");
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw new Error(`Docker's ${file} can't be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
    }
    return parseConfig(text, file);
}

function loginIn({ auths }: Config, registry: string): Login | undefined {
    const key = keyOf(registry);
    const stored = auths[key] ?? Object.entries(auths).find(([name]) => hostOf(name) === registry)?.[1];
    if (!stored) return undefined;
    const { auth, username, password, identitytoken: identityToken, registrytoken: registryToken } = stored;
    const decoded = Buffer.from(auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    const user =
        colon < 0 ? { username, password } : { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
    const login = { ...user, identityToken, registryToken };
    // `docker login` leaves an empty entry here if it uses a credential store.
    return Object.values(login).some((value) => value !== "") ? login : undefined;
}

/** Parses JSON; undefined if invalid, because an error would quote the text. */
function parseJson(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

/** Runs a credential helper (docker/docker-credential-helpers: `get`, the key on stdin, JSON on stdout). */
async function askHelper(helper: string, key: string, env: NodeJS.ProcessEnv): Promise<Login | undefined> {
    const command = `docker-credential-${helper}`;
    const child = spawn(command, ["get"], { env, timeout: helperTimeout, stdio: ["pipe", "pipe", "ignore"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    // A helper that exits without reading its input is judged by its exit code.
    child.stdin.on("error", () => undefined).end(key);
    const code = await new Promise<number | null>((resolve, reject) => {
        child.on("close", resolve).on("error", (error) => {
            reject(new Error(`Docker's credential helper ${command} can't be run: ${error.message}`));
        });
    });
    if (code !== 0) {
        if (stdout.trim() === "credentials not found in native keychain") return undefined;
        // On failure, a helper writes the reason to stdout (docker-credential-helpers, credentials/credentials.go).
        throw new Error(
            `Docker's credential helper ${command} failed: ${stdout.trim() || `exit code ${String(code)}`}`,
        );
    }
    const { data } = helperResponse.safeParse(parseJson(stdout));
    if (!data) throw new Error(`Docker's credential helper ${command} returned no login`);
    const isToken = data.Username === tokenUser;
    return {
        username: isToken ? "" : data.Username,
        password: isToken ? "" : data.Secret,
        identityToken: isToken ? data.Secret : "",
        registryToken: "",
    };
}

/**
 * Returns the user's login for a registry from the same sources as Docker's tools: DOCKER_AUTH_CONFIG, then the
 * credential helper or the entry in config.json in DOCKER_CONFIG or ~/.docker.
 *
 * @param registry host with its port; "docker.io" for Docker Hub
 * @returns undefined if there is no login
 * @throws Error whose message names the file or helper that failed, and contains no secret
 */
async function dockerLogin(registry: string, env: NodeJS.ProcessEnv): Promise<Login | undefined> {
    const variable = env.DOCKER_AUTH_CONFIG ?? "";
    const login = variable === "" ? undefined : loginIn(parseConfig(variable, "DOCKER_AUTH_CONFIG"), registry);
    const config = login ? undefined : readConfig(env);
    if (login ?? !config) return login;
    const key = keyOf(registry);
    const helper = config.credHelpers[key] ?? config.credsStore;
    return (helper === "" ? undefined : await askHelper(helper, key, env)) ?? loginIn(config, registry);
}

/**
 * The state of a blob in a registry.
 *
 * - `there`: the registry returns it.
 * - `lost`: the registry reports it as missing, so the next push uploads it again.
 * - `remembered`: the registry reports it as present but can't return it, so a push skips it. docker-registry remembers
 *   deleted blobs until it is restarted.
 */
export type BlobState = "there" | "lost" | "remembered";

/** Reads the state of blobs. It keeps logins and tokens until it is closed. */
export interface BlobReader {
    /**
     * @param repository "registry/repository"
     * @param digest of the blob: a configuration or a layer
     * @throws RegistryError if the registry can't be queried
     */
    readonly look: (repository: string, digest: string) => Promise<BlobState>;
    readonly close: () => Promise<void>;
}

/**
 * Returns the base URL of a registry: Docker Hub's API has another host name; loopback addresses use HTTP, as in
 * buildx.
 */
function addressOf(registry: string): string {
    if (registry === "docker.io") return "https://registry-1.docker.io";
    return `${isLoopback(registry) ? "http" : "https"}://${registry}`;
}

/** Parses a challenge of WWW-Authenticate (RFC 9110, 11.6.1): its scheme in lower case, and its parameters. */
function parseChallenge(header: string): {
    readonly scheme: string;
    readonly parameters: Readonly<Record<string, string>>;
} {
    const [, scheme = "", rest = ""] = /^\s*([^\s,]+)\s*(.*)$/.exec(header) ?? [];
    const pairs = [...rest.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)];
    const parameters = pairs.map(([, name = "", quoted, bare = ""]) => [
        name.toLowerCase(),
        quoted?.replace(/\\(.)/g, "$1") ?? bare,
    ]);
    return { scheme: scheme.toLowerCase(), parameters: Object.fromEntries(parameters) as Record<string, string> };
}

const basic = ({ username, password }: Login): string =>
    `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

const tokenResponse = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const isTimeout = (error: unknown): boolean => (error as Error).name === "TimeoutError";

/** Returns the reason of a failed fetch, which is in the error's cause. */
function reasonOf(error: unknown): string {
    const { message, cause } = error as Error;
    return cause instanceof Error && cause.message !== "" ? cause.message : message;
}

/** A request to a registry. */
export interface RegistryRequest {
    /** Default: GET. */
    readonly method?: "GET" | "HEAD" | "PUT" | "DELETE";
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Buffer;
}

/** Sends requests to registries as Docker's tools do. It keeps logins and tokens until it is closed. */
export interface RegistryClient {
    /**
     * Sends a request, and again with a login or token if the registry asks for it. Fails as `fetch` does; `registryError` says why.
     *
     * @param repository "registry/repository"
     * @param path below the repository: "manifests/latest"
     */
    readonly request: (repository: string, path: string, options?: RegistryRequest) => Promise<Response>;
    readonly close: () => Promise<void>;
}

/** Returns the reason why a request of a client failed. */
export function registryError(error: unknown, repository: string): RegistryError {
    if (error instanceof RegistryError) return error;
    const hangs = isTimeout(error);
    const reason = hangs ? `no answer in ${longestResponse / 1000} seconds` : reasonOf(error);
    return new RegistryError(parseReference(repository).registry, reason, hangs);
}

/**
 * Returns a client for registries, with tokens (distribution, spec/auth/token), the user's Docker login, proxies and certificates.
 *
 * @param env environment: DOCKER_CONFIG, SSL_CERT_FILE, HTTPS_PROXY, NO_PROXY
 */
export function registryClient(env: NodeJS.ProcessEnv): RegistryClient {
    let opened: Promise<Dispatcher> | undefined;
    /**
     * Created with the first request, so that invalid certificates or proxies are reported as the reason why the
     * registry can't be asked.
     */
    const connection = () => (opened ??= connections(env));
    const logins = new Map<string, Promise<Login | undefined>>();
    /** `Authorization` by repository and kind of access, after the registry has required it. */
    const authorizations = new Map<string, Promise<string>>();

    const loginFor = (registry: string) => {
        const login = logins.get(registry) ?? dockerLogin(registry, env);
        logins.set(registry, login);
        return login;
    };

    async function tokenFor(realm: string, service: string | undefined, scope: string, login: Login | undefined) {
        const request = { ...(service !== undefined && { service }), scope };
        const oauth = {
            grant_type: "refresh_token",
            client_id: "layered-images",
            refresh_token: login?.identityToken ?? "",
        };
        const isOauth = login !== undefined && login.identityToken !== "";
        const url = new URL(realm);
        if (!isOauth) for (const [name, value] of Object.entries(request)) url.searchParams.append(name, value);
        const response = await fetch(url, {
            dispatcher: await connection(),
            signal: AbortSignal.timeout(longestResponse),
            ...(isOauth
                ? { method: "POST", body: new URLSearchParams({ ...request, ...oauth }) }
                : { headers: login === undefined ? {} : { authorization: basic(login) } }),
        });
        if (!response.ok) throw new Error(`failed to authorize: ${response.status} ${response.statusText}`);
        const { data } = tokenResponse.safeParse(await response.json());
        const token = data?.token ?? data?.access_token;
        if (token === undefined) throw new Error("failed to authorize: the response has no token");
        return `Bearer ${token}`;
    }

    async function authorize(header: string, registry: string, repository: string): Promise<string> {
        const { scheme, parameters } = parseChallenge(header);
        const login = await loginFor(registry);
        if (login !== undefined && login.registryToken !== "") return `Bearer ${login.registryToken}`;
        if (scheme === "bearer" && parameters.realm !== undefined) {
            const scope = parameters.scope ?? `repository:${repository}:pull`;
            return await tokenFor(parameters.realm, parameters.service, scope, login);
        }
        if (scheme === "basic" && login !== undefined) return basic(login);
        throw new Error(`401 Unauthorized${login === undefined ? ": there is no Docker login for it" : ""}`);
    }

    async function send(
        url: string,
        { method = "GET", headers, body }: RegistryRequest,
        authorization: string | undefined,
    ) {
        return await fetch(url, {
            method,
            dispatcher: await connection(),
            signal: AbortSignal.timeout(longestResponse),
            headers: { ...headers, ...(authorization !== undefined && { authorization }) },
            ...(body && { body }),
        });
    }

    async function request(ref: string, where: string, options: RegistryRequest = {}): Promise<Response> {
        const { registry, repository } = parseReference(ref);
        const url = `${addressOf(registry)}/v2/${repository}/${where}`;
        // A token that allows to read allows neither to push nor to delete.
        const { method = "GET" } = options;
        const key = `${ref} ${method === "HEAD" ? "GET" : method}`;
        const used = authorizations.get(key);
        const response = await send(url, options, await used);
        if (response.status !== 401) return response;
        await response.text();
        // Use a token that a concurrent request has obtained; otherwise the old token has expired.
        const current = authorizations.get(key);
        const fresh =
            current !== undefined && current !== used
                ? current
                : authorize(response.headers.get("www-authenticate") ?? "", registry, repository);
        authorizations.set(key, fresh);
        return await send(url, options, await fresh);
    }

    return { request, close: async () => (await opened?.catch(() => undefined))?.destroy() };
}

/**
 * Returns a reader that requests blobs: distribution-spec's `GET /v2/<name>/blobs/<digest>`.
 *
 * @param env as for `registryClient`
 */
export function blobReader(env: NodeJS.ProcessEnv): BlobReader {
    const { request, close } = registryClient(env);
    // Requests the first byte: a registry answers HEAD without checking whether it can return the blob.
    const headers = { range: "bytes=0-0" };

    /**
     * Returns undefined if a response broke off. The caller repeats the request, since the network may be the cause.
     */
    async function attempt(ref: string, digest: string): Promise<BlobState | undefined> {
        const { registry } = parseReference(ref);
        const response = await request(ref, `blobs/${digest}`, { headers });
        const { status, statusText, redirected, body } = response;
        if (status !== 200 && status !== 206) {
            await response.text();
            // A redirect to its storage means that the registry considers the blob present.
            if (status === 404) return redirected ? "remembered" : "lost";
            throw new RegistryError(registry, `it answered ${status} ${statusText} for a blob`);
        }
        try {
            // Reading to the end keeps the connection open. A registry without ranges would send the whole blob.
            if (status === 206) return (await response.arrayBuffer()).byteLength > 0 ? "there" : undefined;
            const reader = body?.getReader();
            const first = await reader?.read();
            await reader?.cancel();
            return first?.done === false ? "there" : undefined;
        } catch (error) {
            if (isTimeout(error)) throw error;
            return undefined;
        }
    }

    async function look(ref: string, digest: string): Promise<BlobState> {
        try {
            return (await attempt(ref, digest)) ?? (await attempt(ref, digest)) ?? "remembered";
        } catch (error) {
            throw registryError(error, ref);
        }
    }

    return { look, close };
}
