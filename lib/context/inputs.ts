import { createHash } from "node:crypto";
import { realpathSync, statSync } from "node:fs";
import path from "node:path";
import type { Source } from "../dockerfile/reads";
import { InputError, placeOf } from "../errors";
import { readIgnore } from "./checkout";
import { isWild, matchesPath, partsOf, splitWildcards } from "./goPatterns";
import { type Ignore, type Matcher, ignoring, patternMatcher, reaches } from "./ignore";
import type { Checkout } from "./checkout";
import { isRaw, shownPath } from "./rawNames";
import {
    type InputFile,
    type Step,
    type Tree,
    followLinks,
    linkDestination,
    sentPatterns,
    sentTree,
    statOf,
} from "./walk";

/** A source as returned by `readDockerfile`. */
export type InputSource = Pick<Source, "pattern" | "include" | "mount"> &
    Partial<Pick<Source, "exclude">> & {
        readonly line: number;
        readonly triggeredBy?: string;
        readonly instruction: string;
    };

/** Sources that read more than they name, such as `COPY . .`: what they add to an image, and what is omitted. */
export interface BroadCopies {
    /** The instructions that read the whole context, as "COPY in line 3". */
    readonly instructions: readonly string[];
    /** The number of input files, and their size in bytes. */
    readonly files: number;
    readonly bytes: number;
    /** The same for each folder in the context's root, the largest first. */
    readonly folders: readonly { readonly name: string; readonly files: number; readonly bytes: number }[];
    /**
     * Paths that BuildKit would read, with everything below them, and that are not inputs because no Dockerfile names
     * them.
     */
    readonly omitted: readonly string[];
}

/**
 * Files that differ between checkouts or change with every run of this program, so they do not belong in an image. Each
 * run writes staged contexts and records of updates; the configuration of a stack changes to start an update.
 */
const omittedNames = new Set([".git", "node_modules"]);
const programPaths = /^(?:\.stage|\.updates|Pulumi(?:\.[^/]+)?\.yaml)$/;

const nameOf = ({ pattern, include = "" }: InputSource): string => path.posix.join(pattern, include);

/** Checks whether a part of a pattern restricts the names that it matches; `*` and `.*` do not. */
const isTelling = (part: string, mount = false): boolean =>
    mount || !isWild(part) || /[\p{L}\p{N}]/u.test(part.replace(/\[(?:\\[^]|[^\]\\])*\]/gu, ""));

/**
 * Checks whether a Dockerfile names a path or a folder above it, rather than copying it together with everything else.
 * It does if a part of the source at the depth of the path's last part, or above, is more specific than `*`.
 */
function isNamed(source: InputSource, file: string): boolean {
    const parts = [...partsOf(source.pattern), ...partsOf(source.include ?? "")];
    const deep = parts.findIndex((part) => !source.mount && part.includes("**"));
    const above = parts.slice(0, deep < 0 ? undefined : deep).slice(0, file.split("/").length);
    // The parts after `**` can match at any depth.
    const behind = deep < 0 ? [] : parts.slice(deep + 1);
    const isIt = (part: string) => matchesPath(part, path.posix.basename(file)) === true;
    return above.some((part) => isTelling(part, source.mount)) || behind.some((part) => isTelling(part) && isIt(part));
}

/**
 * The result of reading a source: the paths of files, links and folders, or a missing path that makes BuildKit refuse
 * the source.
 */
interface Reading {
    readonly taken: ReadonlySet<string>;
    readonly omitted: ReadonlySet<string>;
    /** A path that does not exist, and the links on the way to it. */
    readonly missing?: { readonly file: string; readonly links: readonly Step[] };
}

/** Checks whether a source names exactly one path, which must exist. */
const isPlain = ({ pattern, include = "", mount }: InputSource): boolean =>
    mount === true || ![...partsOf(pattern), ...partsOf(include)].some(isWild);

/** Returns the path of a source from the context's root, as BuildKit requests it. */
const requestedPath = (source: InputSource): string => partsOf(nameOf(source)).join("/");

/**
 * Checks whether BuildKit, which reads a requested path as a pattern, requests other files than the source names: none
 * if the path starts with `!`, and `1` for a mount of `[1]`. BuildKit may still receive the file because of another
 * source, but the staged context would lack it.
 */
