import { registryHost } from "./tls";

const proxies = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const exceptions = ["NO_PROXY", "no_proxy"] as const;

/** What the lab serves by. Go's clients know by themselves only that `localhost` and 127.0.0.1 need no proxy. */
const own = [registryHost, "localhost", "127.0.0.1"];

/**
 * The variables that lead the clients of the lab's servers around the user's proxy: the user's own exceptions and the lab's.
 * Both spellings get the same, because some clients prefer the one, some the other.
 *
 * @returns none where no proxy is set
 */
export function proxyExceptions(env: NodeJS.ProcessEnv): Partial<Record<(typeof exceptions)[number], string>> {
    if (!proxies.some((name) => env[name])) return {};
    const said = exceptions.flatMap((name) => (env[name] ?? "").split(",")).map((one) => one.trim());
    // An asterisk alone means no proxy at all; curl does not know it beside others.
    const all = said.includes("*") ? ["*"] : [...new Set([...said, ...own])].filter(Boolean);
    return Object.fromEntries(exceptions.map((name) => [name, all.join()]));
}

/** What a program of the lab's makes of the user's proxies, as text that changes with it; empty where no proxy is set. */
export function proxySettings(env: NodeJS.ProcessEnv): string {
    const { NO_PROXY: without } = proxyExceptions(env);
    return without === undefined ? "" : JSON.stringify([...proxies.map((name) => env[name] ?? ""), without]);
}
