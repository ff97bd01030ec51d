import { createHash } from "node:crypto";
import { type Stats, closeSync, lstatSync, openSync, readSync, readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import { InputError } from "../errors";
import { isWild, matchesPath } from "./goPatterns";
import type { Ignore, Matcher } from "./ignore";
import { pathOf, shownPath, textOf } from "./rawNames";

/** A file, link or folder of the build context that a Dockerfile reads. */
export interface InputFile {
    /** Path from the context's root, with slashes; lib/context/rawNames.ts describes bytes that are not UTF-8. */
    readonly path: string;
    /** SHA-256 of the content, or of a link's target, as hex; "" for a folder. */
    readonly hash: string;
    /** Whether it is executable, the only permission that git keeps. */
    readonly executable: boolean;
    /** Target of a symbolic link. */
    readonly symlink?: string;
    /** Set for a folder that contains no other input; any other folder follows from its content. */
    readonly folder?: true;
}

/** Returns the status of a path without following links; undefined if it does not exist. */
export function statOf(file: string): Stats | undefined {
    // No file can have a name with a null byte, or a name that is too long.
    if (file.includes("\0")) return undefined;
    try {
        return lstatSync(pathOf(file));
    } catch (error) {
        const { code = "" } = error as NodeJS.ErrnoException;
        if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code)) return undefined;
        throw error;
    }
}

/** Returns the target of a link, as written in the link. */
export const targetOf = (link: string): string => textOf(readlinkSync(pathOf(link), { encoding: "buffer" }));

/**
 * Returns the SHA-256 of a file's content as hex. It reads in pieces: a model's weights can be larger than a buffer.
 */
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

/** The kinds of paths. Anything else, such as a socket, is treated as missing. */
export type Kind = "file" | "link" | "folder";

const kindOf = (entry: Pick<Stats, "isFile" | "isDirectory" | "isSymbolicLink">): Kind | undefined =>
    entry.isFile() ? "file" : entry.isSymbolicLink() ? "link" : entry.isDirectory() ? "folder" : undefined;

/** Returns the entries of a folder, by name. */
export const entriesOf = (folder: string): (readonly [string, Kind | undefined])[] =>
    readdirSync(pathOf(folder), { withFileTypes: true, encoding: "buffer" }).map((entry) => [
        textOf(entry.name),
        kindOf(entry),
    ]);

/**
 * A folder with everything below it, read on demand. Paths are relative to it, with slashes; "" is the folder itself.
 */
