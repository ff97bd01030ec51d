import { rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { tools as toolchain } from "../lab/toolchain/tools";
import { InputError } from "../lib/errors";
import { readKept, replaceFile } from "../lib/system/files";
import { damageError } from "../lib/system/kept";
import { packageRoot } from "../lib/system/paths";

/** File with the pins, in the package's folder and, if it wants others, in a repository's root. */
export const pinsFile = "pins.json";

/** The release and the commit that an action is pinned to. A commit, because a tag can be moved to different code. */
export interface ActionPin {
    /** It is written after the commit as a comment, and Dependabot updates both. */
    readonly version: string;
    /** 40 hexadecimal digits. */
    readonly commit: string;
}

/** The tag and the digest that the image of a tool is pinned to, for the same reason. Dependabot does not update it. */
export interface ImagePin {
    /** The tag. Registries ignore it beside a digest; it says which release that is. */
    readonly version: string;
    /** "sha256:" and 64 hexadecimal digits. */
    readonly digest: string;
}

export type Pin = ActionPin | ImagePin;

/** Pins by action ("owner/repository") and by image of a tool ("docker.io/owner/repository"). */
export type Pins = Readonly<Record<string, Pin>>;

/** Returns the commit or digest of a pin: what is used, whatever the version says. */
export const contentOf = (pin: Pin): string => ("commit" in pin ? pin.commit : pin.digest);

const registry = "docker.io/";

/** Whether a name is that of an image of a tool, and not of an action. */
export const isImage = (name: string): boolean => name.startsWith(registry);

/** Keys of workflows whose values name images of tools: inputs of actions. The second one begins with "image=". */
export const imageKeys: readonly string[] = ["image", "driver-opts"];

const action = z.strictObject(
    {
        version: z.string("not text").regex(/^v\d+(\.\d+)*$/, "not a version such as v1.2.3"),
        commit: z.string("not text").regex(/^[0-9a-f]{40}$/, "not a commit of 40 hexadecimal digits"),
    } satisfies Record<keyof ActionPin, z.ZodType>,
    "not an object with version and commit",
);
const image = z.strictObject(
    {
        version: z.string("not text").regex(/^\w[\w.-]*\d[\w.-]*$/, "not a tag with a number"),
        digest: z.string("not text").regex(/^sha256:[0-9a-f]{64}$/, "not sha256: and 64 hexadecimal digits"),
    } satisfies Record<keyof ImagePin, z.ZodType>,
    "not an object with version and digest",
);
const schema = z
    .record(
        z.string().regex(/^[\w.-]+\/[\w./-]+$/, "not an action, which is <owner>/<repository>"),
        z.unknown(),
        "not an object",
    )
    .transform((pins, context): Pins => {
        const read = Object.entries(pins).map(([name, value]) => {
            const { data, error } = (isImage(name) ? image : action).safeParse(value);
            for (const { path: at, message } of error?.issues ?? [])
                context.addIssue({ code: "custom", path: [name, ...at], message });
            return [name, data] as const;
        });
        return Object.fromEntries(read) as Pins;
    });

/** Reads a file of pins; undefined if it does not exist. Throws InputError for every problem in it. */
function readFile(file: string): Pins | undefined {
    const kept = readKept(file, (text) => JSON.parse(text) as unknown);
    if (kept === undefined) return undefined;
    if ("damage" in kept) throw damageError(file, kept, { what: "the pins of actions", next: "correct it" });
    const { data, error } = schema.safeParse(kept.value);
    if (data) return data;
    const problems = error.issues.map((issue) => {
        const message = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? "") : issue.message;
        return [...issue.path.map(String), message].join(": ");
    });
    throw new InputError({
        problem: problems.join("\n  "),
        where: file,
        next:
            'correct it; an entry is "owner/repository": { "version": "v1.2.3", "commit": "<40 hexadecimal digits>" } ' +
            'or "docker.io/owner/repository": { "version": "<tag>", "digest": "sha256:<64 hexadecimal digits>" }',
    });
}

/** The file of the package itself. It has all actions that workflows use. */
const packageFile = path.join(packageRoot, pinsFile);

/**
 * Returns the pins of all actions and tools' images that a repository's workflows use: the package's, or those of the pins.json in the repository's root for
 * the actions that it lists.
 *
 * @param root the repository's root
 * @throws InputError if a file is broken, or if the repository's file has a name that no workflow uses
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
    const isOurs = (name: string, pin: Pin) =>
        ours[name]?.version === pin.version && contentOf(ours[name]) === contentOf(pin);
    const differing = Object.entries(pins).filter(([name, pin]) => !isOurs(name, pin));
    if (differing.length === 0) rmSync(file, { force: true });
    else replaceFile(file, `${JSON.stringify(Object.fromEntries(differing), null, 2)}\n`);
}

/**
 * Versions of tools that actions install. Pulumi has the lab's version, and so has BuildKit by its pin: CI and the lab build identical
 * images.
 */
export const tools = {
    node: "22",
    pulumi: toolchain.pulumi.version,
} as const;
