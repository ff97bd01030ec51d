import { X509Certificate, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import path from "node:path";
import { stringify } from "yaml";
import { CommandError } from "../../lib/errors";
import { typed } from "../../lib/system/commandLine";
import type { LabPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { quote } from "../../lib/system/shell";
import { mirroredRegistries } from "../frontends";
import { proxyExceptions, proxySettings } from "./proxies";
import type { Server } from "./server";
import { type Certificates, registryHost } from "./tls";

/**
 * Maximum size of BuildKit's store, and the disk space that it leaves free, both in GB. An image takes about three times its size:
 * unpacked, compressed, and compressed with rewritten timestamps.
 */
export const store = { cap: 25, free: 8 } as const;

/** Returns the configuration files of the lab's servers, by name of the server. */
export const configFiles = ({ state }: Pick<LabPaths, "state">) =>
    ({
        registry: path.join(state, "registry", "config.yml"),
        buildkitd: path.join(state, "buildkit", "buildkitd.toml"),
        github: path.join(state, "github", "config.json"),
    }) as const;

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
    const { registry: file } = configFiles(paths);
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

/** What BuildKit logs of a database that a crash of the machine cut or filled with zeros: a panic in bbolt, or bbolt's error. */
const damagedStore = /\bbbolt|boltutil|invalid database|version mismatch|checksum error/;

/**
 * Returns the next step if BuildKit did not start because its store is damaged; undefined if that is not the reason.
 *
 * @param log what it logged
 * @param root folder of its store
 */
export const storeAdvice = (log: string, root: string): string | undefined =>
    damagedStore.test(log)
        ? `BuildKit's store is damaged, as after a crash of the machine. Remove it: rm -r ${quote(root)}, then ${typed("lab", "start")}. ` +
          "It only holds what earlier builds left: published images and the state stay, and the next build of an image repeats all its steps"
        : undefined;

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
    const { buildkitd: file } = configFiles(paths);
    const bundle = createHash("sha256").update(readFileSync(certificates.bundle)).digest("hex");
    return {
        name: "buildkitd",
        command: at("buildkitd"),
        args: ["--config", file],
        env: { ...process.env, ...proxyExceptions(process.env), SSL_CERT_FILE: certificates.bundle },
        config: { file, text },
        temporary: path.join(folder, "tmp"),
        advice: (log) => storeAdvice(log, path.join(folder, "root")),
        // BuildKit reads certificates and proxies only when it starts.
        dependsOn: `${platforms} ${bundle}${proxySettings(process.env)}`,
        check: async () => {
            await run(at("buildctl"), ["--addr", builderAddress(paths), "--timeout", "2", "debug", "workers"]);
        },
    };
}