export interface Tree {
    /** Returns the kind of a path; links on the way are not followed. */
    readonly kind: (path: string) => Kind | undefined;
    /** Whether a path is a link. Unlike `kind`, this never lists a folder. */
    readonly isLink: (path: string) => boolean;
    /** Returns the target of a link. */
    readonly target: (link: string) => string;
    /** Returns the names in a folder, sorted; empty for anything else. */
    readonly names: (folder: string) => readonly string[];
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Returns a function that remembers its results. */
export function memoized<T>(find: (path: string) => T): (path: string) => T {
    const results = new Map<string, T>();
    return (path) => {
        const cached = results.get(path);
        if (cached !== undefined || results.has(path)) return cached as T;
        const result = find(path);
        results.set(path, result);
        return result;
    };
}

/** Returns the folder above a path; "" for the root. */
const above = (file: string): string => path.posix.join("/", file, "..").slice(1);

/** Returns the tree of a folder on disk. */
export function diskTree(base: string): Tree {
    const entries = memoized((folder): ReadonlyMap<string, Kind | undefined> =>
        kind(folder) === "folder" ? new Map(entriesOf(path.join(base, folder))) : new Map(),
    );
    const listed = new Set<string>();
    const kind = memoized((file): Kind | undefined => {
        if (file === "") return "folder";
        const folder = above(file);
        if (listed.has(folder)) return entries(folder).get(path.posix.basename(file));
        if (kind(folder) !== "folder") return undefined;
        // A single path is examined directly: its folder may not be listable.
        const stat = statOf(path.join(base, file));
        return stat && kindOf(stat);
    });
    return {
        kind,
        isLink: (file) => kind(file) === "link",
        target: (link) => targetOf(path.join(base, link)),
        names: memoized((folder) => {
            const names = [...entries(folder).keys()].sort(byText);
            listed.add(folder);
            return names;
        }),
    };
}

/**
 * Returns the part of a tree that is sent to BuildKit (tonistiigi/fsutil, filterFS): the paths that `included` matches,
 * if given, and that `ignore` does not exclude, and the folders above these paths.
 */
export function sentTree(contextTree: Tree, ignore: Ignore, included: Matcher | undefined): Tree {
    const isSent = (file: string) => (included?.matches(file) ?? true) && !ignore.ignores(file);
    const mayHold = (folder: string) =>
        (!included || included.matches(folder) || included.mayMatch(folder)) &&
        (!ignore.ignores(folder) || ignore.mayReenter(folder));
    const kind = memoized((file): Kind | undefined => {
        if (file === "") return "folder";
        const original = contextTree.kind(file);
        if (original === undefined || isSent(file)) return original;
        return original === "folder" && names(file).length > 0 ? original : undefined;
    });
    const names = memoized((folder): readonly string[] => {
        if (folder !== "" && !mayHold(folder)) return [];
        return contextTree.names(folder).filter((name) => kind(path.posix.join(folder, name)) !== undefined);
    });
    return {
        kind,
        isLink: (file) => contextTree.isLink(file) && isSent(file),
        target: contextTree.target,
        names,
    };
}

/** Returns the path of a link's target from the tree's root; `..` can't leave the root. */
export const linkDestination = (link: string, target: string): string =>
    path.posix.join("/", path.posix.isAbsolute(target) ? "" : above(link), target).replace(/^\/|\/$/g, "");

/** A link on the way to a path. */
export interface Step {
    readonly link: string;
    /** The path with the link replaced by its destination. */
    readonly next: string;
}

/** Returns the first link on the way to a path, including the path itself; undefined if there is no link. */
function firstLink(tree: Tree, file: string): Step | undefined {
    const parts = file.split("/");
    for (const count of parts.keys()) {
        const link = parts.slice(0, count + 1).join("/");
        if (!tree.isLink(link)) continue;
        return {
            link,
            next: path.posix
                .join(linkDestination(link, tree.target(link)), ...parts.slice(count + 1))
                .replace(/^\.$/, ""),
        };
    }
    return undefined;
}

/** BuildKit's limit (containerd/continuity, fs.RootPath). */
const highestLinkCount = 255;

/**
 * Follows the links on the way to a path. Returns the links in order, and their final destination, which may not exist.
 *
 * @throws InputError for a cycle of links
 */
export function followLinks(tree: Tree, file: string): { readonly links: readonly Step[]; readonly end: string } {
    const links: Step[] = [];
    let end = file;
    for (let step = firstLink(tree, end); step; step = firstLink(tree, end)) {
        links.push(step);
        end = step.next;
        if (links.length <= highestLinkCount) continue;
        throw new InputError({
            problem: `${shownPath(file)}: too many symbolic links, probably a cycle`,
            next: "remove the link that leads back",
        });
    }
    return { links, end };
}

/** Returns the destinations of the links that a wildcard matches; undefined if it matches no link. */
function wildcardDestinations(tree: Tree, folder: string, part: string): string[] | undefined {
    const links = tree
        .names(folder)
        .filter((name) => matchesPath(part, name))
        .map((name) => path.posix.join(folder, name))
        .filter((file) => tree.kind(file) === "link");
    return links.length > 0 ? links.map((link) => linkDestination(link, tree.target(link))) : undefined;
}

/**
 * Returns the patterns that BuildKit sends to the client to request files (tonistiigi/fsutil, FollowLinks): the
 * sources' paths and the destinations of links on their way. BuildKit uses a source as written as a pattern, including
 * `!` and `[`, and continues after each link only once.
 *
 * @param contextTree the whole context: links are followed even if an ignore file excludes them
 * @param paths of the sources from the context's root
 * @returns undefined if everything is sent
 */
export function sentPatterns(contextTree: Tree, paths: readonly string[]): string[] | undefined {
    const requested = new Set<string>();
    const add = (written: string): void => {
        const parts = written.split("/");
        for (const count of parts.keys()) {
            const current = parts.slice(0, count + 1).join("/");
            const part = parts[count] ?? "";
            const isLink = contextTree.kind(current) === "link";
            const targets = isWild(part)
                ? wildcardDestinations(contextTree, above(current), part)
                : isLink
                  ? [linkDestination(current, contextTree.target(current))]
                  : undefined;
            if (!targets && count + 1 < parts.length) continue;
            if (requested.has(current)) return;
            requested.add(current);
            for (const target of targets ?? [])
                add(path.posix.join(target, ...parts.slice(count + 1)).replace(/^\.$/, ""));
            return;
        }
    };
    for (const written of [...new Set(paths)].sort(byText)) add(written);
    if (requested.has("") || paths.includes("")) return undefined;
    return [...requested].sort(byText);
}
