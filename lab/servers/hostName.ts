import { resolve4 } from "node:dns/promises";
import { appendFileSync, readFileSync } from "node:fs";
import { CommandError } from "../../lib/errors";
import { registryHost } from "./tls";

/**
 * Programs that don't ask glibc find `registry.localhost` in /etc/hosts or by DNS only.
 *
 * @param file that says hosts' addresses
 * @param ask asks DNS
 * @throws CommandError with the command to run where the name is not known and the file can't be written
 */
export async function ensureHostName(
    file = "/etc/hosts",
    ask: (name: string) => Promise<readonly string[]> = resolve4,
): Promise<void> {
    const hosts = readFileSync(file, "utf8");
    if (hosts.split("\n").some((line) => line.startsWith("127.") && line.split(/\s+/).includes(registryHost))) return;
    const addresses = await ask(registryHost).catch(() => []);
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