const isMisread = (source: InputSource): boolean => {
    const name = requestedPath(source);
    return name !== "" && (name.startsWith("!") || (isPlain(source) && !patternMatcher([name]).matches(name)));
};

/**
 * Reads a source from the files that are sent to BuildKit (tonistiigi/fsutil, copy; solver/llbsolver/file;
 * cache/contenthash).
 */
function read(tree: Tree, source: InputSource, isProgramPath: (file: string) => boolean): Reading {
    const taken = new Set<string>();
    const omitted = new Set<string>();
    const exclude = patternMatcher(source.exclude ?? []);
    const include = source.include === undefined ? undefined : patternMatcher([source.include]);
    const isOmitted = (file: string) =>
        (omittedNames.has(path.posix.basename(file)) || isProgramPath(file)) && !isNamed(source, file);
    const join = (folder: string, name: string) => path.posix.join(folder, name);

    /** Follows the links on the way to a path, which are inputs as well. */
    const reach = (file: string) => {
        const { links, end } = followLinks(tree, file);
        for (const { link } of links) taken.add(link);
        return { links, end, ...(tree.kind(end) === undefined && { missing: { file: end, links } }) };
    };
    const isIn = (file: string, matcher: Matcher | undefined) => matcher?.matches(file) ?? true;
    /** Takes the selected files below a folder; patterns are relative to `start`. */
    const below = (start: string, folder: string): void => {
        for (const name of tree.names(folder)) {
            const file = join(folder, name);
            const inner = path.posix.relative(`/${start}`, `/${file}`);
            const isSelected = isIn(inner, include) && !exclude.matches(inner);
            if (isOmitted(file)) {
                if (isSelected) omitted.add(file);
                continue;
            }
            if (isSelected) taken.add(file);
            if (tree.kind(file) !== "folder") continue;
            const mayBeIn = isIn(inner, include) || include?.mayMatch(inner) === true;
            if (mayBeIn && (!exclude.matches(inner) || exclude.mayExcept(inner))) below(start, file);
        }
    };
    /** Returns the paths below a folder that match wildcards, without the paths below a match. */
    const matching = (start: string, rest: string, folder: string): string[] =>
        tree.names(folder).flatMap((name): string[] => {
            const file = join(folder, name);
            const inner = path.posix.relative(`/${start}`, `/${file}`);
            const isMatch = matchesPath(rest, inner) === true;
            if (!isMatch && !(tree.kind(file) === "folder" && reaches(rest, inner))) return [];
            if (!isOmitted(file)) return isMatch ? [file] : matching(start, rest, file);
            if (isMatch) omitted.add(file);
            return [];
        });

    const wild = source.mount ? undefined : splitWildcards(source.pattern);
    const plain = partsOf(source.pattern).join("/");
    const way = reach(wild ? wild.folder : plain);
    if (way.missing) return { taken, omitted, missing: way.missing };
    taken.add(way.end);
    for (const match of wild ? matching(way.end, wild.rest, way.end) : [plain]) {
        const { end, missing } = reach(match);
        if (missing) return { taken, omitted, missing };
        taken.add(end);
        if (tree.kind(end) === "folder") below(end, end);
    }
    if (source.include !== undefined && isPlain(source)) {
        // BuildKit's cache looks for the path before anything is copied. It never finds the pivot itself, nor paths
        // below a pivot that is a link.
        const isLink = way.links.some(({ link }, index) => link === (way.links[index - 1]?.next ?? plain));
        const required = join(way.end, source.include);
        const isTaken = [...taken].some((file) => file === required || file.startsWith(`${required}/`));
        if (isLink || source.include === "" || !isTaken) {
            return { taken, omitted, missing: { file: required, links: [] } };
        }
    }
    return { taken, omitted };
}

