import { homedir } from "node:os";
import path from "node:path";

/** Root of the checkout. */
export const repositoryRoot = path.dirname(path.dirname(__dirname));

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
