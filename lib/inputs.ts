import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { InputError, placeOf } from "./errors";
import { type Ignore, ignoring, patternMatcher, readIgnore } from "./ignore";
import type { Source } from "./sources";
import { type InputFile, type Walk, addFile, addFolder, follow, statOf } from "./walk";
import { isWild, literally, matching, splitWildcards } from "./wildcards";

/** A source as `readDockerfile` gives it. */
export type InputSource = Pick<Source, "pattern" | "include"> &
    Partial<Pick<Source, "exclude">> & { readonly line: number; readonly left?: string; readonly instruction: string };

/** Staged contexts and the records of updates lie in the repository, change with every run, and are never inputs. */
const ownFolders = [".stage", ".updates"];

export type { InputFile };

/** A source's pattern with the links before its first wildcard followed; undefined where they lead nowhere. */
function followed(walk: Walk, pattern: string): string | undefined {
    const split = splitWildcards(pattern);
    if (!split || split.folder === "") return pattern;
    const folder = follow(walk, split.folder);
    return folder === undefined ? undefined : path.posix.join(literally(folder), split.rest);
}

/** Takes what a source names, and says how many paths it names, ignored or not. */
function collect(walk: Walk, source: InputSource): { readonly named: number; readonly taken: Map<string, InputFile> } {
    const exclude = patternMatcher(source.exclude ?? []);
    const include = source.include === undefined ? undefined : patternMatcher([source.include]);
    const own: Walk = { ...walk, found: new Map() };
    const pattern = followed(own, source.pattern);
    if (pattern === undefined) return { named: 0, taken: new Map() };
    let there = 0;
    let led = 0;
    for (const file of matching(walk.base, pattern)) {
        const real = follow(own, file);
        if (real === undefined) continue;
        there += 1;
        const links = own.found.size;
        if (statOf(path.join(walk.base, real))?.isDirectory()) addFolder(own, real, { include, exclude }, real);
        // Nothing lies below a file that stands where a pivot should.
        else if (!include) addFile(own, real);
        led += own.found.size - links;
    }
    // Links that led to nothing are no inputs.
    const taken = led > 0 ? own.found : new Map<string, InputFile>();
    return { named: include ? taken.size : there, taken };
}

/** Why a source names nothing that a build could read. */
function nothing(walk: Walk, source: InputSource, context: string): { readonly why: string; readonly next: string } {
    const open: Walk = { ...walk, ignore: ignoring(""), known: new Map() };
    if (collect(open, { ...source, exclude: [] }).named === 0) {
        return { why: "matches no file", next: `create it below ${context}, or correct the path` };
    }
    if (walk.ignore.file !== undefined && collect(open, source).taken.size > 0) {
        // What is left out may be a secret: no advice lets it into an image.
        const next = `don't copy it, or look at what ${walk.ignore.file} says about it`;
        return { why: `${walk.ignore.file} leaves out`, next };
    }
    if (collect(open, { ...source, exclude: [] }).taken.size > 0) {
        return { why: "--exclude leaves out", next: "exclude less, or remove the source" };
    }
    return { why: "holds no file", next: "git keeps no empty folders: put a file into it, or make it with RUN mkdir" };
}

const nameOf = ({ pattern, include = "" }: InputSource): string => path.posix.join(pattern, include);

/**
 * Whether BuildKit lets a source name nothing: it is the context, which is always there, or it has a wildcard, and the folder
 * that this is looked for in is sent because of some input.
 */
function isOptional(source: InputSource, inputs: Iterable<string>): boolean {
    if (!nameOf(source).split("/").some(isWild)) return path.posix.join("/", nameOf(source)) === "/";
    const folder = splitWildcards(source.pattern)?.folder ?? path.posix.join("/", source.pattern).slice(1);
    return folder === "" || [...inputs].some((input) => input.startsWith(`${folder}/`));
}

/**
 * The files that a Dockerfile's sources name: files, folders with everything below, wildcards; minus what .dockerignore and
 * --exclude leave out. Empty folders are none, since git keeps none. A link that a source leads through is an input, and
 * what it leads to as well; a link below a folder is an input only itself, wherever it leads. As in BuildKit a wildcard may
 * match nothing (`COPY .npmrc* ./`), where the folder that it is looked for in is there.
 *
 * @param root the repository's root
 * @param context the context's root, from the repository's; default "."
 * @param dockerfile path from the repository's root: its own .dockerignore wins, and messages name it
 * @param ignored whether .dockerignore counts
 * @returns the files, each once, sorted by path
 * @throws InputError for a source that names no file, for links out of the context on a source's way and for patterns that can't be read
 */
export function collectInputs(
    root: string,
    sources: readonly InputSource[],
    {
        dockerfile,
        context = ".",
        ignored = true,
    }: { readonly dockerfile: string; readonly context?: string; readonly ignored?: boolean },
): InputFile[] {
    if (!existsSync(path.join(root, context))) {
        const next = "correct `context` in images.ts (paths are from the repository's root)";
        throw new InputError({ problem: `the build context ${context} is missing`, where: dockerfile, next });
    }
    const base = realpathSync(path.join(root, context));
    const own = ownFolders.map((folder) => path.relative(base, path.join(realpathSync(root), folder)));
    const ignore: Ignore = ignored ? readIgnore(root, base, dockerfile) : ignoring("");
    const walk: Walk = { base, ignore, own, found: new Map(), known: new Map() };
    const collected = sources.map((source) => ({ source, ...collect(walk, source) }));
    for (const { taken } of collected) for (const [file, input] of taken) walk.found.set(file, input);
    for (const { source, taken } of collected) {
        if (taken.size > 0 || isOptional(source, walk.found.keys())) continue;
        const { why, next } = nothing(walk, source, context);
        const where = placeOf(`${dockerfile}:${source.line}`, source);
        throw new InputError({ problem: `${source.instruction} reads "${nameOf(source)}", which ${why}`, where, next });
    }
    return [...walk.found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
