import path from "node:path";
import type { PreparedLayer } from "../lib/layers";
import { smokeDockerfile } from "../lib/smoke";
import { ciStackFile } from "./ciStack";

type Source = PreparedLayer["sources"][number];
type Inputs = PreparedLayer["inputs"];

/** What every image depends on besides its own files: its entry, and the settings of the stack that CI runs. */
const settings = ["images.ts", ciStackFile];

/** A path as a pattern that matches only itself. */
const literal = (file: string): string => file.replace(/[\\*?+[\]!]/g, "\\$&");

/** A part of a Go pattern: GitHub's `?` and `[…]` mean something else, so each wildcard becomes `*`, which is more. */
function component(part: string): string {
    const tokens = part.match(/\\[^]|\[\^?(?:\\[^]|[^\]\\])+\]|[^]/gu) ?? [];
    const translated = tokens.map((token) => {
        if (/^[*?[]/.test(token)) return "*";
        return literal(token.length > 1 && token.startsWith("\\") ? token.slice(1) : token);
    });
    return translated.filter((one, index) => one !== "*" || translated[index - 1] !== "*").join("");
}

const isWild = (pattern: string): boolean => pattern.replace(/\\[^]/gu, "").includes("*");

/** What a source names, files that don't exist yet included. */
function sourcePatterns({ pattern, include = "" }: Source, inputs: Inputs): string[] {
    const plain = path.posix.join("/", pattern).split("/").filter(Boolean);
    const deep = include.split("/").filter(Boolean);
    // Below a pivot `**` crosses folders, as GitHub's does where it is a part of its own: elsewhere everything is taken.
    const isDeep = (part?: string) => part?.includes("**") === true;
    const last = deep.findIndex((part) => isDeep(part) && part !== "**");
    const parts = [...plain.map(component), ...deep.map((part) => (isDeep(part) ? "**" : component(part)))];
    const translated = parts.slice(0, last < 0 ? undefined : plain.length + last + 1).join("/");
    if (translated === "") return ["**"];
    if (translated.endsWith("**")) return [translated];
    const below = `${translated}/**`;
    if (isWild(translated)) return [translated, below];
    return inputs.some((input) => literal(input.path) === translated) ? [translated] : [below];
}

/** A link that a source leads through, and what it leads to. */
function linkPatterns(inputs: Inputs): string[] {
    return inputs.flatMap((input) => {
        if (input.symlink === undefined) return [];
        const target = path.posix.join(path.posix.dirname(input.path), input.symlink).replace(/\/$/, "");
        const isFile = inputs.some((other) => other.path === target);
        const isFolder = inputs.some((other) => other.path.startsWith(`${target}/`));
        const led = [...(isFile ? [literal(target)] : []), ...(isFolder ? [`${literal(target)}/**`] : [])];
        return [literal(input.path), ...led];
    });
}

/** Drops what a pattern for a whole folder matches as well. */
function shortened(patterns: readonly string[]): string[] {
    const unique = [...new Set(patterns)].sort();
    const folders = unique
        .filter((one) => one.endsWith("/**") && !isWild(one.slice(0, -3)))
        .map((one) => one.slice(0, -2));
    if (unique.includes("**")) return ["**"];
    return unique.filter((one) => !folders.some((folder) => one.startsWith(folder) && one !== `${folder}**`));
}

/**
 * Path filters (GitHub's workflow syntax, `on.push.paths`) for pushes that can make an image stale: what its Dockerfile
 * reads, now or after files were added or removed, the Dockerfile and its .dockerignore, its smoke tests, and its settings.
 * They may match more than that, where GitHub's patterns can't say it or .dockerignore leaves something out; never less.
 * A parent's files are not among them: the parent's own workflow brings every image up to date.
 *
 * @returns patterns from the repository's root, sorted
 */
export function pathFilters({ definition, sources, inputs, tests }: PreparedLayer): string[] {
    const { dockerfile, context = "." } = definition;
    const base = path.posix.join(context, ".");
    const fromRoot = (pattern: string) => (base === "." ? pattern : `${literal(base.replace(/\/$/, ""))}/${pattern}`);
    const read = [...sources.flatMap((source) => sourcePatterns(source, inputs)), ...linkPatterns(inputs)];
    // Both may come to decide what a build sees, by being added.
    const ignores = sources.length > 0 ? [`${literal(dockerfile)}.dockerignore`, fromRoot(".dockerignore")] : [];
    const smoke = tests ? [smokeDockerfile, ...tests.scripts.map(literal)] : [];
    return shortened([...settings, literal(dockerfile), ...ignores, ...read.map(fromRoot), ...smoke]);
}