/** Returns the reason why BuildKit would not find a source. */
function whyMissing(
    source: InputSource,
    {
        contextTree,
        ignore,
        isProgramPath,
        root,
    }: { contextTree: Tree; ignore: Ignore; isProgramPath: (file: string) => boolean; root: string },
): { readonly why: string; readonly next: string } {
    const unfiltered = read(contextTree, { ...source, exclude: [] }, isProgramPath);
    const link = unfiltered.missing?.links.at(-1);
    if (
        unfiltered.missing &&
        link &&
        contextTree.kind(linkDestination(link.link, contextTree.target(link.link))) === undefined
    ) {
        const to = contextTree.target(link.link);
        const why = `leads through the symbolic link ${shownPath(link.link)} to ${shownPath(to)}, which is not in the build context`;
        return { why, next: "copy the link's target into the repository, and name the copy" };
    }
    if (unfiltered.missing) return { why: "matches no file", next: `create it below ${root}, or correct the path` };
    if (read(sentTree(contextTree, ignore, undefined), { ...source, exclude: [] }, isProgramPath).missing) {
        // An excluded file may be a secret: the message must not suggest including it.
        const next = `remove the source, or check the patterns in ${ignore.file ?? "the ignore file"}`;
        return { why: `${ignore.file ?? "an ignore file"} excludes`, next };
    }
    if (read(contextTree, source, isProgramPath).missing) {
        return { why: "--exclude removes", next: "exclude less, or remove the source" };
    }
    if (isMisread(source)) {
        return {
            why: "BuildKit reads as a pattern when it requests files, so that it does not find the file",
            next: source.mount
                ? "mount the folder that contains it"
                : "start it with another character ([!]a matches !a), or copy the folder that contains it",
        };
    }
    if (!isPlain(source)) {
        const next = "add a matching file to that folder, or copy the folder";
        return { why: "BuildKit looks for in a folder that it does not receive", next };
    }
    return {
        why: "BuildKit does not find, because another source leads through the same symbolic link",
        next: "name the link's target",
    };
}

function readInput(
    checkout: Checkout,
    base: string,
    tree: Tree,
    file: string,
): { readonly input: InputFile; readonly bytes: number } {
    const absolute = path.join(base, file);
    const kind = tree.kind(file);
    if (kind === "folder") return { input: { path: file, hash: "", executable: false, folder: true }, bytes: 0 };
    if (kind === "link") {
        const symlink = tree.target(file);
        const hash = createHash("sha256").update(symlink).digest("hex");
        return { input: { path: file, hash, executable: false, symlink }, bytes: 0 };
    }
    const stat = statOf(absolute);
    // git records only the owner's bit.
    const executable = ((stat?.mode ?? 0) & 0o100) !== 0;
    return { input: { path: file, hash: checkout.hash(absolute), executable }, bytes: stat?.size ?? 0 };
}

/** Options for reading a context. */
export interface ContextOptions {
    /** Path from the repository's root; its own .dockerignore takes precedence, and messages name it. */
    readonly dockerfile: string;
    /** The context's root, relative to the repository's root; default ".". */
    readonly context?: string;
    /** Whether .dockerignore applies; default true. */
    readonly ignored?: boolean;
}

/** Removes the folders that contain another path of the list. */
function withoutImplied(tree: Tree, files: Iterable<string>): string[] {
    const implied = new Set<string>([""]);
    const paths = [...files];
    for (const file of paths) {
        for (let at = file.lastIndexOf("/"); at > 0; at = file.lastIndexOf("/", at - 1)) implied.add(file.slice(0, at));
    }
    return paths.filter((file) => !(implied.has(file) && tree.kind(file) === "folder"));
}

/**
 * Reads a Dockerfile's sources from the build context as BuildKit does: the files that are sent for all sources
 * together, without the files that .dockerignore excludes; of these, the files that each source copies or mounts. A
 * link on the way to a source is an input, and so is its target. Of a link below a copied folder only the link itself
 * is an input. A wildcard may match nothing (`COPY .npmrc* ./`) if the folder that contains it exists.
 *
 * Folders are inputs: a folder whose files are all ignored exists in the image. Files and folders count even if git
 * does not track them: BuildKit does not know about git. If that makes checkouts differ, .dockerignore should name the
 * folder itself and not only its content.
 *
 * There is one intended difference to BuildKit: see `isNamed`, and docs/decisions.md.
 *
 * @returns the inputs without duplicates, sorted by path, and the sources that read more than they name
 * @throws InputError for a source that BuildKit would not find or would copy without its content, and for invalid
 *     patterns
 */
