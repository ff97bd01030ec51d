import { existsSync } from "node:fs";
import path from "node:path";
import { type Checkout, readIgnore } from "../context/checkout";
import { InputError } from "../errors";
import { type Hierarchy, type PreparedImage, readHierarchy, readImages } from "../hierarchy/prepare";
import { sameImage } from "../registry/references";
import { escapeRegExp } from "../system/regExp";
import { keyArguments } from "../system/shell";
import type { Note, SourceFile } from "./build";
import { readMakefile } from "./commands";
import { type Entry, readingOf } from "./entries";

/** Returns the settings with which images are read before there is a stack: one that has every secret that they need. */
const settingsFor = (entries: readonly Entry[]) =>
    ({ platforms: "declared", roots: {}, buildArgs: {}, secretNames: entries.flatMap(secretsOf) }) as const;

const secretsOf = ({ definition }: Entry): readonly string[] => definition.secrets ?? [];

/** Entries, and what the program says about them. */
export interface Checked {
    /** Those that images.ts gets. */
    readonly entries: readonly Entry[];
    /** Those that it can't have yet, each with the reason. */
    readonly left: readonly { readonly entry: Entry; readonly problem: string }[];
    /** The keys of the parents, by key. */
    readonly parents: Readonly<Record<string, string>>;
    /** What the entries of images.ts are read to, without those that wait for a file. */
    readonly hierarchy: Hierarchy | undefined;
    /** What has to be done before images can be built. */
    readonly notes: readonly Note[];
}

/** Returns the problem that reading throws; undefined if it throws none. */
function problemOf(read: () => unknown): string | undefined {
    try {
        read();
        return undefined;
    } catch (error) {
        if (error instanceof InputError) return error.message;
        throw error;
    }
}

const definitionsOf = (entries: readonly Entry[]) => ({
    images: Object.fromEntries(entries.map(({ key, definition }) => [key, definition])),
});

/** A file that a build reads, and that a checkout does not have. */
interface Generated {
    readonly where: string;
    readonly instruction: string;
    /** Path from the repository's root. */
    readonly file: string;
    readonly exists: boolean;
}

