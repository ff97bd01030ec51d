import { registryHost } from "./tls";

const proxies = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const exceptions = ["NO_PROXY", "no_proxy"] as const;

/** Host names of the lab's servers. Go's HTTP clients bypass a proxy by default only for `localhost` and 127.0.0.1. */
const labHosts = [registryHost, "localhost", "127.0.0.1"];

/**
 * Returns the environment variables that make clients of the lab's servers bypass the user's proxy: the user's exceptions and the lab's
 * hosts. Both spellings get the same value, because clients differ in which spelling they prefer.
 *
 * @returns no variables if no proxy is set
 */
export function proxyExceptions(env: NodeJS.ProcessEnv): Partial<Record<(typeof exceptions)[number], string>> {
    if (!proxies.some((name) => env[name])) return {};
    const userExceptions = exceptions.flatMap((name) => (env[name] ?? "").split(",")).map((host) => host.trim());
    // An asterisk disables the proxy for all hosts. curl recognizes it only if it is the whole value.
    const hosts = userExceptions.includes("*") ? ["*"] : [...new Set([...userExceptions, ...labHosts])].filter(Boolean);
    return Object.fromEntries(exceptions.map((name) => [name, hosts.join()]));
}

/** Returns a text that changes whenever the proxy settings of the lab's servers change; empty if no proxy is set. */
export function proxySettings(env: NodeJS.ProcessEnv): string {
    const { NO_PROXY: without } = proxyExceptions(env);
    return without === undefined ? "" : JSON.stringify([...proxies.map((name) => env[name] ?? ""), without]);
}
