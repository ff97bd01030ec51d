import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { repositoryRoot } from "../system/paths";

/** The stack of the lab. */
export const labStack = "local";

/** The stack that CI runs. */
export const ciStack = "ci";

/** Returns the name of the project in a checkout's Pulumi.yaml. */
export function projectName(root: string = repositoryRoot()): string {
    const { name } = parse(readFileSync(path.join(root, "Pulumi.yaml"), "utf8")) as { name: string };
    return name;
}

/**
 * Returns the path of the file in which a file backend stores a stack of a checkout's project.
 *
 * @param backend the backend's folder
 */
export const stackFile = (backend: string, stack: string, root?: string): string =>
    path.join(backend, ".pulumi", "stacks", projectName(root), `${stack}.json`);
