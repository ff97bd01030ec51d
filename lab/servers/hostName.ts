import { resolve4 } from "node:dns/promises";
import { appendFileSync, readFileSync } from "node:fs";
import { CommandError } from "../../lib/errors";
import { registryHost } from "./tls";

/**
 * Adds `registry.localhost` to /etc/hosts unless it resolves already. Programs that don't use glibc's resolver find the name only in that
 * file or by DNS.
 *
 * @param file the hosts file
 * @param resolve resolves a name to IPv4 addresses by DNS
 * @throws CommandError with the command to run if the name does not resolve and the file can't be written
 */
export async function ensureHostName(
    file = "/etc/hosts",
    resolve: (name: string) => Promise<readonly string[]> = resolve4,
): Promise<void> {
    const hosts = readFileSync(file, "utf8");
    if (hosts.split("\n").some((line) => line.startsWith("127.") && line.split(/\s+/).includes(registryHost))) return;
    const addresses = await resolve(registryHost).catch(() => []);
    if (addresses.some((address) => address.startsWith("127."))) return;
    const line = `127.0.0.1 ${registryHost}`;
    try {
        appendFileSync(file, `${hosts.endsWith("\n") || hosts === "" ? "" : "\n"}${line}\n`);
    } catch {
        throw new CommandError(
            `${registryHost} does not resolve to this machine and ${file} can't be written. Run this once:\n` +
                `    echo '${line}' | sudo tee --append ${file}`,
        );
    }
}
