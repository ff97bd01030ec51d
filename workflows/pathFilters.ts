import path from "node:path";
import { partsOf } from "../lib/context/goPatterns";
import { linkDestination } from "../lib/context/walk";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import { smokeDockerfile } from "../lib/hierarchy/smokeTests";
import { ciStackFile } from "./ciStack";

type Source = PreparedImage["sources"][number];
type Inputs = PreparedImage["inputs"];

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

/** Whether a part holds a class that may stand for a slash: it may then go on in a folder below. */
const mayCross = (part: string): boolean => part.replace(/\\[^]|\[(?:\w(?:-\w)?)+\]/gu, "").includes("[");

const isWild = (pattern: string): boolean => pattern.replace(/\\[^]/gu, "").includes("*");

/** What a source names, files that don't exist yet included. */
function sourcePatterns({ pattern, include = "", mount }: Source, inputs: Inputs): string[] {
    const plain = partsOf(pattern);
    const deep = include.split("/").filter(Boolean);
    // Below a pivot `**` crosses folders, as GitHub's does where it is a part of its own: elsewhere everything is taken.
    const isDeep = (part?: string) => part?.includes("**") === true;
    const last = deep.findIndex((part) => isDeep(part) && part !== "**");
    const parts = [
        ...plain.map((part) => (mount ? literal(part) : component(part))),
        ...deep.map((part) => (isDeep(part) ? "**" : component(part))),
    ];
    const crossing = mount ? -1 : [...plain, ...deep].findIndex(mayCross);
    const all = parts.slice(0, last < 0 ? undefined : plain.length + last + 1);
    const translated = (crossing < 0 ? all : [...all.slice(0, crossing), "**"]).join("/");
    if (translated === "") return ["**"];
    if (translated.endsWith("**")) return [translated];
    const below = `${translated}/**`;
    if (isWild(translated)) return [translated, below];
    const isFile = inputs.some((input) => literal(input.path) === translated && input.folder === undefined);
    return isFile ? [translated] : [below];
}

/** A link that a source leads through, and what it leads to: a folder with what may come into it, although git keeps none that is empty. */
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
export function pathFilters({ definition, sources, inputs, tests }: PreparedImage): string[] {
    const { dockerfile, context = "." } = definition;
    const base = path.posix.join(context, ".");
    const fromRoot = (pattern: string) => (base === "." ? pattern : `${literal(base.replace(/\/$/, ""))}/${pattern}`);
    const read = [...sources.flatMap((source) => sourcePatterns(source, inputs)), ...linkPatterns(inputs)];
    // Both may come to decide what a build sees, by being added.
    const ignores = sources.length > 0 ? [`${literal(dockerfile)}.dockerignore`, fromRoot(".dockerignore")] : [];
    const smoke = tests ? [smokeDockerfile, ...tests.scripts.map(literal)] : [];
    return shortened([...settings, literal(dockerfile), ...ignores, ...read.map(fromRoot), ...smoke]);
}
