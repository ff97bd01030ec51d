import { spawn } from "node:child_process";
import { mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ensurePrograms, searchPath } from "../lab/toolchain/packages";
import { capture } from "../lib/system/process";
import { unmountBelow } from "./lab";
import { eventually } from "./mocha";

/** A Docker of its own, from Debian's package: socket, images and containers are below its folder. */
export interface DockerDaemon {
    /** Variables with which Docker's client, and programs that run it, use this daemon. */
    readonly variables: { readonly DOCKER_HOST: string; readonly DOCKER_CONFIG: string };
    /** Ends it, with its containers. */
    readonly close: () => Promise<void>;
}

/**
 * Starts a Docker daemon that changes nothing outside of its folder: no bridge and no rules of a firewall, so its containers have the host's network or none.
 *
 * @param folder for everything of it; its path must be short, because a socket's may have no more than 107 bytes
 * @param buildx program that becomes Docker's plugin
 */
export async function startDocker(folder: string, buildx: string): Promise<DockerDaemon> {
    await ensurePrograms("the devcontainer's tests need", { dockerd: "docker.io" });
    const at = (name: string) => path.join(folder, name);
    mkdirSync(at("config/cli-plugins"), { recursive: true });
    symlinkSync(buildx, at("config/cli-plugins/docker-buildx"));
    writeFileSync(at("daemon.json"), "{}\n");
    const variables = { DOCKER_HOST: `unix://${at("docker.sock")}`, DOCKER_CONFIG: at("config") };
    const log = openSync(at("dockerd.log"), "a");
    const args = [
        ...["--host", variables.DOCKER_HOST, "--config-file", at("daemon.json"), "--pidfile", at("docker.pid")],
        ...["--data-root", at("data"), "--exec-root", at("exec"), "--storage-driver", "overlay2"],
        ...["--iptables=false", "--ip6tables=false", "--bridge=none"],
    ];
    const env = { ...process.env, PATH: searchPath().join(path.delimiter) };
    const child = spawn("dockerd", args, { env, stdio: ["ignore", log, log] });
    const ended = new Promise<void>((resolve) => {
        child.on("error", () => {
            resolve();
        });
        child.on("close", () => {
            resolve();
        });
    });
    const docker = (words: readonly string[]) => capture("docker", words, { env: { ...process.env, ...variables } });
    const close = async () => {
        const { stdout } = await docker(["ps", "--all", "--quiet"]);
        const containers = stdout.split("\n").filter(Boolean);
        if (containers.length > 0) await docker(["rm", "--force", ...containers]);
        child.kill("SIGTERM");
        await ended;
        unmountBelow(folder);
    };
    try {
        await eventually(async () => {
            const { failure, stderr } = await docker(["version"]);
            if (failure !== undefined) throw new Error(`${failure}: ${stderr}`);
        }, { timeout: 60_000, interval: 500 });
    } catch (error) {
        await close();
        throw error;
    }
    return { variables, close };
}
