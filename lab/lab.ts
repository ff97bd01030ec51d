import { existsSync, mkdirSync, readFileSync, readdirSync, appendFileSync } from "node:fs";
import { resolve4 } from "node:dns/promises";
import path from "node:path";
import { enableEmulation } from "./emulation";
import { type LabEnvironment, labEnvironment, stackExists, stackName } from "./environment";
import { githubServer } from "./github/service";
import { type Instance, readInstance, writeInstance } from "./instance";
import { checkDisk, ensurePackages, requireRoot } from "./packages";
import { type LabPaths, labPaths, repositoryRoot } from "./paths";
import { LabError, run, withLock } from "./process";
import { progress } from "./progress";
import { type Server, type ServerStatus, serverStatus, startedServers, startServer, stopServer } from "./servers";
import { builderAddress, buildkitServer, choosePort, registryServer } from "./services";
import { ensureStandIn, standInRoot } from "./standIn";
import { type Certificates, ensureCertificates, registryHost } from "./tls";
import { type Toolchain, ensureToolchain, pulumiHome } from "./toolchain";

/** A lab that is set up: its places, its instance and the environment in which its commands run. */
export interface Lab {
    readonly paths: LabPaths;
    readonly instance: Instance;
    readonly env: NodeJS.ProcessEnv;
}

export interface StartOptions {
    readonly paths?: LabPaths;
    /** Platforms to build from now on; unset keeps what the instance has ("host" at first). */
    readonly platforms?: Instance["platforms"];
    /** First port to try for a new instance's registry. */
    readonly port?: number;
}

const builderName = "layered-images";

/** First port to try for the GitHub stand-in, counted from the registry's: what runs side by side stays apart. */
const githubDistance = 300;

const instancePath = (paths: LabPaths) => path.join(paths.state, "instance.json");
const serversFolder = (paths: LabPaths) => path.join(paths.state, "servers");

