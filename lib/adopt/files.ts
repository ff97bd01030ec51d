import { type Node, findNodeAtLocation, parseTree } from "jsonc-parser";
import { defaultReview, defaultUp } from "../../workflows/definition";
import { ciStackFile } from "../../workflows/ciStack";
import { InputError } from "../errors";
import { type Entry, type WrittenEntry, writtenEntries } from "./entries";
import type { RepositoryOnGitHub } from "./workflows";

/** A file that `adopt` writes, changes, or leaves as it is. */
export interface PlannedFile {
    readonly file: string;
    readonly action: "create" | "change" | "keep";
    /** Its text afterwards. */
    readonly text: string;
    /** What about it is worth a word: what is added, or why it is kept. */
    readonly remark?: string;
    /** What would be written if a file that is kept did not exist. */
    readonly planned?: string;
}

/** What `plannedFiles` takes. */
export interface FileOptions {
    /** Returns the text of a file of the repository; undefined if it does not exist. */
    readonly textOf: (file: string) => string | undefined;
    readonly entries: readonly Entry[];
    readonly left: readonly { readonly entry: Entry; readonly problem: string }[];
    /** Pins of roots, by reference as in the Dockerfiles; undefined for one that could not be asked. */
    readonly pins: Readonly<Record<string, string | undefined>>;
    /** Name of the project. */
    readonly project: string;
    readonly repository?: RepositoryOnGitHub;
    readonly branch: string;
    /** The existing workflows: names by file. */
    readonly workflows: Readonly<Record<string, string>>;
    /** Version of this package. */
    readonly version: string;
    /** A command of this program as its user types it. */
    readonly typed: (command: string, ...args: string[]) => string;
}

const isIdentifier = (key: string): boolean => /^[A-Za-z_$][\w$]*$/.test(key);

/** Returns a value as TypeScript. Lists of texts stand on one line. */
function literal(value: unknown, indent: string): string {
    if (Array.isArray(value)) return `[${value.map((entry) => literal(entry, indent)).join(", ")}]`;
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const inner = `${indent}  `;
    const lines = Object.entries(value).map(
        ([key, entry]) => `${inner}${isIdentifier(key) ? key : JSON.stringify(key)}: ${literal(entry, inner)},`,
    );
    return lines.length === 0 ? "{}" : `{\n${lines.join("\n")}\n${indent}}`;
}

const entryText = ({ key, definition, from }: WrittenEntry): string =>
    `  // From ${from.join(", ")}\n  ${isIdentifier(key) ? key : JSON.stringify(key)}: ${literal(definition, "  ")},\n`;

const commented = (text: string): string =>
    text
        .replace(/^ {0,2}(?=\S)/gm, "  // ")
        .replace(/^ {3,}/gm, (space) => `  // ${space.slice(2)}`)
        .replace(/^ {2}\/\/ \/\/ /gm, "  // ");

/** Returns images.ts. Entries that can't be read yet are comments, so that the others work. */
export function imagesFile({ entries, left }: Pick<FileOptions, "entries" | "left">): string {
    const later = left.map(
        ({ entry, problem }) =>
            `\n  // Left out: ${problem.replace(/\s*\n\s*/g, "; ")}\n${commented(entryText(entry))}`,
    );
    return [
        'import type { ImageDefinitions } from "layered-images";\n',
        "/** The images of this repository. Their parents and inputs are in their Dockerfiles, and not repeated here. */",
        `export const images: ImageDefinitions = {\n${writtenEntries(entries).map(entryText).join("\n")}${later.join("")}};`,
        "",
    ].join("\n");
}

/** Returns the first of some names that no existing one equals; GitHub does not tell files apart by case. */
const free = (names: readonly string[], taken: readonly string[]): string =>
    names.find((name) => !taken.some((other) => other.toLowerCase() === name.toLowerCase())) ??
    `${names.at(-1) ?? ""}-2`;

