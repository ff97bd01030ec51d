import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { EnvHttpProxyAgent, type Dispatcher, type Response, fetch } from "undici";
import { z } from "zod";
import { RegistryError } from "./manifest";
import { parseReference } from "./references";

/** Who a registry is asked as. */
export interface Login {
    readonly username: string;
    readonly password: string;
    /** An OAuth2 refresh token instead of a password. */
    readonly identityToken: string;
    /** A token that the registry takes as it is. */
    readonly registryToken: string;
}

const entry = z.object({
    auth: z.string().default(""),
    username: z.string().default(""),
    password: z.string().default(""),
    identitytoken: z.string().default(""),
    registrytoken: z.string().default(""),
});
/** What of Docker's config.json says who somebody is (docker/cli, cli/config/configfile). */
const schema = z.object({
    auths: z.record(z.string(), entry).default({}),
    credHelpers: z.record(z.string(), z.string()).default({}),
    credsStore: z.string().default(""),
});
type Config = z.infer<typeof schema>;

const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** A credential helper's user name where its secret is an identity token. */
const tokenUser = "<token>";

/** Milliseconds for a credential helper. */
const helperTimeout = 20_000;

/** The name that a registry's login is kept under: Docker Hub has its old one. */
const keyOf = (registry: string): string => (registry === "docker.io" ? "https://index.docker.io/v1/" : registry);

