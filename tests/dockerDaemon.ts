import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
    copyFileSync,
    mkdirSync,
    mkdtempSync,
    openSync,
    readFileSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ensureBuilt } from "../lab/toolchain/build";
import { ensurePrograms, searchPath } from "../lab/toolchain/packages";
import { tools } from "../lab/toolchain/tools";
import { labPaths } from "../lib/system/paths";
import { capture, run } from "../lib/system/process";
import { unmountBelow } from "./lab";
import { eventually } from "./mocha";
import { writeTree } from "./writeTree";

/** A Docker of its own, from Debian's package: its socket, images and containers are in a temporary folder. */
export interface DockerDaemon {
    /** Variables with which Docker's client, and programs that run it, use this daemon. */
    readonly variables: { readonly DOCKER_HOST: string; readonly DOCKER_CONFIG: string; readonly TMPDIR: string };
    /** Ends it, with its containers, and removes its data. */
    readonly close: () => Promise<void>;
}

/**
 * The frontend that the Dev Containers CLI names for features where Docker is older than 23 (`# syntax=docker/dockerfile:1.4`), which comes
 * from Docker Hub. This one is built from BuildKit's source, so the tests need no Docker Hub.
 */
async function loadFrontend(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
    const name = "dockerfile-frontend";
    const packages = [`github.com/moby/buildkit/frontend/dockerfile/cmd/${name}`];
    const built = await ensureBuilt(labPaths().cache, { ...tools.buildkit, packages });
    // Without `contexts` the client refuses to send named contexts.
    const caps = ["inputs", "subrequests", "contexts"].map((cap) => `moby.buildkit.frontend.${cap}`).join(",");
    const labels = `moby.buildkit.frontend.network.none=true moby.buildkit.frontend.caps=${caps}`;
    writeTree(folder, { Dockerfile: `FROM scratch\nLABEL ${labels}\nCOPY ${name} /\nENTRYPOINT ["/${name}"]\n` });
    copyFileSync(path.join(built, name), path.join(folder, name));
    await run("docker", ["build", "--quiet", "--tag", "docker/dockerfile:1.4", folder], { env });
}

/** Ends a daemon that was started, and waits for its end. */
async function end(daemon: ChildProcess): Promise<void> {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, "exit");
    daemon.kill("SIGTERM");
    await ended;
}

/**
 * Starts a Docker daemon that changes nothing outside of its folder: no bridge and no rules of a firewall, so its containers have the host's
 * network or none. Installs Debian's package if it is missing.
 *
 * @param buildx program that becomes Docker's plugin
 */
export async function startDocker(buildx: string): Promise<DockerDaemon> {
    await ensurePrograms("the devcontainer's tests need", { dockerd: "docker.io", docker: "docker.io" });
    // A short name: the path of a socket may have no more than 107 bytes.
    const folder = mkdtempSync(path.join(tmpdir(), "docker-"));
    const at = (name: string) => path.join(folder, name);
    for (const name of ["config/cli-plugins", "tmp"]) mkdirSync(at(name), { recursive: true });
    symlinkSync(buildx, at("config/cli-plugins/docker-buildx"));
    writeFileSync(at("daemon.json"), "{}\n");
    const variables = { DOCKER_HOST: `unix://${at("docker.sock")}`, DOCKER_CONFIG: at("config"), TMPDIR: at("tmp") };
    const env = { ...process.env, ...variables, PATH: searchPath().join(path.delimiter) };
    const log = openSync(at("dockerd.log"), "a");
    const places = ["--pidfile", at("docker.pid"), "--data-root", at("data"), "--exec-root", at("exec")];
    const separate = ["--storage-driver", "overlay2", "--iptables=false", "--ip6tables=false", "--bridge=none"];
    const daemon = spawn(
        "dockerd",
        ["--host", variables.DOCKER_HOST, "--config-file", at("daemon.json"), ...places, ...separate],
        { env, stdio: ["ignore", log, log] },
    );
    const docker = (...words: string[]) => capture("docker", words, { env });
    const close = async () => {
        const { stdout } = await docker("ps", "--all", "--quiet");
        const containers = stdout.split("\n").filter(Boolean);
        if (containers.length > 0) await docker("rm", "--force", ...containers);
        await end(daemon);
        unmountBelow(folder);
        rmSync(folder, { recursive: true, force: true });
    };
    try {
        await eventually(
            async () => {
                const { failure, stderr } = await docker("version");
                if (failure !== undefined) throw new Error(`${stderr}\n${readFileSync(at("dockerd.log"), "utf8")}`);
            },
            { timeout: 60_000, interval: 500 },
        );
        await loadFrontend(at("frontend"), env);
    } catch (error) {
        await close();
        throw error;
    }
    return { variables, close };
}
