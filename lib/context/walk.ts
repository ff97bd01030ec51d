import { createHash } from "node:crypto";
import { type Stats, closeSync, lstatSync, openSync, readSync, readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import { InputError } from "../errors";
import { isWild, matchesPath } from "./goPatterns";
import type { Ignore, Matcher } from "./ignore";
import { pathOf, shownPath, textOf } from "./rawNames";

/** A file, link or folder of the build context that a Dockerfile reads. */
export interface InputFile {
    /** Path from the context's root, with slashes; bytes that are not UTF-8 as lib/context/rawNames.ts has them. */
    readonly path: string;
    /** SHA-256 of the content, or of a link's target, as hex; "" for a folder. */
    readonly hash: string;
    /** The only permission that counts: git keeps no other. */
    readonly executable: boolean;
    /** Target of a symbolic link. */
    readonly symlink?: string;
    /** A folder in which no other input lies: any other folder is there because of what is in it. */
    readonly folder?: true;
}

/** What is at a path, links not followed; undefined when nothing is. */
export function statOf(file: string): Stats | undefined {
    // Nothing has such a name, nor one that is too long.
    if (file.includes("\0")) return undefined;
    try {
        return lstatSync(pathOf(file));
    } catch (error) {
        const { code = "" } = error as NodeJS.ErrnoException;
        if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code)) return undefined;
        throw error;
    }
}

/** Where a link points to, as it is written in it. */
export const targetOf = (link: string): string => textOf(readlinkSync(pathOf(link), { encoding: "buffer" }));

/** SHA-256 of a file's content as hex, read a piece at a time: a model's weights can be larger than a buffer. */
export function hashFile(file: string): string {
    const hash = createHash("sha256");
    const piece = Buffer.allocUnsafe(1 << 20);
    const descriptor = openSync(pathOf(file), "r");
    try {
        for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece)) {
            hash.update(piece.subarray(0, read));
        }
    } finally {
        closeSync(descriptor);
    }
    return hash.digest("hex");
}

/** What a path can be; anything else, a socket say, is not there. */
export type Kind = "file" | "link" | "folder";

const kindOf = (one: Pick<Stats, "isFile" | "isDirectory" | "isSymbolicLink">): Kind | undefined =>
    one.isFile() ? "file" : one.isSymbolicLink() ? "link" : one.isDirectory() ? "folder" : undefined;

/** What lies in a folder, by name. */
export const entriesOf = (folder: string): (readonly [string, Kind | undefined])[] =>
    readdirSync(pathOf(folder), { withFileTypes: true, encoding: "buffer" }).map((entry) => [
        textOf(entry.name),
        kindOf(entry),
    ]);

