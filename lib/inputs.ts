import { createHash } from "node:crypto";
import { type Dirent, existsSync, lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import path from "node:path";
import dockerignore from "@balena/dockerignore";
import type { DockerfileReading } from "./dockerfile";
import { InputError } from "./errors";

/** A file of the build context that a Dockerfile reads. */
export interface InputFile {
    /** Path from the context's root, with slashes. */
    readonly path: string;
    /** SHA-256 of the content, or of a link's target, as hex. */
    readonly hash: string;
    /** The only permission that counts: git keeps no other. */
    readonly executable: boolean;
    /** Target of a symbolic link. */
    readonly symlink?: string;
}

/** Staged contexts lie in the repository and are never inputs themselves. */
export const stageFolder = ".stage";

interface Walk {
    readonly base: string;
    readonly ignored: (file: string) => boolean;
    /** Whether a file below an ignored folder may be let in again by a `!` pattern. */
    readonly exceptions: boolean;
    readonly found: Map<string, InputFile>;
}

const sha256 = (content: Buffer | string): string => createHash("sha256").update(content).digest("hex");

/** Go's filepath.Match for one path component, which COPY's wildcards follow (Dockerfile reference, COPY). */
export function componentPattern(component: string): RegExp {
    let source = "";
    for (let index = 0; index < component.length; index++) {
        const character = component[index] ?? "";
        const end = character === "[" ? component.indexOf("]", index + 2) : -1;
        if (character === "*") source += "[^/]*";
        else if (character === "?") source += "[^/]";
        else if (end > 0) {
            source += component.slice(index, end + 1);
            index = end;
        } else if (character === "\\") source += (component[++index] ?? "\\").replace(/[^\w]/g, "\\$&");
        else source += character.replace(/[^\w]/g, "\\$&");
    }
    return new RegExp(`^${source}$`, "s");
}

/** The ignore file: `<Dockerfile>.dockerignore` wins over the context's own, as in BuildKit. */
function readIgnore(root: string, base: string, dockerfile: string): { text: string; file: string } | undefined {
    const candidates = [path.join(root, `${dockerfile}.dockerignore`), path.join(base, ".dockerignore")];
    const file = candidates.find((candidate) => existsSync(candidate));
    return file === undefined ? undefined : { text: readFileSync(file, "utf8"), file: path.relative(root, file) };
}

const isStage = (file: string): boolean => file === stageFolder || file.startsWith(`${stageFolder}/`);

function addLink(walk: Walk, file: string, follow: boolean): void {
    const symlink = readlinkSync(path.join(walk.base, file));
    const target = path.posix.join(path.posix.dirname(file), symlink);
    if (path.isAbsolute(symlink) || target === ".." || target.startsWith("../")) {
        throw new InputError({
            problem: `${file} is a symbolic link to ${symlink}, which is outside the build context`,
            next: "copy the file into the repository, or leave the link out with .dockerignore",
        });
    }
    walk.found.set(file, { path: file, hash: sha256(symlink), executable: false, symlink });
    // A source that is a link is copied as what it points to; one inside a folder is copied as a link.
    if (follow && existsSync(path.join(walk.base, target))) add(walk, target, true);
}

function add(walk: Walk, file: string, isSource: boolean): void {
    const absolute = path.join(walk.base, file);
    const stat = lstatSync(absolute);
    if (isStage(file) || walk.found.has(file)) return;
    if (stat.isDirectory()) {
        if (!walk.exceptions && file !== "" && walk.ignored(file)) return;
        for (const name of readdirSync(absolute).sort()) add(walk, path.posix.join(file, name), false);
    } else if (walk.ignored(file)) {
        return;
    } else if (stat.isSymbolicLink()) {
        addLink(walk, file, isSource);
    } else if (stat.isFile()) {
        const executable = (stat.mode & 0o111) !== 0;
        walk.found.set(file, { path: file, hash: sha256(readFileSync(absolute)), executable });
    }
}

/** Paths that a source names, from the context's root. */
function matches(base: string, pattern: string): string[] {
    const components = path.posix.join("/", pattern).split("/").filter(Boolean);
    let current = [""];
    for (const component of components) {
        const literal = !/[*?[\\]/.test(component);
        const names = (folder: string): string[] => {
            const absolute = path.join(base, folder);
            if (literal) return lstatSync(path.join(absolute, component), { throwIfNoEntry: false }) ? [component] : [];
            const list = (): Dirent[] => readdirSync(absolute, { withFileTypes: true });
            const entries = lstatSync(absolute).isDirectory() ? list().map(({ name }) => name) : [];
            return entries.filter((name) => componentPattern(component).test(name));
        };
        current = current.flatMap((folder) => names(folder).map((name) => path.posix.join(folder, name)));
    }
    return current;
}

/**
 * The files that a Dockerfile's sources name: files, folders with everything below, wildcards; minus what .dockerignore
 * leaves out. Empty folders are none, since git keeps none. What COPY --exclude leaves out counts as well: a rebuild too
 * many is better than one that is missed.
 *
 * @param root the repository's root
 * @returns the files, each once, sorted by path
 * @throws InputError for a source that matches nothing and for links out of the context
 */
export function collectInputs(
    root: string,
    sources: DockerfileReading["sources"],
    { dockerfile, context = "." }: { readonly dockerfile: string; readonly context?: string },
): InputFile[] {
    const base = realpathSync(path.join(root, context));
    const ignore = readIgnore(root, base, dockerfile);
    const filter = dockerignore().add(ignore?.text ?? "");
    const exceptions = /^\s*!/m.test(ignore?.text ?? "");
    const found = new Map<string, InputFile>();
    const walk: Walk = { base, ignored: (file) => file !== "" && filter.ignores(file), exceptions, found };
    for (const { pattern, line, instruction } of sources) {
        const matched = matches(base, pattern);
        const before = found.size;
        for (const file of matched) add(walk, file, true);
        const isNew = found.size > before;
        const isKnown = [...found.keys()].some((file) =>
            matched.some((one) => one === file || file.startsWith(`${one}/`)),
        );
        if (isNew || isKnown || (matched.length > 0 && pattern === ".")) continue;
        const excluded = matched.length > 0 && ignore !== undefined;
        throw new InputError({
            problem: `${instruction} reads "${pattern}", which ${excluded ? `${ignore.file} leaves out` : "matches no file"}`,
            where: `${dockerfile}:${line.toString()}`,
            next: excluded
                ? `let it in with !${pattern} in ${ignore.file}`
                : `create it below ${context}, or correct the path`,
        });
    }
    return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
