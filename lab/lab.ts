import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { configFileOf, openConfigFile, settingIn } from "../lib/engine/configFile";
import { runningUpdates } from "../lib/engine/locks";
import { labStack, projectName, stackFile } from "../lib/engine/stacks";
import { CommandError } from "../lib/errors";
import { hostPlatform } from "../lib/platform";
import { buildArgsWithoutSchema } from "../lib/hierarchy/settings";
import { type Instance, readInstance, writeInstance } from "../lib/system/instance";
import { withLock } from "../lib/system/lock";
import {
    type LabPaths,
    backendFolder,
    instancePath,
    labPaths,
    lockPath,
    repositoryRoot,
    serversFolder,
} from "../lib/system/paths";
import { run } from "../lib/system/process";
import { readHistory } from "../lib/update/history";
import { ensureBuilder } from "./builder";
import { checkDisk, diskWarning, imagesNeed, labNeeds } from "./disk";
import { labEnvironment } from "./environment";
import { labServers } from "./labState";
import { enableEmulation } from "./root/emulation";
import { ensureRoot, prepareRoot } from "./root/root";
import { ensureHostName } from "./servers/hostName";
import { choosePort } from "./servers/ports";
import { startServer } from "./servers/server";
import { ensureCertificates, registryHost } from "./servers/tls";
import { ensureToolchain } from "./toolchain/build";
import { type LabParts, allParts, ensurePackages, requireRoot } from "./toolchain/packages";
import { answers } from "./toolchain/releases";
import { pulumiHome } from "./toolchain/pulumiHome";
import { typed } from "../lib/system/commandLine";

/** A running lab: its paths, its instance, and the environment for its commands. */
export interface Lab {
    readonly paths: LabPaths;
    readonly instance: Instance;
    readonly env: NodeJS.ProcessEnv;
}

export interface StartOptions {
    readonly paths?: LabPaths;
    /** Platforms to build from now on; by default the platforms of the instance, initially "host". */
    readonly platforms?: Instance["platforms"];
    /** Creates the root's stand-in again. If its digest changes, every image is rebuilt. */
    readonly renewRoot?: boolean;
    /** Whether images will be built, which may fill the disk. */
    readonly builds?: boolean;
    /** Required free disk space in GB for the lab's state, instead of a warning by estimates. */
    readonly minFree?: number;
    /** The parts of the lab that the images need; every part by default. */
    readonly parts?: LabParts;
    /** Makes the stand-in for the root even if the root itself can be pulled: tests must not depend on what is on Docker Hub. */
    readonly standIn?: boolean;
    /** First port to try for a new instance's registry. */
    readonly port?: number;
}

/**
 * Distance from the registry's port to the first port to try for the GitHub stand-in. It keeps the ports of labs that run at the same time
 * apart.
 */
export const githubDistance = 300;

async function ensureStack(repository: string, paths: LabPaths, env: NodeJS.ProcessEnv): Promise<void> {
    const backend = backendFolder(paths);
    if (existsSync(stackFile(backend, labStack, repository))) return;
    mkdirSync(backend, { recursive: true });
    await run("pulumi", ["stack", "init", labStack, "--non-interactive", "--no-select"], {
        cwd: repository,
        env,
    });
}

/** Returns the addresses on which build arguments of the lab's stack depend (`buildArgsWithout`). */
function addressesIn(repository: string): string[] {
    if (!existsSync(path.join(repository, configFileOf(labStack)))) return [];
    const { data } = buildArgsWithoutSchema.safeParse(
        settingIn(openConfigFile(repository, labStack, projectName(repository)), "buildArgsWithout") ?? {},
    );
    // The program refuses what is wrong.
    return Object.keys(data ?? {});
}

/**
 * Asks the addresses that were not asked yet. A lab of a version that did not ask keeps the build arguments that it built with.
 *
 * @param known the instance; undefined for a new lab
 */
async function askAddresses(
    addresses: readonly string[],
    known: Instance | undefined,
): Promise<Record<string, boolean>> {
    const wasAsked = !known || known.reachable !== undefined;
    const asked = addresses.filter((url) => known?.reachable?.[url] === undefined);
    const answered = await Promise.all(asked.map(async (url) => [url, wasAsked && (await answers(url))] as const));
    return { ...known?.reachable, ...Object.fromEntries(answered) };
}