/** A folder with all below it, looked at only where somebody asks. Paths are from that folder, with slashes; "" is itself. */
export interface Tree {
    /** What is at a path; no link on the way is followed. */
    readonly kind: (path: string) => Kind | undefined;
    /** Where a link points to. */
    readonly target: (link: string) => string;
    /** The names in a folder, sorted; none for anything else. */
    readonly names: (folder: string) => readonly string[];
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A function that remembers its results. */
export function remembering<T>(find: (path: string) => T): (path: string) => T {
    const known = new Map<string, T>();
    return (path) => {
        const found = known.get(path);
        if (found !== undefined || known.has(path)) return found as T;
        const fresh = find(path);
        known.set(path, fresh);
        return fresh;
    };
}

/** The folder above a path; "" for the root. */
const above = (file: string): string => path.posix.join("/", file, "..").slice(1);

/** A folder on disk. */
export function diskTree(base: string): Tree {
    const entries = remembering((folder): ReadonlyMap<string, Kind | undefined> =>
        kind(folder) === "folder" ? new Map(entriesOf(path.join(base, folder))) : new Map(),
    );
    // A single path is asked for itself: the folder that it lies in may not be readable as a whole.
    const kind = remembering((file): Kind | undefined => {
        if (file === "") return "folder";
        if (kind(above(file)) !== "folder") return undefined;
        const stat = statOf(path.join(base, file));
        return stat && kindOf(stat);
    });
    return {
        kind,
        target: (link) => targetOf(path.join(base, link)),
        names: remembering((folder) => [...entries(folder).keys()].sort(byText)),
    };
}

/**
 * What is sent of a folder (tonistiigi/fsutil, filterFS): what `included` names, if that is given, and `ignore` does not leave out, and
 * the folders above each.
 */
export function sentTree(all: Tree, ignore: Ignore, included: Matcher | undefined): Tree {
    const isChosen = (file: string) => (included?.matches(file) ?? true) && !ignore.ignores(file);
    const mayHold = (folder: string) =>
        (!included || included.matches(folder) || included.mayMatch(folder)) &&
        (!ignore.ignores(folder) || ignore.mayReenter(folder));
    const kind = remembering((file): Kind | undefined => {
        if (file === "") return "folder";
        const found = all.kind(file);
        if (found === undefined || isChosen(file)) return found;
        return found === "folder" && names(file).length > 0 ? found : undefined;
    });
    const names = remembering((folder): readonly string[] => {
        if (folder !== "" && !mayHold(folder)) return [];
        return all.names(folder).filter((name) => kind(path.posix.join(folder, name)) !== undefined);
    });
    return { kind, target: all.target, names };
}

/** Where a link leads, from the tree's root, which nothing climbs out of. */
export const led = (link: string, target: string): string =>
    path.posix.join("/", path.posix.isAbsolute(target) ? "" : above(link), target).replace(/^\/|\/$/g, "");

/** A link on the way to a path. */
export interface Step {
    readonly link: string;
    /** The path with the link replaced by what it leads to. */
    readonly next: string;
}

/** The first link on the way to a path, itself included; undefined for none. */
function firstLink(tree: Tree, file: string): Step | undefined {
    const parts = file.split("/");
    for (const count of parts.keys()) {
        const link = parts.slice(0, count + 1).join("/");
        if (tree.kind(link) !== "link") continue;
        return {
            link,
            next: path.posix.join(led(link, tree.target(link)), ...parts.slice(count + 1)).replace(/^\.$/, ""),
        };
    }
    return undefined;
}

/** BuildKit's own limit (containerd/continuity, fs.RootPath). */
const mostLinks = 255;

/**
 * The links on the way to a path, one after the other, and where they lead in the end, whether something is there or not.
 *
 * @throws InputError for links that lead to each other
 */
export function follow(tree: Tree, file: string): { readonly links: readonly Step[]; readonly end: string } {
    const links: Step[] = [];
    let end = file;
    for (let step = firstLink(tree, end); step; step = firstLink(tree, end)) {
        links.push(step);
        end = step.next;
        if (links.length <= mostLinks) continue;
        throw new InputError({ problem: `${shownPath(file)}: too many symbolic links lead to each other` });
    }
    return { links, end };
}

/** The paths that a wildcard names as the links among them have it: where each leads. Undefined where none is a link. */
function ledByWildcard(tree: Tree, folder: string, part: string): string[] | undefined {
    const found = tree
        .names(folder)
        .filter((name) => matchesPath(part, name))
        .map((name) => path.posix.join(folder, name))
        .filter((file) => tree.kind(file) === "link");
    return found.length > 0 ? found.map((link) => led(link, tree.target(link))) : undefined;
}

/**
 * The patterns of what a client is asked to send (tonistiigi/fsutil, FollowLinks): the sources' paths, and where links on their way
 * lead. BuildKit takes a source as it is written for such a pattern, its `!` or `[` too, and goes on behind a link only once.
 *
 * @param all the whole context: links are followed although an ignore file leaves them out
 * @param paths of the sources from the context's root
 * @returns undefined where everything is sent
 */
export function sentPatterns(all: Tree, paths: readonly string[]): string[] | undefined {
    const known = new Set<string>();
    const add = (written: string): void => {
        const parts = written.split("/");
        for (const count of parts.keys()) {
            const current = parts.slice(0, count + 1).join("/");
            const part = parts[count] ?? "";
            const isLink = all.kind(current) === "link";
            const targets = isWild(part)
                ? ledByWildcard(all, above(current), part)
                : isLink
                  ? [led(current, all.target(current))]
                  : undefined;
            if (!targets && count + 1 < parts.length) continue;
            if (known.has(current)) return;
            known.add(current);
            for (const target of targets ?? [])
                add(path.posix.join(target, ...parts.slice(count + 1)).replace(/^\.$/, ""));
            return;
        }
    };
    for (const one of [...new Set(paths)].sort(byText)) add(one);
    if (known.has("") || paths.includes("")) return undefined;
    return [...known].sort(byText);
}
