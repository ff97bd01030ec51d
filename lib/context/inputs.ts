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
import { type InputFile, type Step, type Tree, follow, led, sentPatterns, sentTree, statOf } from "./walk";

/** A source as `readDockerfile` gives it. */
export type InputSource = Pick<Source, "pattern" | "include" | "mount"> &
    Partial<Pick<Source, "exclude">> & { readonly line: number; readonly triggeredBy?: string; readonly instruction: string };

/** What BuildKit would read of a context that nobody wants in an image, unless a Dockerfile names it. */
export interface Swept {
    /** The instructions that read the whole context, as "COPY in line 3". */
    readonly by: readonly string[];
    /** The inputs that are files: how many, and their bytes. */
    readonly files: number;
    readonly bytes: number;
    /** The same of the folders in the context's root, the largest first. */
    readonly folders: readonly { readonly name: string; readonly files: number; readonly bytes: number }[];
    /** Paths that BuildKit would have read, with all below them, and that are no inputs: no Dockerfile names them. */
    readonly leftOut: readonly string[];
}

/**
 * What differs from checkout to checkout, or with every run of ours, and is in no image on purpose. Staged contexts and records of
 * updates are made by each run; a stack's configuration is what one edits to have another update.
 */
const sweptNames = new Set([".git", "node_modules"]);
const ownNames = /^(?:\.stage|\.updates|Pulumi(?:\.[^/]+)?\.yaml)$/;

const nameOf = ({ pattern, include = "" }: InputSource): string => path.posix.join(pattern, include);

/** Whether a part of a pattern says something of the names that it matches: `*` and `.*` name nothing. */
const isTelling = (part: string, mount = false): boolean =>
    mount || !isWild(part) || /[\p{L}\p{N}]/u.test(part.replace(/\[(?:\\[^]|[^\]\\])*\]/gu, ""));

/**
 * Whether a Dockerfile names a path that a source leads to, or a folder above it, rather than sweeping it up with everything else: a
 * part of the source that stands as high as the path's last part, or higher, says more than `*`.
 */
function isNamed(source: InputSource, file: string): boolean {
    const parts = [...partsOf(source.pattern), ...partsOf(source.include ?? "")];
    const deep = parts.findIndex((part) => !source.mount && part.includes("**"));
    const above = parts.slice(0, deep < 0 ? undefined : deep).slice(0, file.split("/").length);
    // What stands behind `**` can be at any depth.
    const behind = deep < 0 ? [] : parts.slice(deep + 1);
    const isIt = (part: string) => matchesPath(part, path.posix.basename(file)) === true;
    return above.some((part) => isTelling(part, source.mount)) || behind.some((part) => isTelling(part) && isIt(part));
}

/** What a source reads of a context, files, links and folders by path, or why BuildKit would refuse it. */
interface Reading {
    readonly taken: ReadonlySet<string>;
    readonly leftOut: ReadonlySet<string>;
    /** A path that is not there, and the links that lead to it. */
    readonly missing?: { readonly file: string; readonly links: readonly Step[] };
}

/** Whether a source names exactly one path, which then has to be there. */
const isPlain = ({ pattern, include = "", mount }: InputSource): boolean =>
    mount === true || ![...partsOf(pattern), ...partsOf(include)].some(isWild);

/** The path of a source from the context's root, as BuildKit asks for it. */
const askedFor = (source: InputSource): string => partsOf(nameOf(source)).join("/");

/**
 * Whether BuildKit, which takes what it asks for as a pattern, asks for something else than a source names: for nothing where it starts with
 * `!`, for `1` where a mount's is `[1]`. It may come because of another source; what is staged would not.
 */
const isMisread = (source: InputSource): boolean => {
    const name = askedFor(source);
    return name !== "" && (name.startsWith("!") || (isPlain(source) && !patternMatcher([name]).matches(name)));
};

