import path from "node:path";
import { partsOf } from "../lib/context/goPatterns";
import { linkDestination } from "../lib/context/walk";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { ciStackFile } from "./ciStack";

type Source = PreparedImage["sources"][number];
type Inputs = PreparedImage["inputs"];

/** Files that affect every image: its definition, and the settings of CI's stack. */
const settings = ["images.ts", ciStackFile];

/** Escapes a path, as a pattern that matches only this path. */
const literal = (file: string): string => file.replace(/[\\*?+[\]!]/g, "\\$&");

/** Translates a component of a Go pattern. GitHub's `?` and `[…]` mean something else: each wildcard becomes `*`, which matches more. */
function component(part: string): string {
    const tokens = part.match(/\\[^]|\[\^?(?:\\[^]|[^\]\\])+\]|[^]/gu) ?? [];
    const translated = tokens.map((token) => {
        if (/^[*?[]/.test(token)) return "*";
        return literal(token.length > 1 && token.startsWith("\\") ? token.slice(1) : token);
    });
    return translated.filter((token, index) => token !== "*" || translated[index - 1] !== "*").join("");
}

/** Returns whether a path component has a character class that may match a slash, so that it can also match paths in subfolders. */
const mayCross = (part: string): boolean => part.replace(/\\[^]|\[(?:\w(?:-\w)?)+\]/gu, "").includes("[");

const isWild = (pattern: string): boolean => pattern.replace(/\\[^]/gu, "").includes("*");

/** Returns patterns for the files that a source matches, including files that don't exist yet. */
function sourcePatterns({ pattern, include = "", mount }: Source, inputs: Inputs): string[] {
    const plain = partsOf(pattern);
    const deep = include.split("/").filter(Boolean);
    // Below a pivot `**` crosses folders. GitHub's `**` does so only as a whole path component; in other cases match everything.
    const isDeep = (part?: string) => part?.includes("**") === true;
    const last = deep.findIndex((part) => isDeep(part) && part !== "**");
    const parts = [
        ...plain.map((part) => (mount ? literal(part) : component(part))),
        ...deep.map((part) => (isDeep(part) ? "**" : component(part))),
    ];
    const crossing = mount ? -1 : [...plain, ...deep].findIndex(mayCross);
    const needed = parts.slice(0, last < 0 ? undefined : plain.length + last + 1);
    const translated = (crossing < 0 ? needed : [...needed.slice(0, crossing), "**"]).join("/");
    if (translated === "") return ["**"];
    if (translated.endsWith("**")) return [translated];
    const below = `${translated}/**`;
    if (isWild(translated)) return [translated, below];
    const isFile = inputs.some((input) => literal(input.path) === translated && input.folder === undefined);
    return isFile ? [translated] : [below];
}

/**
 * Returns patterns for the symbolic links on the way to a source, and for their targets. For a folder the pattern includes files that may
 * be added later; git does not store empty folders.
 */
function linkPatterns(inputs: Inputs): string[] {
    return inputs.flatMap((input) => {
        if (input.symlink === undefined) return [];
        const target = linkDestination(input.path, input.symlink);
        const isFile = inputs.some((other) => other.path === target && other.folder === undefined);
        const isFolder = inputs.some((other) =>
            other.path === target ? other.folder : other.path.startsWith(`${target}/`),
        );
        const below = isFolder ? [`${literal(target)}/**`] : [];
        return [literal(input.path), ...(isFile ? [literal(target)] : []), ...below];
    });
}

/** Removes duplicates, and patterns that a pattern for a whole folder covers. Sorts the result. */
function shortened(patterns: readonly string[]): string[] {
    const unique = [...new Set(patterns)].sort();
    const folders = unique
        .filter((pattern) => pattern.endsWith("/**") && !isWild(pattern.slice(0, -3)))
        .map((pattern) => pattern.slice(0, -2));
    if (unique.includes("**")) return ["**"];
    return unique.filter(
        (pattern) => !folders.some((folder) => pattern.startsWith(folder) && pattern !== `${folder}**`),
    );
}

/** Returns patterns for the files of an image: those that its Dockerfile reads, the Dockerfile, its .dockerignore and the smoke tests. */
function imagePatterns({ definition, sources, inputs, tests }: PreparedImage): string[] {
    const { dockerfile, context = "." } = definition;
    const base = path.posix.join(context, ".");
    const fromRoot = (pattern: string) => (base === "." ? pattern : `${literal(base.replace(/\/$/, ""))}/${pattern}`);
    const read = [...sources.flatMap((source) => sourcePatterns(source, inputs)), ...linkPatterns(inputs)];
    // Included even if they don't exist: adding them can change the build context.
    const ignores = sources.length > 0 ? [`${literal(dockerfile)}.dockerignore`, fromRoot(".dockerignore")] : [];
    const smoke = tests?.scripts.map(literal) ?? [];
    return [literal(dockerfile), ...ignores, ...read.map(fromRoot), ...smoke];
}

/**
 * Returns path filters (GitHub's workflow syntax, `on.push.paths`) for pushes that can make images stale. They cover the files that the
 * Dockerfiles read, now or after files were added or removed, the Dockerfiles and their .dockerignore, the smoke tests, and the settings.
 * They never match less than that, but may match more: GitHub's patterns are less expressive, and files that .dockerignore excludes are
 * not subtracted. The files of parents are not covered: a workflow that watches the parent updates all images.
 *
 * @returns sorted patterns, relative to the repository's root
 */
export const pathFilters = (images: readonly PreparedImage[]): [string, ...string[]] =>
    shortened([...settings, ...images.flatMap(imagePatterns)]) as [string, ...string[]];