/** Returns workflows.ts, with names that no existing workflow has. */
export function workflowsFile({ workflows, textOf }: Pick<FileOptions, "workflows" | "textOf">): string {
    const files = Object.keys(workflows).map((file) =>
        file.slice(file.lastIndexOf("/") + 1).replace(/\.yaml$/, ".yml"),
    );
    const names = Object.values(workflows);
    const [standard = { file: "images.yml", name: "Images" }] = defaultUp;
    const up = {
        file: free([standard.file, "layered-images.yml"], files),
        name: free([standard.name, "Layered images"], names),
    };
    const review = {
        file: free([defaultReview.file, "layered-images-review.yml"], files),
        name: free([defaultReview.name, "Review of layered images"], names),
    };
    const hasDependabot = [".github/dependabot.yml", ".github/dependabot.yaml"].some(
        (file) => textOf(file) !== undefined,
    );
    const isStandard = review.file === defaultReview.file && review.name === defaultReview.name;
    const definitions = { up: [up], ...(!isStandard && { review }), ...(hasDependabot && { dependabot: false }) };
    return [
        'import type { WorkflowDefinitions } from "layered-images";\n',
        "/** What GitHub Actions does for this repository's images. */",
        `export const workflows: WorkflowDefinitions = ${literal(definitions, "").replace(/\[\{\n\s+file: (.*),\n\s+name: (.*),\n\s+\}\]/, "[{ file: $1, name: $2 }]")};`,
        "",
    ].join("\n");
}

/**
 * The program. It is JavaScript, which Pulumi's runner runs as it is: for TypeScript it loads a compiler that takes a third of a second, compiles with a
 * tsconfig.json in the root, which may be made for a browser, and takes a "module" for an ES module. A program of an earlier adoption stays.
 */
function programFile({ textOf }: Pick<FileOptions, "textOf">): {
    readonly file: string;
    readonly text: string;
    readonly typescript: boolean;
} {
    const earlier = textOf("index.ts");
    if (earlier !== undefined && isOurs(earlier)) return { file: "index.ts", text: earlier, typescript: true };
    const [file = "index.cjs"] = ["index.cjs", "layered-images.cjs"].filter((name) =>
        isOurs(textOf(name) ?? "layered-images"),
    );
    return {
        file,
        text: 'const { program } = require("layered-images");\n\nmodule.exports = program();\n',
        typescript: false,
    };
}

