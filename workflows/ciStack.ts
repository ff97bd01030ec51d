import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { InputError } from "../lib/errors";
import { githubSchema } from "../lib/githubSettings";

/** The stack that CI runs. */
export const ciStack = "ci";

/** Its configuration, from the repository's root. */
export const ciStackFile = `Pulumi.${ciStack}.yaml`;

const configuration = z.object({ config: z.record(z.string(), z.unknown()).optional() });
const { branch: branchSetting } = githubSchema.shape;

/**
 * The branch that images are made from and workflows are for: `github.branch` of the stack that CI runs. From there whatever
 * the stack at hand says, because every stack delivers the same files.
 *
 * @param root the repository's root
 * @returns main where the stack's file is not there or names none
 * @throws InputError for a name that a workflow can't hold
 */
export function ciBranch(root: string): string {
    const file = path.join(root, ciStackFile);
    const { config = {} } =
        configuration.safeParse(existsSync(file) ? parse(readFileSync(file, "utf8")) : {}).data ?? {};
    const set = Object.entries(config).find(([key]) => /^[^:]+:github$/.test(key))?.[1];
    // An object may be written as JSON in a text.
    const github = z.object({ branch: z.unknown() }).safeParse(typeof set === "string" ? parse(set) : set).data;
    const { data: branch } = branchSetting.safeParse(github?.branch);
    // Other characters are patterns in a workflow's filters, or end a text in its expressions.
    if (branch !== undefined && /^[\w./-]+$/.test(branch)) return branch;
    throw new InputError({
        problem: `github.branch is ${JSON.stringify(github?.branch)}, which workflows can't be made for`,
        where: ciStackFile,
        next: "name a branch of letters, digits and ._/-",
    });
}