/** What a source reads of what is sent (tonistiigi/fsutil, copy; solver/llbsolver/file; cache/contenthash). */
function read(tree: Tree, source: InputSource, isOwn: (file: string) => boolean): Reading {
    const taken = new Set<string>();
    const leftOut = new Set<string>();
    const exclude = patternMatcher(source.exclude ?? []);
    const include = source.include === undefined ? undefined : patternMatcher([source.include]);
    const isLeftOut = (file: string) =>
        (sweptNames.has(path.posix.basename(file)) || isOwn(file)) && !isNamed(source, file);
    const join = (folder: string, name: string) => path.posix.join(folder, name);

    /** Follows the links on the way to a path, which whoever copies it reads as well. */
    const reach = (file: string) => {
        const { links, end } = follow(tree, file);
        for (const { link } of links) taken.add(link);
        return { links, end, ...(tree.kind(end) === undefined && { missing: { file: end, links } }) };
    };
    const isIn = (file: string, matcher: Matcher | undefined) => matcher?.matches(file) ?? true;
    /** Takes what is chosen below a folder; patterns count from `start`. */
    const below = (start: string, folder: string): void => {
        for (const name of tree.names(folder)) {
            const file = join(folder, name);
            const inner = path.posix.relative(`/${start}`, `/${file}`);
            const isChosen = isIn(inner, include) && !exclude.matches(inner);
            if (isLeftOut(file)) {
                if (isChosen) leftOut.add(file);
                continue;
            }
            if (isChosen) taken.add(file);
            if (tree.kind(file) !== "folder") continue;
            const mayBeIn = isIn(inner, include) || include?.mayMatch(inner) === true;
            if (mayBeIn && (!exclude.matches(inner) || exclude.mayExcept(inner))) below(start, file);
        }
    };
    /** The paths that wildcards name, from a folder on. What lies below one of them is named by it. */
    const matching = (start: string, rest: string, folder: string): string[] =>
        tree.names(folder).flatMap((name): string[] => {
            const file = join(folder, name);
            const inner = path.posix.relative(`/${start}`, `/${file}`);
            const isIt = matchesPath(rest, inner) === true;
            if (!isIt && !(tree.kind(file) === "folder" && reaches(rest, inner))) return [];
            if (!isLeftOut(file)) return isIt ? [file] : matching(start, rest, file);
            if (isIt) leftOut.add(file);
            return [];
        });

    const wild = source.mount ? undefined : splitWildcards(source.pattern);
    const plain = partsOf(source.pattern).join("/");
    const way = reach(wild ? wild.folder : plain);
    if (way.missing) return { taken, leftOut, missing: way.missing };
    taken.add(way.end);
    for (const match of wild ? matching(way.end, wild.rest, way.end) : [plain]) {
        const { end, missing } = reach(match);
        if (missing) return { taken, leftOut, missing };
        taken.add(end);
        if (tree.kind(end) === "folder") below(end, end);
    }
    if (source.include !== undefined && isPlain(source)) {
        // The cache looks for it before anything is copied: never for the pivot itself, and not behind a link that the pivot is.
        const isLink = way.links.some(({ link }, index) => link === (way.links[index - 1]?.next ?? plain));
        const required = join(way.end, source.include);
        const isThere = [...taken].some((file) => file === required || file.startsWith(`${required}/`));
        if (isLink || source.include === "" || !isThere) {
            return { taken, leftOut, missing: { file: required, links: [] } };
        }
    }
    return { taken, leftOut };
}

