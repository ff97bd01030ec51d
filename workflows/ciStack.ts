import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { ciStack } from "../lib/engine/stacks";
import { InputError } from "../lib/errors";
import { type Level, type Permission, readingPermissions } from "../lib/github/permissions";
import { accessOf, githubSchema } from "../lib/github/settings";
import { type PlatformStacks, platformStacksSchema } from "../lib/hierarchy/platformStacks";
import { type HierarchySettings, buildArgsSchema } from "../lib/hierarchy/settings";

/** Configuration file of CI's stack, relative to the repository's root. */
export const ciStackFile = `Pulumi.${ciStack}.yaml`;

const configuration = z.object({ config: z.record(z.string(), z.unknown()).optional() });
const { branch: branchSetting } = githubSchema.shape;

/** Reads a setting of CI's stack, in the namespace of any project; undefined if the file or the key does not exist. */
function setting(root: string, key: string): unknown {
    const file = path.join(root, ciStackFile);
    const { config = {} } =
        configuration.safeParse(existsSync(file) ? parse(readFileSync(file, "utf8")) : {}).data ?? {};
    const value = Object.entries(config).find(([fullKey]) => fullKey.slice(fullKey.indexOf(":") + 1) === key)?.[1];
    // An object may be written as a string that contains JSON.
    return typeof value === "string" ? parse(value) : value;
}

/**
 * Returns the branch from which images are built and on which the workflows run: `github.branch` of CI's stack. The settings of the
 * current stack do not matter, because every stack delivers the same files.
 *
 * @param root the repository's root
 * @returns the branch; main if the stack's file does not exist or does not set it
 * @throws InputError for a name that can't be used in a workflow
 */
export function ciBranch(root: string): string {
    const github = z.object({ branch: z.unknown() }).safeParse(setting(root, "github")).data;
    const { data: branch } = branchSetting.safeParse(github?.branch);
    // Other characters are patterns in a workflow's filters, or end a string in its expressions.
    if (branch !== undefined && /^[\w./-]+$/.test(branch)) return branch;
    throw new InputError({
        problem: `github.branch is ${JSON.stringify(github?.branch)}, which can't be used in workflows`,
        where: ciStackFile,
        next: "name a branch of letters, digits and ._/-",
    });
}

/**
 * Returns the repository on GitHub that CI's stack names by `github.repository` and the provider's owner.
 *
 * @param root the repository's root
 * @returns "owner/name"; undefined if the stack's file does not name both
 */
export function ciRepository(root: string): string | undefined {
    const word = z.string().regex(/^[\w.-]+$/);
    const github = z.object({ repository: word }).safeParse(setting(root, "github")).data;
    const owner = word.safeParse(setting(root, "organization") ?? setting(root, "owner")).data;
    return github && owner !== undefined ? `${owner}/${github.repository}` : undefined;
}

/**
 * Returns "host[:port][/prefix]" that CI's stack pushes to instead of the registries in the images' names; undefined if it sets none. A
 * value that is none is refused when the stack is used.
 *
 * @param root the repository's root
 */
export function ciRegistry(root: string): string | undefined {
    const { data } = z.string().min(1).safeParse(setting(root, "registry"));
    return data;
}

/**
 * Returns the stacks that build platforms for CI's stack, by platform.
 *
 * @param root the repository's root
 * @throws InputError for a value that is none
 */
export function ciPlatformStacks(root: string): PlatformStacks {
    const { data, error } = platformStacksSchema.safeParse(setting(root, "platformStacks") ?? {});
    if (data) return data;
    const issues = error.issues.map(({ path: at, message }) => `platformStacks (at ${at.join(".")}): ${message}`);
    throw new InputError({
        where: ciStackFile,
        problem: issues.join("; "),
        next: "correct the setting platformStacks in this file",
    });
}

/**
 * Returns the permissions of a token that sees what CI's stack manages on GitHub.
 *
 * @param root the repository's root
 */
export function ciReading(root: string): ReadonlyMap<Permission, Level> {
    const { data } = githubSchema.safeParse(setting(root, "github"));
    if (!data) return readingPermissions([], "direct");
    return readingPermissions(accessOf(setting(root, "repositorySecrets")), data.delivery);
}

/** A value that was set with --secret, as the stack's file stores it. */
const encrypted = z.strictObject({ secure: z.string() });

/** Maps the values of a record and drops those that become undefined. Returns any other value unchanged. */
function mapRecord(value: unknown, change: (entry: unknown) => unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    const changed = Object.entries(value).map(([key, entry]) => [key, change(entry)] as const);
    return Object.fromEntries(changed.filter(([, entry]) => entry !== undefined));
}

/**
 * Returns the build arguments of CI's stack. They can decide which files a Dockerfile reads, and whether it can be read at all. They come
 * from CI's stack for the same reason as the branch (see `ciBranch`).
 *
 * @param root the repository's root
 * @throws InputError for values that are not build arguments
 */
export const ciBuildArgs = (root: string): HierarchySettings["buildArgs"] =>
    readableBuildArgs(setting(root, "buildArgs"), ciStackFile);

/**
 * Returns the build arguments in a stack's file, without those that are encrypted.
 *
 * @param value the setting `buildArgs` as the file has it; undefined if it does not
 * @param where the file, for messages
 * @throws InputError for values that are not build arguments
 */
export function readableBuildArgs(value: unknown, where: string): HierarchySettings["buildArgs"] {
    // Encrypted values can't be read here: a single value, all values of an image, or the whole setting may be encrypted.
    const readable = (value: unknown) => (encrypted.safeParse(value).success ? undefined : value);
    const buildArgs = mapRecord(readable(value), (args) => mapRecord(readable(args), readable));
    const { data, error } = buildArgsSchema.safeParse(buildArgs ?? {});
    if (data) return data;
    const issues = error.issues.map(({ path: at, message }) => `buildArgs (at ${at.join(".")}): ${message}`);
    throw new InputError({ where, problem: issues.join("; "), next: "correct the setting buildArgs in this file" });
}
