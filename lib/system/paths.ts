import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { InputError } from "../errors";

/** Returns the nearest folder, from `folder` upwards, that contains a file of this name; undefined if there is none. */
function nearest(folder: string, file: string): string | undefined {
    if (existsSync(path.join(folder, file))) return folder;
    const above = path.dirname(folder);
    return above === folder ? undefined : nearest(above, file);
}

/**
 * Root of this package's files: the checkout, or the folder `dist` of the installed package, which has the same layout. Scripts,
 * smoke.Dockerfile and the toolchain are below it.
 */
export const packageRoot = path.dirname(path.dirname(__dirname));

/** Whether this package runs compiled, as it is installed from a registry, and not from a checkout of its sources. */
export const isCompiled = __filename.endsWith(".js");

/** Returns the root of the repository that contains a folder, by default the working directory; undefined if there is none. */
export const findRepositoryRoot = (from: string = process.cwd()): string | undefined => nearest(from, "Pulumi.yaml");

/**
 * Returns the root of the user's repository: the folder of Pulumi.yaml. All paths in images.ts and in the state are relative to it.
 *
 * @param from folder in the repository; the working directory by default
 * @throws InputError if neither the folder nor one above it contains a Pulumi.yaml
 */
export function repositoryRoot(from: string = process.cwd()): string {
    const root = findRepositoryRoot(from);
    if (root !== undefined) return root;
    throw new InputError({
        problem: "there is no Pulumi.yaml here or in a folder above",
        where: from,
        next: "run the command in a repository that uses layered-images; README.md shows the files that it needs",
    });
}

/** The lab's folders. */
export interface LabPaths {
    /** Toolchain and downloads, named by their content, so that all clones and instances share them. */
    readonly cache: string;
    /** State and server data of one instance. */
    readonly state: string;
}

/**
 * Returns the folders of the default instance: below the XDG cache and state folders, or below `LAYERED_IMAGES_HOME` if that variable is
 * set.
 */
export function labPaths(env: NodeJS.ProcessEnv = process.env): LabPaths {
    const home = env.LAYERED_IMAGES_HOME;
    if (home) return { cache: path.resolve(home, "cache"), state: path.resolve(home, "state") };
    const folder = (variable: string, fallback: string) => {
        // XDG base directory specification: an empty or relative path is ignored.
        const set = path.isAbsolute(env[variable] ?? "") ? env[variable] : undefined;
        return path.join(set ?? path.join(homedir(), fallback), "layered-images");
    };
    return { cache: folder("XDG_CACHE_HOME", ".cache"), state: folder("XDG_STATE_HOME", ".local/state") };
}

/** What a lab writes down about itself when it starts. */
export const instancePath = ({ state }: Pick<LabPaths, "state">): string => path.join(state, "instance.json");

/** The lock of whoever starts or stops the lab. */
export const lockPath = ({ state }: Pick<LabPaths, "state">): string => path.join(state, "lock");

/** Pid files and logs of the servers. */
export const serversFolder = ({ state }: Pick<LabPaths, "state">): string => path.join(state, "servers");

/** Where buildx keeps the lab's builder (BUILDX_CONFIG). */
export const builderFolder = ({ state }: Pick<LabPaths, "state">): string => path.join(state, "buildx");

/** The file backend in which the lab's Pulumi keeps its stacks. */
export const backendFolder = ({ state }: Pick<LabPaths, "state">): string => path.join(state, "pulumi");
