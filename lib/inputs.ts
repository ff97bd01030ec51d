import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { InputError } from "./errors";
import { type Ignore, ignoring, patternMatcher, readIgnore } from "./ignore";
import type { Source } from "./sources";
import { type InputFile, type Walk, addFile, addFolder, follow, statOf } from "./walk";
import { isWild, literally, matching, splitWildcards } from "./wildcards";

/** A source as `readDockerfile` gives it. */
export type InputSource = Pick<Source, "pattern" | "include"> &
    Partial<Pick<Source, "exclude">> & { readonly line: number; readonly instruction: string };

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
    const links = own.found.size;
    const paths = matching(walk.base, pattern);
    for (const file of paths) {
        const real = follow(own, file);
        if (real === undefined) continue;
        if (statOf(path.join(walk.base, real))?.isDirectory()) addFolder(own, real, { include, exclude }, real);
        // Nothing lies below a file that stands where a pivot should.
        else if (!include) addFile(own, real);
    }
    const there = paths.filter((file) => statOf(path.join(walk.base, file))).length;
    // Links that led to nothing are no inputs.
    const taken = own.found.size > links ? own.found : new Map<string, InputFile>();
    return { named: include ? taken.size : there, taken };
}

/** Why a source names nothing that a build could read. */
function nothing(walk: Walk, source: InputSource, context: string): { readonly why: string; readonly next: string } {
    const { pattern } = source;
    const open: Walk = { ...walk, ignore: ignoring(""), known: new Map() };
    if (collect(open, { ...source, exclude: [] }).named === 0) {
        return { why: "matches no file", next: `create it below ${context}, or correct the path` };
    }
    if (walk.ignore.file !== undefined && collect(open, source).taken.size > 0) {
        return { why: `${walk.ignore.file} leaves out`, next: `let it in with !${pattern} in ${walk.ignore.file}` };
    }
    if (collect(open, { ...source, exclude: [] }).taken.size > 0) {
        return { why: "--exclude leaves out", next: "exclude less, or remove the source" };
    }
    return { why: "holds no file", next: "git keeps no empty folders: put a file into it, or make it with RUN mkdir" };
}

const hasWildcard = ({ pattern }: InputSource): boolean => pattern.split("/").some(isWild);

/**
 * The files that a Dockerfile's sources name: files, folders with everything below, wildcards; minus what .dockerignore and
 * --exclude leave out. Empty folders are none, since git keeps none. A link that a source leads through is an input, and
 * what it leads to as well; a link below a folder is an input only itself. As in BuildKit a wildcard may match nothing
 * (`COPY package.json yarn.lock* ./`) where another source of its instruction is there.
 *
 * @param root the repository's root
 * @param context the context's root, from the repository's; default "."
 * @param dockerfile path from the repository's root: its own .dockerignore wins, and messages name it
 * @param ignored whether .dockerignore counts
 * @returns the files, each once, sorted by path
 * @throws InputError for a source that names no file, for links out of the context and for patterns that can't be read
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
    for (const { source, taken } of collected) {
        const together = collected.filter((one) => one.source.line === source.line);
        const isOptional = hasWildcard(source) && together.some((one) => one.taken.size > 0);
        const isRoot = path.posix.join("/", source.pattern) === "/";
        for (const [file, input] of taken) walk.found.set(file, input);
        if (taken.size > 0 || isOptional || isRoot) continue;
        const { why, next } = nothing(walk, source, context);
        const where = `${dockerfile}:${source.line}`;
        throw new InputError({ problem: `${source.instruction} reads "${source.pattern}", which ${why}`, where, next });
    }
    return [...walk.found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
