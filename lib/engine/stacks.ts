import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { readKept } from "../system/files";
import { damageError } from "../system/kept";
import { repositoryRoot } from "../system/paths";

/** The stack of the lab. */
export const labStack = "local";

/** The stack that CI runs. */
export const ciStack = "ci";

/** Returns the options of a command on a stack: none for that of the lab. */
export const stackOptions = (stack: string): string[] => (stack === labStack ? [] : ["--stack", stack]);

/** Returns `<organization>/<project>/<stack>` of a stack that is named by less: what is missing is that of `here`. */
export function fullStackName(
    stack: string,
    here: { readonly organization: string; readonly project: string },
): string {
    const parts = stack.split("/");
    const [name = "", project = here.project, organization = here.organization] = [...parts].reverse();
    // Two parts are an organization and its stack of the same project, as in `pulumi --stack`.
    return parts.length === 2 ? `${project}/${here.project}/${name}` : `${organization}/${project}/${name}`;
}

const projectFile = z.object({
    name: z.string(),
    backend: z.object({ url: z.string().optional() }).optional(),
});

/**
 * Reads a checkout's Pulumi.yaml: the name of the project, and the address of the backend if it is there.
 *
 * @throws InputError if it is damaged, or lacks the name
 */
export function readProject(root: string = repositoryRoot()): z.infer<typeof projectFile> {
    const file = path.join(root, "Pulumi.yaml");
    const kept = readKept(file, (text) => {
        const { data } = projectFile.safeParse(parse(text));
        if (data) return data;
        throw new Error("it has no name of a project");
    });
    if (kept !== undefined && "value" in kept) return kept.value;
    const damage = kept ?? { damage: "there is no such file" };
    throw damageError(file, damage, { what: "the project", next: `git checkout -- Pulumi.yaml, or correct it` });
}

/** Returns the name of the project in a checkout's Pulumi.yaml. Throws the errors of `readProject`. */
export const projectName = (root?: string): string => readProject(root).name;

/**
 * Returns the path of the file in which a file backend stores a stack of a checkout's project.
 *
 * @param backend the backend's folder
 */
export const stackFile = (backend: string, stack: string, root?: string): string =>
    path.join(backend, ".pulumi", "stacks", projectName(root), `${stack}.json`);
