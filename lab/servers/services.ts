import { X509Certificate, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import path from "node:path";
import { stringify } from "yaml";
import { CommandError } from "../../lib/errors";
import type { LabPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { mirroredRegistries } from "../frontends";
import { proxyExceptions, proxySettings } from "./proxies";
import type { Server } from "./server";
import { type Certificates, registryHost } from "./tls";

/**
 * Maximum size of BuildKit's store, and the disk space that it leaves free, both in GB. An image takes about three times its size:
 * unpacked, compressed, and compressed with rewritten timestamps.
 */
export const store = { cap: 25, free: 8 } as const;

/** Returns the registry server: Debian's docker-registry (from the distribution project), with TLS and with deletion enabled. */
export function registryServer(paths: LabPaths, port: number, certificates: Certificates): Server {
    const folder = path.join(paths.state, "registry");
    const config = {
        version: "0.1",
        log: { level: "warn", accesslog: { disabled: true } },
        storage: {
            filesystem: { rootdirectory: path.join(folder, "data") },
            delete: { enabled: true },
            // Without this cache, concurrent pushes of the same layer by two platforms fail occasionally: see docs/decisions.md.
            cache: { blobdescriptor: "inmemory" },
        },
        http: {
            addr: `127.0.0.1:${port.toString()}`,
            tls: { certificate: certificates.certificate, key: certificates.key },
        },
    };
    const file = path.join(folder, "config.yml");
    const ca = readFileSync(certificates.ca);
    return {
        name: "registry",
        command: "docker-registry",
        args: ["serve", file],
        config: { file, text: stringify(config) },
        dependsOn: new X509Certificate(readFileSync(certificates.certificate)).fingerprint256,
        check: async () => {
            await new Promise<void>((resolve, reject) => {
                const options = { host: "127.0.0.1", port, path: "/v2/", ca, servername: registryHost, timeout: 2000 };
                const probe = request({ ...options, agent: false }, (response) => {
                    response.resume();
                    if (response.statusCode === 200) resolve();
                    else reject(new Error(`the registry answered ${String(response.statusCode)}`));
                });
                probe.on("timeout", () => probe.destroy(new Error("no answer within 2 s"))).on("error", reject);
                probe.end();
            });
        },
    };
}

/** Maximum length in bytes of the path of a Unix socket (unix(7), sun_path). */
const longestSocket = 107;

/**
 * Returns the address of the lab's BuildKit.
 *
 * @throws CommandError if the path of the state folder is too long for a socket
 */
export function builderAddress(paths: LabPaths): string {
    const socket = path.join(paths.state, "buildkit", "buildkitd.sock");
    if (Buffer.byteLength(socket) <= longestSocket) return `unix://${socket}`;
    throw new CommandError(
        `${socket} is too long for a socket (${longestSocket.toString()} bytes at most). Move the lab's state to a shorter ` +
            "path: set XDG_STATE_HOME, or LAYERED_IMAGES_HOME for cache and state.",
    );
}

/**
 * Returns the BuildKit server. Build steps share the machine's network, so that they reach package indexes as the machine does. The lab's
 * registry is a mirror of ghcr.io and Docker Hub, so that plain Dockerfiles find the lab's images. All sockets are in the lab's state
 * folder, because two instances that start at the same time would conflict at BuildKit's default path.
 *
 * @param registry host and port of the lab's registry
 * @param binaries folder of BuildKit's binaries; undefined to use PATH
 * @param platforms platforms that this machine can run, separated by commas
 */
export function buildkitServer(
    paths: LabPaths,
    registry: string,
    certificates: Certificates,
    binaries: string | undefined,
    platforms: string,
): Server {
    const folder = path.join(paths.state, "buildkit");
    const at = (name: string) => path.join(binaries ?? "", name);
    const quote = JSON.stringify;
    const text = `root = ${quote(path.join(folder, "root"))}

[grpc]
  address = [${quote(builderAddress(paths))}]

[otel]
  socketPath = ${quote(path.join(folder, "otel-grpc.sock"))}

[worker.oci]
  enabled = true
  networkMode = "host"
  gc = true
  maxUsedSpace = "${store.cap.toString()}GB"
  minFreeSpace = "${store.free.toString()}GB"

[worker.containerd]
  enabled = false

[registry.${quote(registry)}]
  ca = [${quote(certificates.ca)}]

${mirroredRegistries.map((mirrored) => `[registry.${quote(mirrored)}]\n  mirrors = [${quote(registry)}]\n`).join("\n")}`;
    const file = path.join(folder, "buildkitd.toml");
    const bundle = createHash("sha256").update(readFileSync(certificates.bundle)).digest("hex");
    return {
        name: "buildkitd",
        command: at("buildkitd"),
        args: ["--config", file],
        env: { ...process.env, ...proxyExceptions(process.env), SSL_CERT_FILE: certificates.bundle },
        config: { file, text },
        temporary: path.join(folder, "tmp"),
        // BuildKit reads certificates and proxies only when it starts.
        dependsOn: `${platforms} ${bundle}${proxySettings(process.env)}`,
        check: async () => {
            await run(at("buildctl"), ["--addr", builderAddress(paths), "--timeout", "2", "debug", "workers"]);
        },
    };
}
