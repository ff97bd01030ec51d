import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { ciStack } from "../lib/engine/stacks";
import { InputError } from "../lib/errors";
import { githubSchema } from "../lib/github/settings";
import { type HierarchySettings, buildArgsSchema } from "../lib/hierarchy/settings";

/** Its configuration, from the repository's root. */
export const ciStackFile = `Pulumi.${ciStack}.yaml`;

const configuration = z.object({ config: z.record(z.string(), z.unknown()).optional() });
const { branch: branchSetting } = githubSchema.shape;

/** What the stack's file says for a key of whichever project; undefined where it is not there or says nothing. */
function setting(root: string, key: string): unknown {
    const file = path.join(root, ciStackFile);
    const { config = {} } =
        configuration.safeParse(existsSync(file) ? parse(readFileSync(file, "utf8")) : {}).data ?? {};
    const set = Object.entries(config).find(([one]) => one.slice(one.indexOf(":") + 1) === key)?.[1];
    // An object may be written as JSON in a text.
    return typeof set === "string" ? parse(set) : set;
}

/**
 * The branch that images are made from and workflows are for: `github.branch` of the stack that CI runs. From there whatever
 * the stack at hand says, because every stack delivers the same files.
 *
 * @param root the repository's root
 * @returns main where the stack's file is not there or names none
 * @throws InputError for a name that a workflow can't hold
 */
export function ciBranch(root: string): string {
    const github = z.object({ branch: z.unknown() }).safeParse(setting(root, "github")).data;
    const { data: branch } = branchSetting.safeParse(github?.branch);
    // Other characters are patterns in a workflow's filters, or end a text in its expressions.
    if (branch !== undefined && /^[\w./-]+$/.test(branch)) return branch;
    throw new InputError({
        problem: `github.branch is ${JSON.stringify(github?.branch)}, which workflows can't be made for`,
        where: ciStackFile,
        next: "name a branch of letters, digits and ._/-",
    });
}

/** A value that was set with --secret, as a stack's file has it. */
const encrypted = z.strictObject({ secure: z.string() });

/** A record with other values, without those that are undefined then; anything else as it is. */
function mapRecord(value: unknown, change: (one: unknown) => unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    const changed = Object.entries(value).map(([key, one]) => [key, change(one)] as const);
    return Object.fromEntries(changed.filter(([, one]) => one !== undefined));
}

/**
 * The build arguments of the stack that CI runs: they can decide which files a Dockerfile reads, and whether it can be read at
 * all. From there for the same reason as the branch.
 *
 * @param root the repository's root
 * @throws InputError for what is none
 */
export function ciBuildArgs(root: string): HierarchySettings["buildArgs"] {
    // What is encrypted can't be read here: one value, those of an image, or all.
    const readable = (value: unknown) => (encrypted.safeParse(value).success ? undefined : value);
    const set = mapRecord(readable(setting(root, "buildArgs")), (args) => mapRecord(readable(args), readable));
    const { data, error } = buildArgsSchema.safeParse(set ?? {});
    if (data) return data;
    const issues = error.issues.map(({ path: at, message }) => `buildArgs (at ${at.join(".")}): ${message}`);
    throw new InputError({ where: ciStackFile, problem: issues.join("; ") });
}
