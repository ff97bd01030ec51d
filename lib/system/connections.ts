import { existsSync, readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Dispatcher } from "undici";

/** Time limit of a response, in milliseconds, for servers that do not respond. */
export const longestResponse = 20_000;

/**
 * Certificate bundles that Go programs such as buildx trust if SSL_CERT_FILE is not set (crypto/x509, root_linux.go).
 */
const bundles = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/** Completes a proxy's address: without a scheme it is HTTP, as in Go programs (net/http/httpproxy). */
const withScheme = (proxy: string): string => (proxy === "" || proxy.includes("://") ? proxy : `http://${proxy}`);

/** Time limits in milliseconds. */
export interface Limits {
    /** For a connection. */
    readonly connect: number;
    /** For a response to begin, and between two pieces of it. */
    readonly silence: number;
}

/** Where requests go, and which certificates are trusted. */
interface Settings {
    readonly proxy: string;
    readonly exceptions: string;
    /** Files of trusted certificates; Node.js's own if there is none. */
    readonly certificates: readonly string[];
}

function settingsOf(env: NodeJS.ProcessEnv): Settings {
    // Go programs treat an empty variable as unset.
    const set = (...names: string[]) =>
        names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
    const bundle = set("SSL_CERT_FILE") ?? bundles.find((file) => existsSync(file));
    // A list of certificates replaces Node.js's own, and the variable that adds to them would have no effect.
    const extra = bundle === undefined ? undefined : set("NODE_EXTRA_CA_CERTS");
    return {
        proxy: withScheme(set("HTTPS_PROXY", "https_proxy") ?? ""),
        exceptions: [set("NO_PROXY", "no_proxy") ?? "", "localhost", "127.0.0.1", "::1"].join(","),
        certificates: [bundle, extra].filter((file) => file !== undefined),
    };
}

async function open(
    { proxy, exceptions, certificates }: Settings,
    { connect, silence }: Limits = { connect: longestResponse, silence: longestResponse },
): Promise<Dispatcher> {
    // Loaded here, because most commands send no request.
    const { EnvHttpProxyAgent } = await import("undici");
    // One context for all connections: with `ca`, each would read the hundred and more certificates of a system again.
    const ca = certificates.map((file) => readFileSync(file, "utf8"));
    const tls = ca.length > 0 ? { secureContext: createSecureContext({ ca }) } : {};
    return new EnvHttpProxyAgent({
        // Only servers on this machine lack TLS, and a proxy can't reach them.
        httpProxy: "",
        httpsProxy: proxy,
        noProxy: exceptions,
        connect: { ...tls, timeout: connect },
        requestTls: tls,
        proxyTls: tls,
        headersTimeout: silence,
        bodyTimeout: silence,
    });
}

/**
 * Returns connections with the same proxies and certificates as Go programs (the engine, its providers, buildx) have. The caller closes them.
 *
 * @param env environment: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS
 * @param limits time limits; 20 s each by default
 * @throws Error for a file of certificates that can't be read, and for a proxy that is none
 */
export const connections = (env: NodeJS.ProcessEnv, limits?: Limits): Promise<Dispatcher> =>
    open(settingsOf(env), limits);

/** Connections that requests of this process share, by their settings. They don't keep the process alive. */
const shared = new Map<string, Promise<Dispatcher>>();

/** What undici's responses and those of Node.js, which contains a version of it, have in common. */
type NetworkResponse = Pick<Response, "ok" | "status" | "statusText" | "headers" | "text">;

/** Sends requests by such connections. It is an object, so that tests can replace its function. */
export const network = {
    /** Sends a request as `fetch` does, with the proxies and certificates of this process's environment. */
    fetch: async (url: URL, init: RequestInit): Promise<NetworkResponse> => {
        const settings = settingsOf(process.env);
        const key = JSON.stringify(settings);
        const dispatcher = shared.get(key) ?? open(settings);
        shared.set(key, dispatcher);
        const { fetch } = await import("undici");
        return await fetch(url, { ...(init as object), dispatcher: await dispatcher });
    },
};
