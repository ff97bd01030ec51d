import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Lab, startLab } from "../lab/lab";
import { stopLab } from "../lab/labState";
import type { Instance } from "../lib/system/instance";
import { labPaths } from "../lib/system/paths";
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
        const lab = await startLab({ paths, platforms, port: firstPort });
        return { ...lab, variables, close };
    } catch (error) {
        await close();
        throw error;
    }
}

/** Files of a repository that uses the package, in addition to its images. */
const repositoryFiles = {
    "index.ts": `import { program } from "layered-images";

export = program();
`,
    "Pulumi.yaml": "name: layered-images\nruntime: nodejs\n",
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