/** Why BuildKit would not find what a source names. */
function whyMissing(
    source: InputSource,
    { all, ignore, isOwn, root }: { all: Tree; ignore: Ignore; isOwn: (file: string) => boolean; root: string },
): { readonly why: string; readonly next: string } {
    const there = read(all, { ...source, exclude: [] }, isOwn);
    const link = there.missing?.links.at(-1);
    if (there.missing && link && all.kind(led(link.link, all.target(link.link))) === undefined) {
        const to = all.target(link.link);
        const why = `leads through the symbolic link ${shownPath(link.link)} to ${shownPath(to)}, which is not in the build context`;
        return { why, next: "copy what it leads to into the repository, and name that" };
    }
    if (there.missing) return { why: "matches no file", next: `create it below ${root}, or correct the path` };
    if (read(sentTree(all, ignore, undefined), { ...source, exclude: [] }, isOwn).missing) {
        // What is left out may be a secret: no advice lets it into an image.
        const next = `don't copy it, or look at what ${ignore.file ?? "the ignore file"} says about it`;
        return { why: `${ignore.file ?? "an ignore file"} leaves out`, next };
    }
    if (read(all, source, isOwn).missing) {
        return { why: "--exclude leaves out", next: "exclude less, or remove the source" };
    }
    if (isMisread(source)) {
        return {
            why: "BuildKit takes for a pattern when it asks for files, so that it is not there",
            next: source.mount
                ? "mount the folder that it lies in"
                : "let it start with another character ([!]a matches !a), or copy the folder that it lies in",
        };
    }
    if (!isPlain(source)) {
        const next = "let something in that folder match, or copy the folder";
        return { why: "is looked for in a folder of which nothing is sent", next };
    }
    return {
        why: "BuildKit does not find, because another source leads through the same symbolic link",
        next: "name what the link leads to",
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
    // The owner's bit is the one that git keeps.
    const executable = ((stat?.mode ?? 0) & 0o100) !== 0;
    return { input: { path: file, hash: checkout.hash(absolute), executable }, bytes: stat?.size ?? 0 };
}

/** How a context is read. */
export interface ContextOptions {
    /** Path from the repository's root: its own .dockerignore wins, and messages name it. */
    readonly dockerfile: string;
    /** The context's root, from the repository's; default ".". */
    readonly context?: string;
    /** Whether .dockerignore counts; default true. */
    readonly ignored?: boolean;
}

/** Folders that are there because of another path in a list say nothing of their own. */
function withoutImplied(tree: Tree, files: Iterable<string>): string[] {
    const implied = new Set<string>([""]);
    const all = [...files];
    for (const file of all) {
        for (let at = file.lastIndexOf("/"); at > 0; at = file.lastIndexOf("/", at - 1)) implied.add(file.slice(0, at));
    }
    return all.filter((file) => !(implied.has(file) && tree.kind(file) === "folder"));
}

/**
 * What a Dockerfile's sources read of the build context, as BuildKit does it: what is sent for all of them together, minus what
 * .dockerignore leaves out, and of that what each copies or mounts. A link that a source leads through is read, and what it leads to as
 * well; a link below a folder is an input only itself, wherever it leads. A wildcard may match nothing (`COPY .npmrc* ./`), where the
 * folder that it is looked for in is there.
 *
 * Folders are inputs: one whose files are all ignored exists in the image. A folder that exists counts, whether or not git keeps it, as
 * a file does that was never committed: BuildKit knows nothing of git. Where that makes checkouts differ, the folder itself is what
 * .dockerignore should name (a name, and not only what is in it).
 *
 * One difference is on purpose: see `isNamed`, and docs/decisions.md.
 *
 * @returns the inputs, each once, sorted by path, and what is to be said where a source takes in more than it names
 * @throws InputError for a source that BuildKit would not find, or would copy without its content, and for patterns that can't be read
 */
export function readContext(
    checkout: Checkout,
    sources: readonly InputSource[],
    { dockerfile, context: folder = ".", ignored = true }: ContextOptions,
): { readonly inputs: InputFile[]; readonly swept?: Swept } {
    const stat = statSync(path.join(checkout.root, folder), { throwIfNoEntry: false });
    if (!stat?.isDirectory()) {
        const next = "correct `context` in images.ts (paths are from the repository's root)";
        const why = stat ? "no folder" : "missing";
        throw new InputError({ problem: `the build context ${folder} is ${why}`, where: dockerfile, next });
    }
    const base = realpathSync(path.join(checkout.root, folder));
    const down = path.relative(checkout.root, base);
    const isOwn = (file: string) => ownNames.test(path.posix.join(down, file));
    const ignore: Ignore = ignored ? readIgnore(checkout, base, dockerfile) : ignoring("");
    const all = checkout.tree(base);
    for (const source of sources) patternMatcher([askedFor(source)], `${dockerfile}:${source.line}`);
    const sent = sentPatterns(all, sources.map(askedFor));
    const included = sent && patternMatcher(sent, dockerfile);
    const tree = sentTree(all, ignore, included);
    const taken = new Set<string>();
    const leftOut = new Set<string>();
    for (const source of sources) {
        const reading = read(tree, source, isOwn);
        const where = placeOf(`${dockerfile}:${source.line}`, source);
        if (reading.missing || (sent && isMisread(source) && [...reading.taken].some((file) => file !== ""))) {
            const { why, next } = whyMissing(source, { all, ignore, isOwn, root: folder });
            throw new InputError({
                problem: `${source.instruction} reads "${nameOf(source)}", which ${why}`,
                where,
                next,
            });
        }
        for (const file of reading.taken) {
            const isContent = tree.kind(file) === "file" && !taken.has(file);
            // Nothing is missing of a file that is empty.
            if (isContent && (statOf(path.join(base, file))?.size ?? 0) > 0) ignore.checkContent(file);
            refuseRaw(tree, file, source, where);
            taken.add(file);
        }
        for (const file of reading.leftOut) leftOut.add(file);
    }
    const found = withoutImplied(tree, taken)
        .sort((a, b) => (a < b ? -1 : 1))
        .map((file) => readInput(checkout, base, tree, file));
    const by = sources
        .filter(({ pattern, include }) => partsOf(pattern).length === 0 && include === undefined)
        .map(({ instruction, line }) => `${instruction} in line ${line}`);
    const missed = [...leftOut].filter((file) => !taken.has(file)).sort();
    const inputs = found.map(({ input }) => input);
    return by.length === 0 && missed.length === 0
        ? { inputs }
        : { inputs, swept: { by, ...sizesOf(found), leftOut: missed } };
}

function sizesOf(found: readonly { readonly input: InputFile; readonly bytes: number }[]) {
    const folders = new Map<string, { files: number; bytes: number }>();
    const whole = { files: 0, bytes: 0 };
    for (const { input, bytes } of found.filter((one) => one.input.folder !== true)) {
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
 * Refuses what BuildKit could copy and Pulumi's docker-build 0.0.22 can't send to it (tried: "string field contains invalid UTF-8").
 *
 * @throws InputError that names the path
 */
function refuseRaw(tree: Tree, file: string, { instruction, pattern }: InputSource, where: string): void {
    const target = tree.kind(file) === "link" ? tree.target(file) : "";
    if (!isRaw(file) && !isRaw(target)) return;
    const link = target === "" ? "" : `, a link to ${shownPath(target)}`;
    throw new InputError({
        problem:
            `${instruction} reads ${shownPath(file)}${link}${file === pattern ? "" : ` in "${pattern}"`}: what is not UTF-8 can't be ` +
            "sent to the builder by Pulumi's docker-build",
        where,
        next: "rename it, or leave it out in .dockerignore (? stands for the byte)",
    });
}

/** The inputs alone; see `readContext`. */
export const collectInputs = (
    checkout: Checkout,
    sources: readonly InputSource[],
    options: ContextOptions,
): InputFile[] => readContext(checkout, sources, options).inputs;
