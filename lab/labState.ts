import { existsSync } from "node:fs";
import { runningUpdates } from "../lib/engine/locks";
import { CommandError } from "../lib/errors";
import { type Instance, readInstance } from "../lib/system/instance";
import { withLock } from "../lib/system/lock";
import { type LabPaths, backendFolder, instancePath, labPaths, lockPath, serversFolder } from "../lib/system/paths";
import { runningProcess, startedServers } from "../lib/system/pidFiles";
import { run } from "../lib/system/process";
import type { LabEnvironment } from "./environment";
import { githubServer } from "./github/service";
import { blobBytes } from "./servers/registryData";
import {
    type Server,
    type ServerProcess,
    type ServerStatus,
    recoverPidFile,
    serverStatus,
    startServer,
    stopServer,
} from "./servers/server";
import { buildkitServer, configFiles, registryServer } from "./servers/services";
import { type Certificates, ensureCertificates } from "./servers/tls";
import { type Toolchain, findToolchain } from "./toolchain/build";
import { pulumiHome } from "./toolchain/pulumiHome";
import { typed } from "../lib/system/commandLine";

/** Returns the servers of an instance, in start order. */
export async function labServers(
    paths: LabPaths,
    instance: Pick<Instance, "registry" | "port" | "githubPort">,
    certificates: Certificates,
    toolchain: Toolchain,
    platforms: readonly string[],
): Promise<Server[]> {
    const { registry, port, githubPort } = instance;
    return [
        registryServer(paths, port, certificates),
        buildkitServer(paths, registry, certificates, toolchain.buildkit, platforms.join()),
        ...(githubPort === undefined ? [] : [await githubServer(paths, githubPort)]),
    ];
}

/** Writes the pid files of running servers again that were lost. */
function recoverPidFiles(paths: LabPaths): void {
    const { registry, buildkitd, github } = configFiles(paths);
    const processes: readonly ServerProcess[] = [
        { name: "registry", command: "docker-registry", config: { file: registry } },
        { name: "buildkitd", command: "buildkitd", config: { file: buildkitd } },
        { name: "github", command: process.execPath, config: { file: github } },
    ];
    for (const one of processes) recoverPidFile(serversFolder(paths), one);
}

/** Returns the status of the lab's servers by name, without starting anything. */
export async function labStatus(paths: LabPaths = labPaths()): Promise<Record<string, ServerStatus>> {
    const statuses: Record<string, ServerStatus> = Object.fromEntries(
        ["registry", "buildkitd", "github"].map((name) => [name, { state: "stopped" }]),
    );
    const instance = readInstance(instancePath(paths));
    recoverPidFiles(paths);
    const started = startedServers(serversFolder(paths));
    if (!instance) {
        const reason = `the lab's first start did not finish: ${typed("lab", "start")}`;
        for (const name of started) {
            const pid = runningProcess(serversFolder(paths), name)?.pid;
            if (pid !== undefined) statuses[name] = { state: "unhealthy", pid, reason };
        }
    }
    if (!instance || started.length === 0) return statuses;
    const certificates = await ensureCertificates(paths.state);
    const toolchain = await findToolchain(paths.cache);
    for (const server of await labServers(paths, instance, certificates, toolchain, [])) {
        statuses[server.name] = await serverStatus(serversFolder(paths), server);
    }
    return statuses;
}

/**
 * Stops the servers that `startLab` started. Data, logs, toolchain and state stay. Waits a limited time for a start that is in progress, so
 * that it also works if the start hangs.
 *
 * @param patience maximum time in seconds to wait for a start
 * @returns the names of the servers that were running
 */
export async function stopLab(paths: LabPaths = labPaths(), patience = 5): Promise<string[]> {
    if (!existsSync(paths.state)) return [];
    const stop = async () => {
        recoverPidFiles(paths);
        const stopped: string[] = [];
        for (const name of startedServers(serversFolder(paths))) {
            if (await stopServer(serversFolder(paths), name)) stopped.push(name);
        }
        return stopped;
    };
    return await withLock(lockPath(paths), stop, patience);
}

/**
 * Stops the lab's registry, because a running registry keeps lost blobs in its in-memory cache. The next start of the lab starts it again.
 * Does nothing while an update is running.
 *
 * @returns whether the registry is stopped
 */
export const stopRegistry = (paths: LabPaths): Promise<boolean> =>
    withLock(lockPath(paths), async () => {
        if (runningUpdates(backendFolder(paths)).length > 0) return false;
        await stopServer(serversFolder(paths), "registry");
        return true;
    });

/**
 * Removes the blobs of the lab's registry that no manifest names any more. The registry is stopped meanwhile: it must not take a push whose
 * blobs are removed before their manifest arrives, and it would go on reporting removed blobs as present. Does nothing while an update is
 * running.
 *
 * @returns the bytes that it freed; undefined if an update is running, or the lab was never started
 * @throws CommandError if the registry can't clean up, or does not start again
 */
export async function collectBlobs(paths: LabPaths = labPaths()): Promise<number | undefined> {
    const instance = readInstance(instancePath(paths));
    if (!instance) return undefined;
    return await withLock(lockPath(paths), async () => {
        if (runningUpdates(backendFolder(paths)).length > 0) return undefined;
        const server = registryServer(paths, instance.port, await ensureCertificates(paths.state));
        const before = blobBytes(paths);
        await stopServer(serversFolder(paths), server.name);
        try {
            await run(server.command, ["garbage-collect", server.config.file]);
        } finally {
            await startServer(serversFolder(paths), server);
        }
        return before - blobBytes(paths);
    });
}

/**
 * Describes an existing lab, without starting it.
 *
 * @throws CommandError if the lab was never started, or if its toolchain is not built
 */
export async function describeLab(paths: LabPaths = labPaths()): Promise<LabEnvironment> {
    const instance = readInstance(instancePath(paths));
    if (!instance) throw new CommandError(`the lab was never started: run \`${typed("lab", "start")}\`.`);
    const certificates = await ensureCertificates(paths.state);
    const toolchain = await findToolchain(paths.cache);
    const home = pulumiHome(paths.cache, toolchain, process.env);
    const { githubPort } = instance;
    return { paths, certificates, toolchain, home, instanceFile: instancePath(paths), githubPort };
}