export function readContext(
    checkout: Checkout,
    sources: readonly InputSource[],
    { dockerfile, context: folder = ".", ignored = true }: ContextOptions,
): { readonly inputs: InputFile[]; readonly broadCopies?: BroadCopies } {
    const stat = statSync(path.join(checkout.root, folder), { throwIfNoEntry: false });
    if (!stat?.isDirectory()) {
        const next = "correct `context` in images.ts (paths are from the repository's root)";
        const why = stat ? "not a folder" : "missing";
        throw new InputError({ problem: `the build context ${folder} is ${why}`, where: dockerfile, next });
    }
    const base = realpathSync(path.join(checkout.root, folder));
    const contextPath = path.relative(checkout.root, base);
    const isProgramPath = (file: string) => programPaths.test(path.posix.join(contextPath, file));
    const ignore: Ignore = ignored ? readIgnore(checkout, base, dockerfile) : ignoring("");
    const contextTree = checkout.tree(base);
    for (const source of sources) patternMatcher([requestedPath(source)], `${dockerfile}:${source.line}`);
    const sent = sentPatterns(contextTree, sources.map(requestedPath));
    const included = sent && patternMatcher(sent, dockerfile);
    const tree = sentTree(contextTree, ignore, included);
    const taken = new Set<string>();
    const omitted = new Set<string>();
    for (const source of sources) {
        const reading = read(tree, source, isProgramPath);
        const where = placeOf(`${dockerfile}:${source.line}`, source);
        if (reading.missing || (sent && isMisread(source) && [...reading.taken].some((file) => file !== ""))) {
            const { why, next } = whyMissing(source, { contextTree, ignore, isProgramPath, root: folder });
            throw new InputError({
                problem: `${source.instruction} reads "${nameOf(source)}", which ${why}`,
                where,
                next,
            });
        }
        for (const file of reading.taken) {
            const isContent = tree.kind(file) === "file" && !taken.has(file);
            if (isContent) ignore.checkContent(file, () => (statOf(path.join(base, file))?.size ?? 0) === 0);
            refuseRaw(tree, file, source, where);
            taken.add(file);
        }
        for (const file of reading.omitted) omitted.add(file);
    }
    const found = withoutImplied(tree, taken)
        .sort((a, b) => (a < b ? -1 : 1))
        .map((file) => readInput(checkout, base, tree, file));
    const instructions = sources
        .filter(({ pattern, include }) => partsOf(pattern).length === 0 && include === undefined)
        .map(({ instruction, line }) => `${instruction} in line ${line}`);
    const omittedPaths = [...omitted].filter((file) => !taken.has(file)).sort();
    const inputs = found.map(({ input }) => input);
    return instructions.length === 0 && omittedPaths.length === 0
        ? { inputs }
        : { inputs, broadCopies: { instructions, ...sizesOf(found), omitted: omittedPaths } };
}

function sizesOf(found: readonly { readonly input: InputFile; readonly bytes: number }[]) {
    const folders = new Map<string, { files: number; bytes: number }>();
    const whole = { files: 0, bytes: 0 };
    for (const { input, bytes } of found.filter(({ input }) => input.folder !== true)) {
        const [name = "", ...rest] = input.path.split("/");
        const folder = folders.get(name) ?? { files: 0, bytes: 0 };
        for (const sum of rest.length > 0 ? [whole, folder] : [whole]) {
            sum.files += 1;
            sum.bytes += bytes;
        }
        if (rest.length > 0) folders.set(name, folder);
    }
    const largest = [...folders].map(([name, sum]) => ({ name, ...sum })).sort((a, b) => b.bytes - a.bytes);
    return { ...whole, folders: largest };
}

/**
 * Refuses paths that BuildKit could copy but Pulumi's docker-build 0.0.22 can't send (tried: "string field contains
 * invalid UTF-8").
 *
 * @throws InputError with the path
 */
function refuseRaw(tree: Tree, file: string, { instruction, pattern }: InputSource, where: string): void {
    const target = tree.kind(file) === "link" ? tree.target(file) : "";
    if (!isRaw(file) && !isRaw(target)) return;
    const link = target === "" ? "" : `, a link to ${shownPath(target)}`;
    throw new InputError({
        problem:
            `${instruction} reads ${shownPath(file)}${link}${file === pattern ? "" : ` in "${pattern}"`}: Pulumi's docker-build can't ` +
            "send a name that is not UTF-8 to the builder",
        where,
        next: "rename it, or exclude it in .dockerignore (? matches the byte)",
    });
}

/** Returns only the inputs; see `readContext`. */
export const collectInputs = (
    checkout: Checkout,
    sources: readonly InputSource[],
    options: ContextOptions,
): InputFile[] => readContext(checkout, sources, options).inputs;