/** Whether a file uses this package. */
const isOurs = (text: string): boolean => /["']layered-images["']|layered-images/.test(text);

function projectFile(project: string, program: ReturnType<typeof programFile>): string {
    const runtime = program.typescript
        ? "runtime: nodejs\n"
        : "runtime:\n  name: nodejs\n  options:\n    typescript: false\n";
    return `name: ${project}\n${runtime}main: ${program.file}\n`;
}

/** Returns the configuration of CI's stack. */
function stackFile({ project, pins, repository, branch, typed }: FileOptions): string {
    const roots = Object.entries(pins);
    const pinned = roots.flatMap(([root, pin]) => (pin === undefined ? [] : [`    ${JSON.stringify(root)}: ${pin}\n`]));
    const open = roots.flatMap(([root, pin]) => (pin === undefined ? [root] : []));
    return [
        "# The stack that CI runs: it pushes to the registries in the images' names, for all of their platforms.\n",
        "config:\n",
        `  ${project}:platforms: all\n`,
        ...(open.length > 0 ? [`  # Not pinned yet: ${open.join(", ")}. To pin them: ${typed("bump")}\n`] : []),
        ...(pinned.length > 0
            ? [`  # External images. To move them: ${typed("bump")}\n`, `  ${project}:roots:\n`, ...pinned]
            : []),
        ...(repository
            ? [
                  `  github:owner: ${repository.owner}\n`,
                  `  ${project}:github:\n`,
                  `    repository: ${repository.name}\n`,
                  ...(branch === "main" ? [] : [`    branch: ${branch}\n`]),
                  "    # Workflow files come in a pull request; `direct` commits them to the branch.\n",
                  "    delivery: pull-request\n",
              ]
            : []),
    ].join("");
}

/** Adds this package to a package.json. All other characters stay, because formatters and people have their own order. */
function manifestFile(
    existing: string | undefined,
    { version, project }: Pick<FileOptions, "version" | "project">,
): string {
    const name = "layered-images";
    if (existing === undefined) {
        return `${JSON.stringify({ name: project, private: true, dependencies: { [name]: version } }, undefined, 2)}\n`;
    }
    const root = parseTree(existing);
    if (root?.type !== "object") {
        throw new InputError({ problem: "it is not a JSON object", where: "package.json", next: "correct it" });
    }
    const kinds = ["dependencies", "devDependencies", "optionalDependencies"];
    if (kinds.some((kind) => findNodeAtLocation(root, [kind, name]))) return existing;
    const [indent = "  "] = /^[ \t]+(?=")/m.exec(existing) ?? [];
    const entry = `${JSON.stringify(name)}: ${JSON.stringify(version)}`;
    /** Inserts a property after the last one of an object. */
    const inserted = ({ children = [], offset, length }: Node, text: string, depth: number): string => {
        const last = children.at(-1);
        const line = `\n${indent.repeat(depth)}${text}`;
        const at = last ? last.offset + last.length : offset + length - 1;
        const end = last ? "" : `\n${indent.repeat(depth - 1)}`;
        return `${existing.slice(0, at)}${last ? "," : ""}${line}${end}${existing.slice(at)}`;
    };
    const development = findNodeAtLocation(root, ["devDependencies"]);
    if (development) return inserted(development, entry, 2);
    return inserted(root, `"devDependencies": {\n${indent.repeat(2)}${entry}\n${indent}}`, 1);
}

/** What a repository's .gitignore needs, each with the spellings that also do. */
const ignored: readonly (readonly string[])[] = [
    ["node_modules/", "node_modules", "/node_modules", "/node_modules/", "**/node_modules"],
    [".stage/", ".stage", "/.stage", "/.stage/"],
    [".updates/", ".updates", "/.updates", "/.updates/"],
    ["Pulumi.pr-*.yaml", "/Pulumi.pr-*.yaml"],
];

function ignoreFile(existing = ""): string {
    const lines = existing.split(/\r?\n/).map((line) => line.trim());
    const missing = ignored
        .filter((spellings) => !spellings.some((one) => lines.includes(one)))
        .map(([line = ""]) => line);
    if (missing.length === 0) return existing;
    const start = existing === "" || existing.endsWith("\n") ? existing : `${existing}\n`;
    return `${start}${missing.join("\n")}\n`;
}

/**
 * Returns the files that make a repository use this package. A file that exists stays as it is, unless it is one to which lines are added.
 *
 * @throws InputError if a file that has to be ours exists and belongs to something else
 */
export function plannedFiles(options: FileOptions): PlannedFile[] {
    const { textOf, project, repository, workflows } = options;
    const program = programFile(options);
    const own: readonly (readonly [string, string])[] = [
        ["images.ts", imagesFile(options)],
        ...(repository || Object.keys(workflows).length > 0 ? [["workflows.ts", workflowsFile(options)] as const] : []),
        [program.file, program.text],
        ["Pulumi.yaml", projectFile(project, program)],
        [ciStackFile, stackFile(options)],
    ];
    const created = own.map(([file, text]): PlannedFile => {
        const existing = textOf(file);
        if (existing === undefined) return { file, action: "create", text };
        refuseForeign(file, existing, program.file);
        return { file, action: "keep", text: existing, remark: "is there already", planned: text };
    });
    const merged: readonly (readonly [string, string, string])[] = [
        ["package.json", manifestFile(textOf("package.json"), options), "adds layered-images to devDependencies"],
        [".gitignore", ignoreFile(textOf(".gitignore")), "adds lines for what layered-images and npm write"],
    ];
    const changed = merged.map(([file, text, remark]): PlannedFile => {
        const existing = textOf(file);
        if (existing === undefined) return { file, action: "create", text };
        const isSame = existing === text;
        return { file, action: isSame ? "keep" : "change", text, remark: isSame ? "has what is needed" : remark };
    });
    return [...created, ...changed];
}

/** Refuses to go on over a file of somebody else's in a place where the program looks for its own. */
function refuseForeign(file: string, text: string, program: string): void {
    const expected: Readonly<Record<string, { readonly is: boolean; readonly what: string; readonly next: string }>> = {
        "images.ts": {
            is: isOurs(text),
            what: "defines the images",
            next: "rename yours: layered-images reads the images from images.ts in the repository's root",
        },
        "workflows.ts": {
            is: isOurs(text),
            what: "defines the workflows",
            next: "rename yours: layered-images reads the workflows from workflows.ts in the repository's root",
        },
        "Pulumi.yaml": {
            is: new RegExp(
                `^main:\\s*["']?(?:\\./)?(?:${program.replace(/\./g, "\\.")}|index\\.c?[jt]s|layered-images\\.cjs)["']?\\s*$`,
                "m",
            ).test(text),
            what: "names the program",
            next: `this repository's root is another Pulumi project: move that to a folder of its own, or add \`main: ${program}\` if it is to run the images`,
        },
    };
    const found = expected[file];
    if (!found || found.is) return;
    throw new InputError({
        problem: `the file is there already, and it is not the one that ${found.what}`,
        where: file,
        next: found.next,
    });
}