/** The host in the key of a login, which older versions of Docker wrote as an address. */
const hostOf = (key: string): string => key.replace(/^[a-z]+:\/\//, "").split("/")[0] ?? "";

function parseConfig(text: string, where: string): Config {
    try {
        return schema.parse(JSON.parse(text));
    } catch (error) {
        // Neither may quote the text: it has passwords in it.
        const reason = error instanceof z.ZodError ? z.prettifyError(error) : "it is no JSON";
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
    const found = auths[key] ?? Object.entries(auths).find(([one]) => hostOf(one) === registry)?.[1];
    if (!found) return undefined;
    const { auth, username, password, identitytoken: identityToken, registrytoken: registryToken } = found;
    const decoded = Buffer.from(auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    const said =
        colon < 0 ? { username, password } : { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
    const login = { ...said, identityToken, registryToken };
    // `docker login` with a store leaves an empty entry here.
    return Object.values(login).some((value) => value !== "") ? login : undefined;
}

/** Undefined for what is no JSON; an error would quote it. */
function parseJson(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

/** Asks a credential helper (docker/docker-credential-helpers: `get`, the key on stdin, JSON on stdout). */
async function askHelper(helper: string, key: string, env: NodeJS.ProcessEnv): Promise<Login | undefined> {
    const command = `docker-credential-${helper}`;
    const child = spawn(command, ["get"], { env, timeout: helperTimeout, stdio: ["pipe", "pipe", "ignore"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    // One that ends without reading is judged by its exit code.
    child.stdin.on("error", () => undefined).end(key);
    const code = await new Promise<number | null>((resolve, reject) => {
        child.on("close", resolve).on("error", (error) => {
            reject(new Error(`Docker's credential helper ${command} can't be run: ${error.message}`));
        });
    });
    if (code !== 0) {
        if (stdout.trim() === "credentials not found in native keychain") return undefined;
        // What such a helper says then is why (docker-credential-helpers, credentials/credentials.go).
        throw new Error(
            `Docker's credential helper ${command} failed: ${stdout.trim() || `exit code ${String(code)}`}`,
        );
    }
    const { data } = helperAnswer.safeParse(parseJson(stdout));
    if (!data) throw new Error(`Docker's credential helper ${command} gave no login`);
    const isToken = data.Username === tokenUser;
    return {
        username: isToken ? "" : data.Username,
        password: isToken ? "" : data.Secret,
        identityToken: isToken ? data.Secret : "",
        registryToken: "",
    };
}

/**
 * The user's login for a registry, from where `docker login` and Docker's own tools have it: DOCKER_AUTH_CONFIG, then the
 * credential helper or the entry in config.json of DOCKER_CONFIG or ~/.docker.
 *
 * @param registry host with its port; "docker.io" for Docker Hub
 * @returns undefined where there is none
 * @throws Error whose message says which file or helper failed, and no secret
 */
export async function dockerLogin(registry: string, env: NodeJS.ProcessEnv): Promise<Login | undefined> {
    const said = env.DOCKER_AUTH_CONFIG ?? "";
    const first = said === "" ? undefined : loginIn(parseConfig(said, "DOCKER_AUTH_CONFIG"), registry);
    const config = first ? undefined : readConfig(env);
    if (first ?? !config) return first;
    const key = keyOf(registry);
    const helper = config.credHelpers[key] ?? config.credsStore;
    return (helper === "" ? undefined : await askHelper(helper, key, env)) ?? loginIn(config, registry);
}

/**
 * What a registry has of a blob.
 *
 * - `there`: it gives it.
 * - `lost`: it says that it does not have it, so the next push brings it back.
 * - `remembered`: it says that it has it and can't give it, so a push leaves it out. docker-registry remembers what it once had
 *   until it is started anew.
 */
export type BlobState = "there" | "lost" | "remembered";

/** Looks at blobs. What it learnt of logins and tokens it keeps until it is closed. */
export interface BlobReader {
    /**
     * @param repository "registry/repository"
     * @param digest of the blob: a configuration or a layer
     * @throws RegistryError when it can't be asked
     */
    readonly look: (repository: string, digest: string) => Promise<BlobState>;
    readonly close: () => Promise<void>;
}

/** Milliseconds for one answer; a registry that hangs must not hang us. */
const timeout = 20_000;

/** Bundles of certificates that Go's programs, and so buildx, trust where SSL_CERT_FILE names none (crypto/x509, root_linux.go). */
const bundles = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/** A proxy's address: without a scheme it is HTTP, as for Go's programs (net/http/httpproxy). */
const withScheme = (proxy: string): string => (proxy === "" || proxy.includes("://") ? proxy : `http://${proxy}`);

/** Connections with the proxies and certificates that buildx has. */
function connections(env: NodeJS.ProcessEnv): Dispatcher {
    // For Go's programs an empty variable is none.
    const set = (...names: string[]) =>
        names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
    const bundle = set("SSL_CERT_FILE") ?? bundles.find((file) => existsSync(file));
    const tls = bundle === undefined ? {} : { ca: readFileSync(bundle, "utf8") };
    return new EnvHttpProxyAgent({
        // Registries without TLS are this machine's own, which no proxy reaches.
        httpProxy: "",
        httpsProxy: withScheme(set("HTTPS_PROXY", "https_proxy") ?? ""),
        noProxy: [set("NO_PROXY", "no_proxy") ?? "", "localhost", "127.0.0.1", "::1"].join(","),
        connect: { ...tls, timeout },
        requestTls: tls,
        proxyTls: tls,
        headersTimeout: timeout,
        bodyTimeout: timeout,
    });
}

/** Where a registry answers: Docker Hub elsewhere than it is called, this machine's own perhaps without TLS, as buildx has it. */
function addressOf(registry: string): string {
    if (registry === "docker.io") return "https://registry-1.docker.io";
    return `${/^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(registry) ? "http" : "https"}://${registry}`;
}

/** A challenge of WWW-Authenticate (RFC 9110, 11.6.1): its scheme in lower case, and its parameters. */
function parseChallenge(header: string): {
    readonly scheme: string;
    readonly parameters: Readonly<Record<string, string>>;
} {
    const [, scheme = "", rest = ""] = /^\s*([^\s,]+)\s*(.*)$/.exec(header) ?? [];
    const found = [...rest.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)];
    const parameters = found.map(([, name = "", quoted, bare = ""]) => [
        name.toLowerCase(),
        quoted?.replace(/\\(.)/g, "$1") ?? bare,
    ]);
    return { scheme: scheme.toLowerCase(), parameters: Object.fromEntries(parameters) as Record<string, string> };
}

const basic = ({ username, password }: Login): string =>
    `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const isTimeout = (error: unknown): boolean => (error as Error).name === "TimeoutError";

/** The reason of a failed fetch stands in its cause. */
function reasonOf(error: unknown): string {
    const { message, cause } = error as Error;
    return cause instanceof Error && cause.message !== "" ? cause.message : message;
}

/**
 * A reader of blobs as Docker's own tools ask for them: distribution-spec's `GET /v2/<name>/blobs/<digest>` with tokens (distribution,
 * spec/auth/token), the user's Docker login, proxies and certificates.
 *
 * @param env environment: DOCKER_CONFIG, SSL_CERT_FILE, HTTPS_PROXY, NO_PROXY
 */
export function blobReader(env: NodeJS.ProcessEnv): BlobReader {
    let opened: Dispatcher | undefined;
    /** Made with the first question: what is wrong with certificates or proxies is why a registry can't be asked. */
    const connection = () => (opened ??= connections(env));
    const logins = new Map<string, Promise<Login | undefined>>();
    /** `Authorization` by repository, as soon as the registry wanted one. */
    const authorizations = new Map<string, Promise<string>>();

    const loginFor = (registry: string) => {
        const known = logins.get(registry) ?? dockerLogin(registry, env);
        logins.set(registry, known);
        return known;
    };

    async function tokenFor(realm: string, service: string | undefined, scope: string, login: Login | undefined) {
        const asked = { ...(service !== undefined && { service }), scope };
        const oauth = {
            grant_type: "refresh_token",
            client_id: "layered-images",
            refresh_token: login?.identityToken ?? "",
        };
        const isOauth = login !== undefined && login.identityToken !== "";
        const url = new URL(realm);
        if (!isOauth) for (const [name, value] of Object.entries(asked)) url.searchParams.append(name, value);
        const answer = await fetch(url, {
            dispatcher: connection(),
            signal: AbortSignal.timeout(timeout),
            ...(isOauth
                ? { method: "POST", body: new URLSearchParams({ ...asked, ...oauth }) }
                : { headers: login === undefined ? {} : { authorization: basic(login) } }),
        });
        if (!answer.ok) throw new Error(`failed to authorize: ${answer.status} ${answer.statusText}`);
        const { data } = tokenAnswer.safeParse(await answer.json());
        const token = data?.token ?? data?.access_token;
        if (token === undefined) throw new Error("failed to authorize: the answer has no token");
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

    async function get(url: string, authorization: string | undefined): Promise<Response> {
        return await fetch(url, {
            dispatcher: connection(),
            signal: AbortSignal.timeout(timeout),
            // The first byte: what answers a HEAD has not looked whether it can give the blob.
            headers: { range: "bytes=0-0", ...(authorization !== undefined && { authorization }) },
        });
    }

    async function ask(ref: string, digest: string): Promise<Response> {
        const { registry, repository } = parseReference(ref);
        const url = `${addressOf(registry)}/v2/${repository}/blobs/${digest}`;
        const used = authorizations.get(ref);
        const answer = await get(url, await used);
        if (answer.status !== 401) return answer;
        await answer.text();
        // A token that somebody else got meanwhile is as good; an old one has run out.
        const known = authorizations.get(ref);
        const fresh =
            known !== undefined && known !== used
                ? known
                : authorize(answer.headers.get("www-authenticate") ?? "", registry, repository);
        authorizations.set(ref, fresh);
        return await get(url, await fresh);
    }

    /** Undefined where an answer broke off: a network that did, too, would be taken for a registry that lost a blob. */
    async function attempt(ref: string, digest: string): Promise<BlobState | undefined> {
        const { registry } = parseReference(ref);
        const answer = await ask(ref, digest);
        const { status, statusText, redirected, body } = answer;
        if (status !== 200 && status !== 206) {
            await answer.text();
            // Where the registry sent us on to its storage, it says by that that it has it.
            if (status === 404) return redirected ? "remembered" : "lost";
            throw new RegistryError(registry, `it answered ${status} ${statusText} for a blob`);
        }
        try {
            // To its end, which keeps the connection; where a registry knows no ranges, that would be the whole blob.
            if (status === 206) return (await answer.arrayBuffer()).byteLength > 0 ? "there" : undefined;
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
        const { registry } = parseReference(ref);
        try {
            return (await attempt(ref, digest)) ?? (await attempt(ref, digest)) ?? "remembered";
        } catch (error) {
            if (error instanceof RegistryError) throw error;
            const hangs = isTimeout(error);
            throw new RegistryError(
                registry,
                hangs ? `no answer in ${timeout / 1000} seconds` : reasonOf(error),
                hangs,
            );
        }
    }

    return { look, close: async () => opened?.destroy() };
}
