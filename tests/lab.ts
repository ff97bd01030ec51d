import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Lab, githubDistance, startLab } from "../lab/lab";
import { stopLab } from "../lab/labState";
import { standInKey } from "../lab/root/standIn";
import { choosePort } from "../lab/servers/ports";
import { registryHost } from "../lab/servers/tls";
import { makeFolder } from "../lib/system/files";
import { type Instance, readInstance, writeInstance } from "../lib/system/instance";
import { withLock } from "../lib/system/lock";
import { type LabPaths, instancePath, labPaths } from "../lib/system/paths";
import { installedProgram, packPackage, packedModules } from "./package";
import { writeTree } from "./writeTree";

const prefix = "layered-images-lab-";

/** Unmounts everything below a folder, deepest mounts first: mounted folders cannot be removed. */
export function unmountBelow(folder: string): void {
    const mounted = readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "))
        .filter((place) => place.startsWith(`${folder}/`));
    for (const place of mounted.reverse()) spawnSync("umount", ["--lazy", place]);
}

/** Removes the labs of killed test runs: a lab's folder name contains the ID of the process that started it. */
async function removeLeftovers(): Promise<void> {
    for (const name of readdirSync(tmpdir()).filter((one) => one.startsWith(prefix))) {
        const pid = name.slice(prefix.length).split("-")[0] ?? "";
        if (existsSync(`/proc/${pid}`)) continue;
        const home = path.join(tmpdir(), name);
        await stopLab(labPaths({ LAYERED_IMAGES_HOME: home }));
        unmountBelow(home);
        rmSync(home, { recursive: true, force: true });
    }
}

/** First port to try: workers that look for a port at the same time start from different ports. */
const firstPort = 15443 + 1000 * Number(process.env.MOCHA_WORKER_ID ?? 0);

/** Folder with the data of a registry that contains the root and nothing else, and the instance that it belonged to. */
const keptRoot = () => path.join(labPaths().cache, "test-root");

const registryData = ({ state }: Pick<LabPaths, "state">) => path.join(state, "registry", "data");

/**
 * Gives a new lab the root that an earlier test lab published, because publishing takes longer than many a test. Does nothing if there is
 * none, or if this machine would make another root today.
 */
async function takeRoot(paths: LabPaths): Promise<void> {
    const known = readInstance(path.join(keptRoot(), "instance.json"));
    if (!known) return;
    if (known.standIn !== standInKey()) return;
    cpSync(path.join(keptRoot(), "data"), registryData(paths), { recursive: true });
    const port = await choosePort(firstPort);
    const githubPort = await choosePort(port + githubDistance);
    const registry = `${registryHost}:${port.toString()}`;
    const text = JSON.stringify(known).replaceAll(`${known.registry}/`, `${registry}/`);
    writeInstance(instancePath(paths), { ...(JSON.parse(text) as Instance), registry, port, githubPort });
}

/** Keeps the root of a lab that has nothing else in its registry yet, for `takeRoot`. */
async function keepRoot({ paths, instance }: Lab): Promise<void> {
    const kept = keptRoot();
    await withLock(`${kept}.lock`, async () => {
        const known = readInstance(path.join(kept, "instance.json"));
        const isSame = known?.standIn === instance.standIn;
        if (isSame && instance.standInPlatforms.every((one) => known.standInPlatforms.includes(one))) return;
        rmSync(kept, { recursive: true, force: true });
        await makeFolder(kept, (partial) => {
            cpSync(registryData(paths), path.join(partial, "data"), { recursive: true });
            writeInstance(path.join(partial, "instance.json"), instance);
            return Promise.resolve();
        });
    });
}

/** A lab for tests: separate ports and data, the shared toolchain. */
export interface TestLab extends Lab {
    /** Environment variables that direct the project's commands to this lab. */
    readonly variables: { readonly LAYERED_IMAGES_HOME: string };
    /** Stops the lab's servers and removes its data. */
    readonly close: () => Promise<void>;
}

/**
 * Starts a lab for tests, after removing the labs of killed runs.
 *
 * @param platforms platforms that the lab builds for
 */
export async function startTestLab(platforms: Instance["platforms"] = "all"): Promise<TestLab> {
    // Tests run Pulumi by itself and by this program's commands, which keep it from Pulumi.
    delete process.env.DOCKER_HOST;
    // Pulumi and its providers spend a seventh of their processor time on collecting garbage, of which no test makes much.
    process.env.GOGC ??= "400";
    await removeLeftovers();
    await packPackage();
    const home = mkdtempSync(path.join(tmpdir(), `${prefix}${process.pid.toString()}-`));
    const variables = { LAYERED_IMAGES_HOME: home };
    const paths = labPaths(variables);
    mkdirSync(labPaths().cache, { recursive: true });
    symlinkSync(labPaths().cache, paths.cache);
    const close = async () => {
        await stopLab(paths);
        unmountBelow(home);
        rmSync(home, { recursive: true, force: true });
    };
    try {
        await takeRoot(paths);
        const lab = await startLab({ paths, platforms, port: firstPort, standIn: true });
        await keepRoot(lab);
        return { ...lab, variables, close };
    } catch (error) {
        await close();
        throw error;
    }
}

/** Returns the Pulumi.yaml of a project whose program is index.cjs, as `adopt` writes it. */
export const projectFile = (name: string): string =>
    `name: ${name}\nruntime:\n  name: nodejs\n  options:\n    typescript: false\nmain: index.cjs\n`;

/** Files of a repository that uses the package, in addition to its images. */
const repositoryFiles = {
    "index.cjs": 'module.exports = require("layered-images").program();\n',
    "Pulumi.yaml": projectFile("layered-images"),
    "package.json": JSON.stringify({
        ...{ private: true, dependencies: { "layered-images": "*" } },
        // The steps of this repository's workflows, which tests run here, use the script.
        scripts: { up: `node ${installedProgram} up` },
    }),
};

/** Creates a repository that has installed the package, with these additional files, and returns its root. */
export function makeRepository(root: string, files: Readonly<Record<string, string>>): string {
    writeTree(root, { ...repositoryFiles, ...files });
    symlinkSync(packedModules(), path.join(root, "node_modules"));
    return root;
}

/** A command's exit code and its output: both streams together, as in a terminal, and stdout alone. */
export interface Outcome {
    readonly code: number;
    readonly output: string;
    readonly stdout: string;
}

/** Runs a command in the lab's environment and waits for it to exit. */
export async function runIn(lab: Lab, cwd: string, command: string, args: readonly string[]): Promise<Outcome> {
    // Enables `pulumi up --event-log`.
    const env = { ...lab.env, PULUMI_DEBUG_COMMANDS: "true" };
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    const code = await new Promise<number>((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (exit) => {
            resolve(exit ?? 1);
        });
    });
    return { code, output, stdout };
}
