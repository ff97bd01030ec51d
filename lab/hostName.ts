import { appendFileSync, readFileSync } from "node:fs";
import { resolve4 } from "node:dns/promises";
import { LabError } from "./process";
import { registryHost } from "./tls";

/** Programs that don't ask glibc find `registry.localhost` in /etc/hosts or by DNS only. */
export async function ensureHostName(): Promise<void> {
    const hosts = readFileSync("/etc/hosts", "utf8");
    if (hosts.split("\n").some((line) => line.startsWith("127.") && line.split(/\s+/).includes(registryHost))) return;
    const addresses = await resolve4(registryHost).catch(() => []);
    if (addresses.some((address) => address.startsWith("127."))) return;
    const line = `127.0.0.1 ${registryHost}`;
    try {
        appendFileSync("/etc/hosts", `${hosts.endsWith("\n") || hosts === "" ? "" : "\n"}${line}\n`);
    } catch {
        throw new LabError(
            `${registryHost} does not resolve to this machine and /etc/hosts can't be written. Run this once:\n` +
                `    echo '${line}' | sudo tee --append /etc/hosts`,
        );
    }
}