const keptNote = (server: string, updates: readonly number[]) =>
    `note: ${server} should be restarted (this checkout's toolchain, the certificates that this machine trusts, the platforms ` +
    `that it can run or the proxy changed). It keeps running while an update runs (pid ${updates.join(", ")}), because a restart ` +
    "would abort the builds; the next start after the update restarts it.";

/** Warns before a start that may fill the disk. */
async function warnOfDisk(
    paths: LabPaths,
    repository: string,
    { builds, ...purpose }: { readonly renewRoot: boolean; readonly parts: LabParts; readonly builds: boolean },
): Promise<void> {
    const known = readInstance(instancePath(paths));
    const history = await readHistory(labStack, { LAYERED_IMAGES_INSTANCE: instancePath(paths) }, repository);
    const images = builds ? [imagesNeed(paths.state, history)] : [];
    const warning = diskWarning([...(await labNeeds(paths, { ...purpose, known })), ...images]);
    if (warning !== undefined) console.error(warning);
}

/**
 * Starts the lab and creates missing parts: packages, toolchain, certificates, servers, stand-ins, builder, stack. Existing parts are only
 * checked, so starting the lab twice is harmless, and a dead server is started again.
 *
 * @throws CommandError if a part can't be created or a server does not start
 * @throws InputError outside of a repository: the lab also creates the stack of its project
 */
export async function startLab(options: StartOptions = {}): Promise<Lab> {
    const paths = options.paths ?? labPaths();
    const repository = repositoryRoot();
    mkdirSync(paths.cache, { recursive: true });
    mkdirSync(paths.state, { recursive: true });
    const { renewRoot = false, builds = false, minFree, parts = allParts } = options;
    if (minFree === undefined) await warnOfDisk(paths, repository, { renewRoot, parts, builds });
    else checkDisk([{ folder: paths.state, what: "asked for by --min-free", gigabytes: minFree }]);
    await ensurePackages({ ...parts, standIn: parts.standIn || renewRoot });
    requireRoot();
    await ensureHostName();
    const emulation = await enableEmulation();
    for (const { platform, reason } of parts.emulation ? emulation.missing : []) {
        console.error(`note: ${platform} can't be built on this machine: ${reason}`);
    }
    const rootFor = (known: Instance | undefined) => {
        const isForAll = parts.otherRoots || (options.platforms ?? known?.platforms) === "all";
        const needed = isForAll ? emulation.platforms : [hostPlatform()];
        return { paths, known, needed, renew: renewRoot, wanted: parts.standIn, standIn: options.standIn ?? false };
    };
    // Most of it waits for the network while the compiler works. If one fails, the other still comes to its end, for the next start.
    const preparing = prepareRoot(rootFor(readInstance(instancePath(paths))));
    const [prepared, made] = await Promise.allSettled([preparing, ensureToolchain(paths.cache)]);
    if (made.status === "rejected") throw made.reason;
    if (prepared.status === "rejected") throw prepared.reason;
    const toolchain = made.value;
    return await withLock(lockPath(paths), async () => {
        const certificates = await ensureCertificates(paths.state);
        const known = readInstance(instancePath(paths));
        const port = known?.port ?? (await choosePort(options.port));
        const registry = `${registryHost}:${port.toString()}`;
        const githubPort = known?.githubPort ?? (await choosePort(port + githubDistance));
        const ports = { registry, port, githubPort };
        for (const server of await labServers(paths, ports, certificates, toolchain, emulation.platforms)) {
            const updates = runningUpdates(backendFolder(paths));
            const outcome = await startServer(serversFolder(paths), server, updates.length > 0);
            if (outcome === "started") console.error(`started ${server.name}`);
            if (outcome === "kept") console.error(keptNote(server.name, updates));
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
        if (platforms === "all" && parts.emulation && emulation.missing.length > 0) {
            // Continuing would remove images from the stack and platforms from `latest`.
            throw new CommandError(
                `this lab builds all platforms, and this machine can't run ${emulation.missing.map(({ platform }) => platform).join(", ")} ` +
                    `(see the note above). Enable it, or build for this machine's alone: ${typed("up", "--platforms", "host")}`,
            );
        }
        const root = await ensureRoot({ ...rootFor(known), registry, env });
        const reachable = await askAddresses(addressesIn(repository), known);
        const instance: Instance = { ...ports, platforms, ...root, reachable };
        if (JSON.stringify(instance) !== JSON.stringify(known)) writeInstance(instancePath(paths), instance);
        await ensureStack(repository, paths, env);
        return { paths, instance, env };
    });
}