/** Returns the files and folders that an entry's Dockerfile names and that git does not track. */
function generatedFiles(
    checkout: Checkout,
    entry: Entry,
    family: readonly Entry[],
    tracked: readonly string[],
): Generated[] {
    const { definition, key } = entry;
    const sources = readImages(checkout, definitionsOf(family), settingsFor(family)).readings[key]?.sources ?? [];
    const isTracked = (file: string) =>
        file === "." || tracked.some((one) => one === file || one.startsWith(`${file}/`));
    return sources.flatMap(({ pattern, include, line, instruction }): Generated[] => {
        const isPlain = !/[*?[\\]/.test(pattern) && include === undefined;
        const file = path.posix.join(definition.context ?? ".", pattern.replace(/^\/+|\/+$/g, "") || ".");
        if (!isPlain || isTracked(file)) return [];
        return [
            {
                where: `${definition.dockerfile}:${line}`,
                instruction,
                file,
                exists: existsSync(path.join(checkout.root, file)),
            },
        ];
    });
}

/** Returns what makes a file: the rule of a Makefile, or the line of a script or workflow that writes it; undefined if none was seen. */
function makerOf(
    file: string,
    sources: readonly SourceFile[],
): { readonly where: string; readonly command?: string } | undefined {
    for (const { file: makefile, text } of sources.filter((source) => isMakefile(source.file))) {
        const folder = path.posix.dirname(makefile);
        for (const { targets, line } of readMakefile(text).rules) {
            const target = targets.find((one) => matchesTarget(path.posix.join(folder, one), file));
            if (target === undefined) continue;
            const name = target.includes("%") ? path.posix.relative(folder, file) : target;
            const command = ["make", ...(folder === "." ? [] : ["-C", folder]), name].join(" ");
            return { where: `${makefile}:${line}`, command };
        }
    }
    const written = new RegExp(
        `(?:>|\\b(?:cp|mv|tee|curl|wget|-o|--output(?:-file)?|install)\\b.*)\\s*["']?(?:\\./)?(?:[\\w./-]*/)?${escapeRegExp(path.posix.basename(file))}\\b`,
    );
    for (const { file: script, text } of sources) {
        const index = text.split("\n").findIndex((line) => !/^\s*(?:#|COPY|ADD)/.test(line) && written.test(line));
        if (index >= 0) return { where: `${script}:${index + 1}` };
    }
    return undefined;
}

/** Whether a file is read by make. */
export const isMakefile = (file: string): boolean => /(?:^|\/)(?:GNUmakefile|[Mm]akefile)$|\.mk$/.test(file);

/** Whether a rule's target makes a file: by its name, by a pattern, or as the folder that contains it. */
function matchesTarget(target: string, file: string): boolean {
    if (!target.includes("%"))
        return file === target || (target !== "." && file.startsWith(`${target.replace(/\/$/, "")}/`));
    const [before = "", after = ""] = target.split("%");
    return file.startsWith(before) && file.endsWith(after) && file.length > before.length + after.length;
}

/** Words a file that is generated before the build. */
function generatedNote({ where, instruction, file, exists }: Generated, sources: readonly SourceFile[]): Note {
    const maker = makerOf(file, sources);
    const lacks = exists ? "which git does not track" : "which is not there";
    const made =
        maker === undefined
            ? "no rule of a Makefile and no script that adopt read makes it"
            : maker.command === undefined
              ? `${maker.where} writes it`
              : `${maker.where} makes it: ${maker.command}`;
    return {
        where,
        text: `${instruction} reads ${file}, ${lacks}; ${made}. It has to be there before every \`preview\` and \`up\`, in CI too: the generated workflows make no files`,
    };
}

/** Files that `adopt` adds, and npm after it, without those that the program keeps out of images itself. */
const added = ["images.ts", "workflows.ts", "index.cjs", "package.json", "package-lock.json"];

/** Notes an image that copies the repository's whole root, and so what `adopt` adds to it. */
function broadNotes(checkout: Checkout, { key, definition, broadCopies }: PreparedImage): Note[] {
    const [first] = broadCopies?.instructions ?? [];
    if (first === undefined || (definition.context ?? ".") !== ".") return [];
    const ignore = readIgnore(checkout, checkout.root, definition.dockerfile);
    const copied = added.filter((file) => !ignore.ignores(file));
    if (copied.length === 0) return [];
    const text = `image ${key} copies the repository's root (${first}), so that it gets and is rebuilt with ${copied.join(", ")}; to keep them out, list them in ${ignore.file ?? ".dockerignore"}`;
    return [{ where: definition.dockerfile, text }];
}

/** Notes the build secrets whose values a stack needs before it can build. */
const secretNotes = (entries: readonly Entry[]): Note[] =>
    [...new Set(entries.flatMap(secretsOf))].map((name) => {
        const users = entries.filter((entry) => secretsOf(entry).includes(name));
        const keys = users.map(({ key }) => key).join(", ");
        const command = `pulumi config set --secret ${keyArguments(["buildSecrets", name])} --stack <stack>`;
        return {
            where: users[0]?.definition.dockerfile ?? "",
            text: `every stack needs the value of the build secret ${name} (${keys}): ${command}`,
        };
    });

/**
 * Reads the entries as the program will, and decides which of them images.ts gets: all that can be read, and those that only lack files
 * which are made before a build.
 *
 * @param tracked the files that git tracks
 * @param sources Makefiles, scripts, package.json and workflows, which may make files
 */
export function checkEntries(
    checkout: Checkout,
    all: readonly Entry[],
    { tracked, sources }: { readonly tracked: readonly string[]; readonly sources: readonly SourceFile[] },
): Checked {
    const keyOf = (reference: string) =>
        all.find(({ definition: { name } }) => name !== undefined && sameImage(name, reference))?.key;
    const references = new Map(
        all.map(({ key, definition }) => {
            const reading = readingOf(checkout.text(definition.dockerfile) ?? "", definition);
            return [
                key,
                (reading?.references ?? []).flatMap(({ expanded, base }) => {
                    const parent = keyOf(expanded);
                    return parent === undefined || parent === key ? [] : [{ parent, base }];
                }),
            ] as const;
        }),
    );
    const parentsOf = ({ key }: Entry): Entry[] =>
        all.filter((entry) => references.get(key)?.some(({ parent }) => parent === entry.key));
    /** Returns an entry with everything that it is built from. */
    const familyOf = (entry: Entry, seen: readonly Entry[] = []): readonly Entry[] =>
        seen.includes(entry)
            ? seen
            : parentsOf(entry).reduce<readonly Entry[]>((family, parent) => familyOf(parent, family), [...seen, entry]);
    const notes: Note[] = [];
    /** Whether an entry can be read, only waits for a file, or is left out for a reason. What it is built from decides first. */
    const states = new Map<Entry, "read" | "waiting" | { readonly problem: string }>();
    const stateOf = (entry: Entry): NonNullable<ReturnType<typeof states.get>> => {
        const known = states.get(entry);
        if (known !== undefined) return known;
        // In a cycle, each entry is read with all others, which is the problem that is reported.
        states.set(entry, "read");
        const parents = parentsOf(entry).map((parent) => ({ parent, state: stateOf(parent) }));
        const broken = parents.find(({ state }) => typeof state === "object");
        const family = familyOf(entry);
        const problem = problemOf(() => readHierarchy(checkout, definitionsOf(family), settingsFor(family)));
        let generated: readonly Generated[] = [];
        problemOf(() => (generated = generatedFiles(checkout, entry, family, tracked)));
        notes.push(...generated.map((one) => generatedNote(one, sources)));
        const state = broken
            ? { problem: `its parent ${broken.parent.key} is left out` }
            : problem === undefined
              ? "read"
              : generated.some(({ exists }) => !exists) || parents.some(({ state: parent }) => parent === "waiting")
                ? "waiting"
                : { problem };
        states.set(entry, state);
        return state;
    };
    const left = all.flatMap((entry) => {
        const state = stateOf(entry);
        return typeof state === "object" ? [{ entry, problem: state.problem }] : [];
    });
    const entries = all.filter((entry) => typeof stateOf(entry) === "string");
    const readable = entries.filter((entry) => stateOf(entry) === "read");
    let hierarchy: Hierarchy | undefined;
    const problem = problemOf(
        () => (hierarchy = readHierarchy(checkout, definitionsOf(readable), settingsFor(readable))),
    );
    if (problem !== undefined) notes.push({ where: "images.ts", text: problem });
    notes.push(...(hierarchy?.images ?? []).flatMap((image) => broadNotes(checkout, image)));
    notes.push(...secretNotes(entries));
    const parents = Object.fromEntries(
        [...references].flatMap(([key, list]) => {
            const [first] = list.filter(({ base }) => base);
            return first ? [[key, first.parent]] : [];
        }),
    );
    return { entries, left, parents, hierarchy, notes };
}
