import {
    chmodSync,
    cpSync,
    lstatSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    readlinkSync,
    renameSync,
    rmSync,
    symlinkSync,
    utimesSync,
    writeFileSync,
} from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { openCheckout } from "../../lib/context/checkout";
import { CommandError } from "../../lib/errors";
import type { ImageDefinitions } from "../../lib/hierarchy/definition";
import { expandImages } from "../../lib/hierarchy/matrix";
import { type Hierarchy as Prepared, readHierarchy } from "../../lib/hierarchy/prepare";
import { packageRoot } from "../../lib/system/paths";

/*
 * The rebuild corpus: changes to small hierarchies, each with a label: the images that have to be rebuilt. Everything that a reader in
 * another language would need is data: for each hierarchy a folder with hierarchy.yaml, changes.yaml and the repository in files/.
 */

const file = z.string().min(1);

/** One edit of a repository, its definitions or its stack; an object with exactly one of these keys. */
const edit = z.union([
    z.strictObject({ append: z.strictObject({ file, text: z.string() }) }),
    /** Replaces the only occurrence of a text. */
    z.strictObject({ replace: z.strictObject({ file, from: z.string().min(1), to: z.string() }) }),
    z.strictObject({ write: z.strictObject({ file, text: z.string() }) }),
    z.strictObject({ remove: file }),
    z.strictObject({ rename: z.strictObject({ from: file, to: file }) }),
    z.strictObject({ mode: z.strictObject({ file, mode: z.string().regex(/^[0-7]{3}$/) }) }),
    /** Sets the time of the last change, in seconds since 1970. */
    z.strictObject({ time: z.strictObject({ file, seconds: z.number() }) }),
    z.strictObject({ link: z.strictObject({ file, target: z.string() }) }),
    z.strictObject({ lineEnds: z.strictObject({ file, ends: z.literal("crlf") }) }),
    /** Sets a value in the definitions of the images or in the stack's configuration; without a value it is removed. */
    z.strictObject({
        set: z.strictObject({
            of: z.enum(["images", "stack"]),
            path: z.array(z.string()).min(1),
            value: z.unknown().optional(),
        }),
    }),
    /** Moves the tag of an external image. */
    z.strictObject({ root: z.strictObject({ name: z.string(), version: z.literal("moved") }) }),
]);

/** See `edit`. */
export type Edit = z.infer<typeof edit>;

const change = z.strictObject({
    id: z.string().regex(/^[a-z0-9-]+$/),
    /** Edits that are published before the others are made; the others then start from that. */
    published: z.array(edit).default([]),
    edits: z.array(edit).min(1),
    /** The label: keys of all images that have to be rebuilt. */
    rebuilt: z.array(z.string()),
    /** Those of them that come back as they were: steps have to run again, with the same result. */
    same: z.array(z.string()).default([]),
    /** Why, from reading the Dockerfiles. */
    because: z.string().min(1),
});

/** A labelled change; see `change`. */
export type Change = z.infer<typeof change>;

/** How a repository without this program rebuilds the images of an entry: a workflow with path filters. */
const workflow = z.strictObject({
    /** Entries whose workflows start this one when they are done: those of all its parents. */
    after: z.array(z.string()),
    /** As in `on.push.paths`. The workflow's own file is not listed; it always counts. */
    paths: z.array(z.string()).min(1),
});

const hierarchy = z.strictObject({
    title: z.string(),
    /** External images, as Dockerfiles write them. */
    roots: z.array(z.string()),
    /** Entries of images.ts. */
    images: z.record(z.string(), z.looseObject({})),
    workflows: z.record(z.string(), workflow),
});

/** A hierarchy with its changes. */
export interface Hierarchy extends z.infer<typeof hierarchy> {
    readonly name: string;
    readonly changes: readonly Change[];
    /** Folder of the repository's files. */
    readonly files: string;
}

/** What is not a file: the definitions of the images, the stack's configuration, and the versions of external images. */
export interface Settings {
    readonly images: ImageDefinitions;
    readonly stack: Readonly<Record<string, unknown>>;
    readonly roots: Readonly<Record<string, "first" | "moved">>;
}

const folder = path.join(packageRoot, "bench", "corpus");

/**
 * Reads the corpus.
 *
 * @throws z.ZodError for data of another form
 */
export function readCorpus(): Hierarchy[] {
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return names.map(({ name }) => {
        const read = (what: string): unknown => parse(readFileSync(path.join(folder, name, what), "utf8"));
        return {
            name,
            ...hierarchy.parse(read("hierarchy.yaml")),
            changes: z.array(change).parse(read("changes.yaml")),
            files: path.join(folder, name, "files"),
        };
    });
}

/** Returns the settings of a hierarchy before any change. */
export const firstSettings = ({ images, roots }: Hierarchy): Settings => ({
    images: images as unknown as ImageDefinitions,
    stack: {},
    roots: Object.fromEntries(roots.map((name) => [name, "first"])),
});