/** Programs that don't ask glibc find `registry.localhost` in /etc/hosts or by DNS only. */
async function ensureHostName(): Promise<void> {
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

async function servers(
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

/** A buildx builder that names the lab's BuildKit: what docker-build and `docker buildx` find by BUILDX_CONFIG. */
async function ensureBuilder(paths: LabPaths, env: NodeJS.ProcessEnv): Promise<void> {
    if (existsSync(path.join(paths.state, "buildx", "instances", builderName))) return;
    const create = ["create", "--name", builderName, "--driver", "remote", "--use", builderAddress(paths)];
    await run("buildx", create, { env });
}

/** Publishes the stand-ins and returns the roots they stand for, pinned by digest. */
async function publishStandIn(
    folder: string,
    registry: string,
    platforms: readonly string[],
    env: NodeJS.ProcessEnv,
    state: string,
): Promise<Record<string, string>> {
    const repository = `${registry}/library/${standInRoot.split(":")[0] ?? ""}`;
    const metadata = path.join(state, "stand-in.json");
    const output = "type=image,push=true,oci-mediatypes=true,rewrite-timestamp=true,compression=zstd";
    const options = ["--platform", platforms.join(), "--provenance=false", "--metadata-file", metadata];
    const args = [
        "build",
        ...options,
        "--output",
        `${output},name=${repository}:${standInRoot.split(":")[1] ?? ""}`,
        folder,
    ];
    await run("buildx", args, { env: { ...env, SOURCE_DATE_EPOCH: "0" }, log: path.join(state, "stand-in.log") });
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    if (!digest) throw new LabError(`the builder reported no digest for ${repository}: see ${metadata}`);
    return { [standInRoot]: `${repository}@${digest}` };
}

async function ensureStack(paths: LabPaths, env: NodeJS.ProcessEnv): Promise<void> {
    if (stackExists(paths)) return;
    mkdirSync(path.join(paths.state, "pulumi"), { recursive: true });
    await run("pulumi", ["stack", "init", stackName, "--non-interactive", "--no-select"], { cwd: repositoryRoot, env });
}

/**
 * Brings the lab up, whatever is missing: packages, toolchain, certificates, servers, stand-ins, builder, stack. What is
 * there already costs a look, so starting twice is harmless and a dead server is started again.
 */
export async function startLab(options: StartOptions = {}): Promise<Lab> {
    const paths = options.paths ?? labPaths();
    mkdirSync(paths.cache, { recursive: true });
    mkdirSync(paths.state, { recursive: true });
    await ensurePackages();
    requireRoot();
    const isNew = (folder: string) => !existsSync(path.join(paths.cache, folder));
    checkDisk(paths.cache, {
        ...(isNew("toolchain") && { "building the toolchain": 8 }),
        ...(isNew("stand-in") && { "the stand-in for the root image": 2 }),
    });
    const toolchain = await ensureToolchain(paths.cache);
    await ensureHostName();
    const emulation = await enableEmulation();
    for (const { platform, reason } of emulation.missing) {
        console.error(`note: ${platform} can't be built on this machine: ${reason}`);
    }
    return await withLock(path.join(paths.state, "lock"), async () => {
        const certificates = await ensureCertificates(paths.state);
        const known = readInstance(instancePath(paths));
        const port = known?.port ?? (await choosePort(options.port));
        const registry = `${registryHost}:${port.toString()}`;
        const githubPort = known?.githubPort ?? (await choosePort(port + githubDistance));
        const ports = { registry, port, githubPort };
        for (const server of await servers(paths, ports, certificates, toolchain, emulation.platforms)) {
            const started = await startServer(serversFolder(paths), server);
            if (started) console.error(`started ${server.name}`);
        }
        const home = pulumiHome(paths.cache, toolchain, process.env);
        const env = labEnvironment({
            paths,
            certificates,
            toolchain,
            home,
            instanceFile: instancePath(paths),
            githubPort,
        });
        await ensureBuilder(paths, env);
        const platforms = options.platforms ?? known?.platforms ?? "host";
        if (platforms === "all" && emulation.missing.length > 0) {
            throw new LabError(
                `not every platform can be built: ${emulation.missing.map((one) => one.platform).join(", ")}.`,
            );
        }
        const context = await ensureStandIn(paths.cache, emulation.platforms);
        const standIn = path.basename(context);
        const roots =
            known?.standIn === standIn
                ? known.roots
                : await progress(`publishing the stand-in for ${standInRoot}`, () =>
                      publishStandIn(context, registry, emulation.platforms, env, paths.state),
                  );
        const instance: Instance = { ...ports, platforms, roots, standIn };
        if (JSON.stringify(instance) !== JSON.stringify(known)) writeInstance(instancePath(paths), instance);
        await ensureStack(paths, env);
        return { paths, instance, env };
    });
}

/** The lab's servers as they are, without starting anything. */
export async function labStatus(paths: LabPaths = labPaths()): Promise<Record<string, ServerStatus>> {
    const statuses: Record<string, ServerStatus> = Object.fromEntries(
        ["registry", "buildkitd", "github"].map((name) => [name, { state: "stopped" }]),
    );
    const instance = readInstance(instancePath(paths));
    if (!instance || startedServers(serversFolder(paths)).length === 0) return statuses;
    const certificates = await ensureCertificates(paths.state);
    const toolchain = await ensureToolchain(paths.cache);
    for (const server of await servers(paths, instance, certificates, toolchain, [])) {
        statuses[server.name] = await serverStatus(serversFolder(paths), server);
    }
    return statuses;
}

/** Stops what `startLab` started; returns the names of the servers that ran. Data, logs, toolchain and state stay. */
export async function stopLab(paths: LabPaths = labPaths()): Promise<string[]> {
    const stopped: string[] = [];
    for (const name of startedServers(serversFolder(paths))) {
        if (await stopServer(serversFolder(paths), name)) stopped.push(name);
    }
    return stopped;
}

/** What the environment of a lab that was started before is made from. */
export async function describeLab(paths: LabPaths = labPaths()): Promise<LabEnvironment> {
    const instance = readInstance(instancePath(paths));
    if (!instance) throw new LabError("the lab was never started: run `npm run lab -- start`.");
    const certificates = await ensureCertificates(paths.state);
    const toolchain = await ensureToolchain(paths.cache);
    const home = pulumiHome(paths.cache, toolchain, process.env);
    const { githubPort } = instance;
    return { paths, certificates, toolchain, home, instanceFile: instancePath(paths), githubPort };
}

/** Whether some image was ever built in this lab; the first build needs the most room. */
export function hasImages(paths: LabPaths): boolean {
    const repositories = path.join(paths.state, "registry/data/docker/registry/v2/repositories");
    return existsSync(repositories) && readdirSync(repositories).some((name) => name !== "library");
}
