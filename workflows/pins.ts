import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { tools as toolchain } from "../lab/toolchain/tools";
import { InputError } from "../lib/errors";
import { replaceFile } from "../lib/system/files";
import { packageRoot } from "../lib/system/paths";

/** File with the pins, in the package's folder and, if it wants others, in a repository's root. */
export const pinsFile = "pins.json";

/** The release and the commit that an action is pinned to. A commit, because a tag can be moved to different code. */
export interface Pin {
    /** It is written after the commit as a comment, and Dependabot updates both. */
    readonly version: string;
    /** 40 hexadecimal digits. */
    readonly commit: string;
}

/** Pins by action ("owner/repository"). */
export type Pins = Readonly<Record<string, Pin>>;

const schema = z.record(
    z.string().regex(/^[\w.-]+\/[\w./-]+$/, "not an action, which is <owner>/<repository>"),
    z.strictObject(
        {
            version: z.string("not text").regex(/^v\d+(\.\d+)*$/, "not a version such as v1.2.3"),
            commit: z.string("not text").regex(/^[0-9a-f]{40}$/, "not a commit of 40 hexadecimal digits"),
        } satisfies Record<keyof Pin, z.ZodType>,
        "not an object with version and commit",
    ),
    "not an object",
);

/** Reads a file of pins; undefined if it does not exist. Throws InputError for every problem in it. */
function readFile(file: string): Pins | undefined {
    if (!existsSync(file)) return undefined;
    let json: unknown;
    try {
        json = JSON.parse(readFileSync(file, "utf8"));
    } catch (error) {
        throw new InputError({ problem: `not JSON: ${(error as Error).message}`, where: file, next: "correct it" });
    }
    const { data, error } = schema.safeParse(json);
    if (data) return data;
    const problems = error.issues.map((issue) => {
        const message = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? "") : issue.message;
        return [...issue.path.map(String), message].join(": ");
    });
    throw new InputError({
        problem: problems.join("\n  "),
        where: file,
        next: 'correct it; an entry is "owner/repository": { "version": "v1.2.3", "commit": "<40 hexadecimal digits>" }',
    });
}

/** The file of the package itself. It has all actions that workflows use. */
const packageFile = path.join(packageRoot, pinsFile);

/**
 * Returns the pins of all actions that a repository's workflows use: the package's, or those of the pins.json in the repository's root for
 * the actions that it lists.
 *
 * @param root the repository's root
 * @throws InputError if a file is broken, or if the repository's file has an action that no workflow uses
 */
export function readPins(root: string): Pins {
    const ours = readFile(packageFile) ?? {};
    const file = path.join(root, pinsFile);
    const theirs = readFile(file) ?? {};
    const unknown = Object.keys(theirs).filter((action) => !(action in ours));
    if (unknown.length > 0) {
        throw new InputError({
            problem: `no workflow uses ${unknown.join(", ")}`,
            where: file,
            allowed: Object.keys(ours),
            next: "correct the name, or remove the entry",
        });
    }
    return { ...ours, ...theirs };
}

/**
 * Writes the pins that differ from the package's to the repository's pins.json; if the repository is the package itself, all of them.
 *
 * @param root the repository's root
 * @param pins the pins that `readPins` shall return from now on
 * @throws InputError if the package's file is broken
 */
export function writePins(root: string, pins: Pins): void {
    const file = path.join(root, pinsFile);
    const ours = path.resolve(file) === packageFile ? {} : (readFile(packageFile) ?? {});
    const isOurs = (action: string, { version, commit }: Pin) =>
        ours[action]?.version === version && ours[action].commit === commit;
    const differing = Object.entries(pins).filter(([action, pin]) => !isOurs(action, pin));
    if (differing.length === 0) rmSync(file, { force: true });
    else replaceFile(file, `${JSON.stringify(Object.fromEntries(differing), null, 2)}\n`);
}

/** Versions of tools that actions install. Pulumi and BuildKit have the lab's versions, so that CI and the lab build identical images. */
export const tools = {
    node: "22",
    pulumi: toolchain.pulumi.version,
    buildkit: toolchain.buildkit.version,
} as const;