/** Gives files the modes of a fresh clone, whatever the modes in this checkout are. */
function normalise(at: string): void {
    const stat = lstatSync(at);
    if (stat.isSymbolicLink()) return;
    if (!stat.isDirectory()) {
        chmodSync(at, stat.mode & 0o100 ? 0o755 : 0o644);
        return;
    }
    chmodSync(at, 0o755);
    for (const name of readdirSync(at)) normalise(path.join(at, name));
}

/**
 * Writes the repository of a hierarchy into a folder as a fresh clone would be.
 *
 * @param keep names in the folder that stay; everything else that is there is removed
 */
export function checkOut({ files }: Hierarchy, root: string, keep: readonly string[] = []): void {
    mkdirSync(root, { recursive: true });
    for (const name of readdirSync(root)) {
        if (!keep.includes(name)) rmSync(path.join(root, name), { recursive: true });
    }
    for (const name of readdirSync(files)) {
        cpSync(path.join(files, name), path.join(root, name), { recursive: true, verbatimSymlinks: true });
        normalise(path.join(root, name));
    }
}

/** Returns an object with another value at a path; undefined removes it. The order of keys stays: that of a matrix decides the keys of its images. */
function withValue(object: unknown, [key = "", ...rest]: readonly string[], value: unknown): unknown {
    const record = (object ?? {}) as Readonly<Record<string, unknown>>;
    const changed = rest.length === 0 ? value : withValue(record[key], rest, value);
    return Object.fromEntries(Object.entries({ ...record, [key]: changed }).filter(([, one]) => one !== undefined));
}

/**
 * Makes one edit.
 *
 * @param root the repository's folder
 * @returns the settings after it
 * @throws CommandError if a text to replace does not occur exactly once
 */
export function makeEdit(root: string, settings: Settings, one: Edit): Settings {
    const at = (name: string) => path.join(root, name);
    const text = (name: string) => readFileSync(at(name), "utf8");
    const write = (name: string, content: string) => {
        mkdirSync(path.dirname(at(name)), { recursive: true });
        writeFileSync(at(name), content);
    };
    if ("append" in one) write(one.append.file, text(one.append.file) + one.append.text);
    else if ("replace" in one) {
        const { file, from, to } = one.replace;
        const parts = text(file).split(from);
        if (parts.length !== 2) throw new CommandError(`${file} contains ${parts.length - 1} times: ${from}`);
        write(file, parts.join(to));
    } else if ("write" in one) write(one.write.file, one.write.text);
    else if ("remove" in one) rmSync(at(one.remove), { recursive: true });
    else if ("rename" in one) {
        mkdirSync(path.dirname(at(one.rename.to)), { recursive: true });
        renameSync(at(one.rename.from), at(one.rename.to));
    } else if ("mode" in one) chmodSync(at(one.mode.file), Number.parseInt(one.mode.mode, 8));
    else if ("time" in one) utimesSync(at(one.time.file), one.time.seconds, one.time.seconds);
    else if ("link" in one) {
        rmSync(at(one.link.file));
        symlinkSync(one.link.target, at(one.link.file));
    } else if ("lineEnds" in one) write(one.lineEnds.file, text(one.lineEnds.file).replaceAll("\n", "\r\n"));
    else if ("set" in one) {
        const { of, path: keys, value } = one.set;
        return { ...settings, [of]: withValue(settings[of], keys, value) };
    } else return { ...settings, roots: { ...settings.roots, [one.root.name]: one.root.version } };
    return settings;
}

/** Makes edits one after the other; see `makeEdit`. */
export const makeEdits = (root: string, settings: Settings, edits: readonly Edit[]): Settings =>
    edits.reduce((before, one) => makeEdit(root, before, one), settings);

/**
 * Reads the images of a repository as the program does, without an engine.
 *
 * @param pinOf `<repository>@<digest>` of a version of an external image
 */
export function prepare(
    root: string,
    { images, stack, roots }: Settings,
    pinOf: (name: string, version: string) => string,
): Prepared {
    return readHierarchy(openCheckout(root), expandImages(images), {
        registry: "registry.example/corpus",
        platforms: "host",
        roots: Object.fromEntries(Object.entries(roots).map(([name, version]) => [name, pinOf(name, version)])),
        buildArgs: (stack.buildArgs ?? {}) as Readonly<Record<string, Readonly<Record<string, string>>>>,
    });
}

/** Returns what tells whether a repository changed: of each file, link and folder its mode, the time of files, and the content or target. */
export function snapshot(root: string, inner = ""): Record<string, string> {
    const found: Record<string, string> = {};
    for (const entry of readdirSync(path.join(root, inner), { withFileTypes: true })) {
        const name = path.posix.join(inner, entry.name);
        const at = path.join(root, name);
        const { mode, mtimeMs } = lstatSync(at);
        if (entry.isDirectory()) Object.assign(found, snapshot(root, name), { [name]: mode.toString(8) });
        else if (entry.isSymbolicLink()) found[name] = readlinkSync(at);
        else found[name] = `${mode.toString(8)} ${mtimeMs} ${readFileSync(at, "utf8")}`;
    }
    return found;
}
