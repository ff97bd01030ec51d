import path from "node:path";
import { getNodeValue, findNodeAtLocation, parseTree } from "jsonc-parser";
import { type Build, type Note, type SourceFile, inRepository, lineAt, pairsOf, secretsIn } from "./build";
import { unknownNote } from "./expressions";

/** A word of a shell command. `unknown` says why its text is not what the shell would make of it. */
interface Word {
    readonly text: string;
    readonly unknown?: string;
}

/** The values of a script's variables. A variable that is not in it is unknown. */
export type Variables = ReadonlyMap<string, string>;

/** A call of `docker buildx bake`, or of the action that does the same. */
export interface BakeCall {
    readonly where: string;
    /** Folder from the repository's root, where it runs. */
    readonly folder: string;
    /** Paths from that folder; empty for bake's default files. */
    readonly files: readonly string[];
    /** Targets and groups; empty for the default group. */
    readonly targets: readonly string[];
    /** Values of `--set`. */
    readonly sets: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    /** Environment variables that are set, to what nobody knows here: what is unknown, by variable. */
    readonly unknown: Readonly<Record<string, string>>;
    readonly pushed: boolean;
}

/** What a script does with images. */
export interface ScriptReading {
    readonly builds: readonly Build[];
    readonly bakes: readonly BakeCall[];
    /** `docker tag`, and the tools that join images of single platforms: the new name, and the names that it stands for. */
    readonly joins: readonly { readonly name: string; readonly of: readonly string[] }[];
    /** Names that `docker push` pushes. */
    readonly pushes: readonly string[];
    /** What it hands on to later steps of a workflow: `echo name=value >> $GITHUB_ENV`, or `$GITHUB_OUTPUT`. */
    readonly handedOn: readonly { readonly to: string; readonly name: string; readonly value: string }[];
    readonly notes: readonly Note[];
}

/** Where a script stands, and how its names are resolved. */
export interface ScriptOptions {
    /** Folder from the repository's root, in which it runs. */
    readonly folder: string;
    readonly variables: Variables;
    /** Returns the place of a line of the script, from 1, as "file:line". */
    readonly where: (line: number) => string;
    /** Reasons why variables have no value, by name, for those of which more is known. */
    readonly reasons?: ReadonlyMap<string, string>;
    /** Whether `$(NAME)` is a variable, as in a Makefile, and not the output of a command. */
    readonly isMakefile?: boolean;
}

/** Marks the end of a command among the words of a script. */
const end = Symbol("end");

const variable = /^(?:\{([A-Za-z_]\w*)(?:(?::?[-=])([^{}]*)|(,,|\^\^))?\}|([A-Za-z_]\w*|[\d@*#?!]))/;
const makeVariable = /^(?:\(([A-Za-z_][\w.-]*)\)|\{([A-Za-z_][\w.-]*)\})/;

/** Returns the value of the variable or command that follows a "$", and how many characters it takes; undefined for a plain "$". */
function valueAfterDollar(
    rest: string,
    variables: ReadonlyMap<string, string>,
    { reasons, isMakefile }: Pick<ScriptOptions, "reasons" | "isMakefile">,
): { readonly word: Word; readonly length: number } | undefined {
    if (isMakefile) {
        // A recipe hands `$$` on to the shell as `$`.
        if (rest.startsWith("$"))
            return { word: { text: "", unknown: `$${rest.slice(1).split(/\W/)[0] ?? ""}` }, length: 1 };
        const named = makeVariable.exec(rest);
        const name = named?.[1] ?? named?.[2];
        if (named && name !== undefined) {
            const value = variables.get(name);
            const word = value === undefined ? { text: "", unknown: `$(${name})` } : { text: value };
            return { word, length: named[0].length };
        }
    }
    const found = variable.exec(rest);
    const name = found?.[1] ?? found?.[4];
    if (found && name !== undefined) {
        const [all, , fallback, change] = found;
        const set = variables.get(name);
        const value = change === ",," ? set?.toLowerCase() : change === "^^" ? set?.toUpperCase() : set;
        // A default value may need another variable, which would have to be expanded in turn.
        const known = value ?? (fallback?.includes("$") === true ? undefined : fallback);
        const word = known === undefined ? { text: "", unknown: reasons?.get(name) ?? `$${name}` } : { text: known };
        return { word, length: all.length };
    }
    if (rest.startsWith("(") || rest.startsWith("{")) {
        const closed = closing(rest);
        return { word: { text: "", unknown: `$${rest.slice(0, closed)}` }, length: closed };
    }
    return undefined;
}

/** Returns the length of a text up to the bracket that closes its first one. */
function closing(text: string): number {
    const opening = text[0] ?? "";
    const partner = opening === "(" ? ")" : "}";
    let depth = 0;
    for (let index = 0; index < text.length; index++) {
        if (text[index] === opening) depth++;
        if (text[index] === partner && --depth === 0) return index + 1;
    }
    return text.length;
}

/** Expands a word as a shell does: quotes, escapes and variables. */
function expandWord(
    written: string,
    variables: Variables,
    options: Pick<ScriptOptions, "reasons" | "isMakefile">,
): Word {
    let text = "";
    let unknown: string | undefined;
    let quote = "";
    for (let index = 0; index < written.length; index++) {
        const character = written[index] ?? "";
        if (quote === "" && (character === "'" || character === '"')) quote = character;
        else if (character === quote) quote = "";
        else if (character === "\\" && quote !== "'") text += written[++index] ?? "";
        else if (character === "$" && quote !== "'") {
            const found = valueAfterDollar(written.slice(index + 1), variables, options);
            text += found ? found.word.text || (found.word.unknown ?? "") : character;
            unknown ??= found?.word.unknown;
            index += found?.length ?? 0;
        } else if (character === "`") unknown ??= "the output of a command";
        else text += character;
    }
    return unknown === undefined ? { text } : { text, unknown };
}

/** Splits a script into commands of words as written, each with its line. */
function splitScript(script: string): { readonly words: readonly string[]; readonly line: number }[] {
    const tokens: (string | typeof end)[] = [];
    const lines: number[] = [];
    let word = "";
    let start = 1;
    let line = 1;
    let quote = "";
    const finish = () => {
        if (word === "") return;
        tokens.push(word);
        lines.push(start);
        word = "";
    };
    const endCommand = () => {
        finish();
        tokens.push(end);
        lines.push(line);
    };
    for (let index = 0; index < script.length; index++) {
        const character = script[index] ?? "";
        if (character === "\n") line++;
        if (word === "") start = line;
        if (character === "\\" && /^\r?\n/.test(script.slice(index + 1))) {
            index += script[index + 1] === "\r" ? 2 : 1;
            line++;
            if (quote === "") finish();
        } else if (character === "\\" && quote !== "'") word += character + (script[++index] ?? "");
        else if (quote !== "") {
            word += character;
            if (character === quote) quote = "";
        } else if (character === "'" || character === '"' || character === "`") {
            quote = character;
            word += character;
        } else if (character === "$" && /^[({]/.test(script.slice(index + 1))) {
            const length = closing(script.slice(index + 1));
            const inner = script.slice(index, index + 1 + length);
            word += inner;
            line += inner.split("\n").length - 1;
            index += length;
        } else if (character === "#" && word === "") {
            while (index + 1 < script.length && script[index + 1] !== "\n") index++;
        } else if (/[;&|()\n]/.test(character)) endCommand();
        else if (/\s/.test(character)) finish();
        else word += character;
    }
    endCommand();
    const commands: { words: string[]; line: number }[] = [];
    let current: string[] = [];
    tokens.forEach((token, index) => {
        if (token !== end) {
            current.push(token);
            return;
        }
        if (current.length > 0) commands.push({ words: current, line: lines[index - current.length] ?? 1 });
        current = [];
    });
    return commands;
}

/** Words of the shell that stand before a command. Both branches of a condition are read. */
const keywords = ["if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "sudo", "exec", "@", "-"];

/** Options of `docker build` and `docker buildx build` that take no value. */
const flags = new Set([
    ...[
        "push",
        "load",
        "pull",
        "no-cache",
        "rm",
        "force-rm",
        "quiet",
        "q",
        "squash",
        "compress",
        "check",
        "debug",
        "D",
    ],
    ...["print", "provenance", "sbom", "disable-content-trust"],
]);

/** The options of a command, by name without dashes, and its other words. */
interface Arguments {
    readonly options: ReadonlyMap<string, readonly Word[]>;
    readonly rest: readonly Word[];
}

function parseArguments(words: readonly Word[]): Arguments {
    const options = new Map<string, Word[]>();
    const rest: Word[] = [];
    for (let index = 0; index < words.length; index++) {
        const word = words[index] ?? { text: "" };
        const [, name = "", value] = /^--?([A-Za-z][\w-]*)(?:=([^]*))?$/.exec(word.text) ?? [];
        const short = /^-([tfo])(.+)$/.exec(word.text);
        const add = (key: string, given: Word) => options.set(key, [...(options.get(key) ?? []), given]);
        if (word.text.startsWith("--") || (word.text.startsWith("-") && name.length === 1)) {
            if (value !== undefined) add(name, { ...word, text: value });
            else if (flags.has(name)) add(name, { text: "true" });
            else add(name, words[++index] ?? { text: "" });
        } else if (short) add(short[1] ?? "", { ...word, text: short[2] ?? "" });
        else if (/^\d*[<>]/.test(word.text)) {
            if (/^\d*[<>]+$/.test(word.text)) index++;
        } else rest.push(word);
    }
    return { options, rest };
}

/** Programs that build as `docker build` does, each with the words before its arguments. */
const builders: readonly (readonly string[])[] = [
    ...["docker", "podman", "nerdctl"].flatMap((program) => [
        [program, "build"],
        [program, "image", "build"],
        [program, "buildx", "build"],
        [program, "builder", "build"],
    ]),
    ["buildx", "build"],
    ["docker", "buildx", "b"],
    ["buildah", "bud"],
    ["buildah", "build"],
];

const bakers: readonly (readonly string[])[] = [
    ["docker", "buildx", "bake"],
    ["buildx", "bake"],
];

/** Commands that give an image another name, or join images of single platforms; `first` tells whether the new name comes first. */
const joiners: readonly { readonly words: readonly string[]; readonly newName: "first" | "last" | "option" }[] = [
    { words: ["docker", "tag"], newName: "last" },
    { words: ["docker", "image", "tag"], newName: "last" },
    { words: ["podman", "tag"], newName: "last" },
    { words: ["docker", "manifest", "create"], newName: "first" },
    { words: ["docker", "buildx", "imagetools", "create"], newName: "option" },
];

const pushers: readonly (readonly string[])[] = [
    ["docker", "push"],
    ["docker", "image", "push"],
    ["podman", "push"],
    ["docker", "manifest", "push"],
];

/** Returns the words after a program's name; undefined if the command is another one. */
function after(words: readonly Word[], program: readonly string[]): readonly Word[] | undefined {
    const isIt = program.every((part, index) => words[index]?.text === part);
    return isIt ? words.slice(program.length) : undefined;
}

/** Returns the arguments after the first of several programs that a command runs. */
const afterAny = (words: readonly Word[], programs: readonly (readonly string[])[]): readonly Word[] | undefined =>
    programs.map((program) => after(words, program)).find((rest) => rest !== undefined);

interface Reader extends ScriptOptions {
    readonly result: {
        readonly builds: Build[];
        readonly bakes: BakeCall[];
        readonly joins: { readonly name: string; readonly of: readonly string[] }[];
        readonly pushes: string[];
        readonly handedOn: ScriptReading["handedOn"][number][];
        readonly notes: Note[];
    };
}

/** Reads `docker build` and its relatives. */
function readBuild(given: readonly Word[], folder: string, where: string, { notes, builds }: Reader["result"]): void {
    const { options, rest } = parseArguments(given);
    const all = (...names: string[]) => names.flatMap((name) => options.get(name) ?? []);
    /** The known texts of an option; each of the others becomes a note. */
    const known = (what: string, words: readonly Word[]): string[] =>
        words.flatMap(({ text, unknown }) => {
            if (unknown === undefined) return [text];
            notes.push({ where, ...unknownNote(`${what} ${text}`, unknown, what === "the build argument") });
            return [];
        });
    const contextWord = rest.at(-1) ?? { text: "." };
    const [fileWord] = all("f", "file");
    const [context] = known("the context", [contextWord]);
    const [file] = fileWord ? known("the Dockerfile", [fileWord]) : [undefined];
    if (context === undefined || (fileWord && file === undefined)) return;
    const contextPath = inRepository(folder, context);
    const dockerfile = file === undefined ? undefined : inRepository(folder, file);
    if (contextPath === undefined || (file !== undefined && dockerfile === undefined)) {
        const what = contextPath === undefined ? `the context ${context}` : `the Dockerfile ${file ?? ""}`;
        notes.push({ where, text: `${what} is not a path in this repository` });
        return;
    }
    const { pairs, bare } = pairsOf(known("the build argument", all("build-arg")));
    for (const name of bare) {
        notes.push({ where, text: `the build argument ${name} comes from the environment of whoever builds` });
    }
    const outputs = known("the output", all("o", "output"));
    const [target] = known("the target", all("target"));
    builds.push({
        ...{ where, kind: "command", context: contextPath },
        dockerfile: dockerfile ?? inRepository(contextPath, "Dockerfile") ?? "Dockerfile",
        ...(target !== undefined && { target }),
        names: known("the tag", all("t", "tag")),
        pushed: options.has("push") || outputs.some((output) => /type=registry|push=true/.test(output)),
        buildArgs: pairs,
        platforms: known("the platform", all("platform")).flatMap((text) => text.split(",")),
        secrets: secretsIn(all("secret").map(({ text }) => text)),
        contexts: pairsOf(known("the build context", all("build-context"))).pairs,
    });
}

function readBake(given: readonly Word[], folder: string, where: string, reader: Reader): void {
    const { variables, reasons, result } = reader;
    const { options, rest } = parseArguments(given);
    const words = [...rest, ...[...options.values()].flat()];
    const unknown = words.find((word) => word.unknown !== undefined);
    if (unknown) {
        result.notes.push({ where, ...unknownNote(`the call of bake with ${unknown.text}`, unknown.unknown ?? "") });
        return;
    }
    const texts = (...names: string[]) => names.flatMap((name) => options.get(name) ?? []).map(({ text }) => text);
    result.bakes.push({
        ...{ where, folder, files: texts("f", "file"), targets: rest.map(({ text }) => text), sets: texts("set") },
        env: Object.fromEntries(variables),
        unknown: Object.fromEntries([...(reasons ?? [])].filter(([name]) => !variables.has(name))),
        pushed: options.has("push"),
    });
}

function readCommand(words: readonly Word[], folder: string, line: number, reader: Reader): void {
    const { result } = reader;
    const where = reader.where(line);
    const build = afterAny(words, builders);
    if (build) readBuild(build, folder, where, result);
    const bake = afterAny(words, bakers);
    if (bake) readBake(bake, folder, where, reader);
    const [program, text, redirection, to] = words;
    if (program?.text === "echo" && text?.unknown === undefined && redirection?.text === ">>" && to !== undefined) {
        const [, name, value = ""] = /^([A-Za-z_][\w-]*)=([^\n]*)$/.exec(text?.text ?? "") ?? [];
        if (name !== undefined) result.handedOn.push({ to: to.text, name, value });
    }
    const push = afterAny(words, pushers);
    if (push) result.pushes.push(...parseArguments(push).rest.map(({ text }) => text));
    for (const { words: program, newName } of joiners) {
        const given = after(words, program);
        if (!given) continue;
        const { options, rest } = parseArguments(given);
        const tags = [...(options.get("t") ?? []), ...(options.get("tag") ?? [])];
        const names = newName === "option" ? tags : newName === "first" ? rest.slice(0, 1) : rest.slice(-1);
        const sources = newName === "option" ? rest : newName === "first" ? rest.slice(1) : rest.slice(0, -1);
        if ([...names, ...sources].some(({ unknown }) => unknown !== undefined)) continue;
        for (const { text } of names) result.joins.push({ name: text, of: sources.map((source) => source.text) });
    }
}

/** Reads commands in their order, with the loops among them. Variables that commands set hold for later commands. */
function readCommands(
    commands: readonly ReturnType<typeof splitScript>[number][],
    scope: { folder: string; readonly variables: Map<string, string>; readonly unknown: Map<string, string> },
    reader: Reader,
): void {
    const expandIn = (written: string): Word =>
        expandWord(written, scope.variables, { ...reader, reasons: scope.unknown });
    for (let index = 0; index < commands.length; index++) {
        const { words: written = [], line = 1 } = commands[index] ?? {};
        const from = written.findIndex((word) => !keywords.includes(word));
        const own = from < 0 ? [] : written.slice(from);
        if (own[0] === "for" && own[2] === "in") {
            const last = loopEnd(commands, index);
            const values = own.slice(3).flatMap((word) => {
                const { text, unknown } = expandIn(word);
                return unknown === undefined && !/[*?[]/.test(text) ? text.split(/\s+/).filter(Boolean) : [];
            });
            const body = commands.slice(index + 1, last);
            const name = own[1] ?? "";
            if (values.length === 0) scope.unknown.set(name, `$${name}, the variable of the loop,`);
            scope.variables.delete(name);
            for (const value of values.length > 0 ? values : [undefined]) {
                if (value !== undefined) scope.variables.set(name, value);
                readCommands(body, scope, reader);
            }
            index = last;
            continue;
        }
        const assigned = own.findIndex((word) => !/^(?:export|local|readonly|declare|[A-Za-z_]\w*=[^]*)$/.test(word));
        const assignments = own.slice(0, assigned < 0 ? undefined : assigned).filter((word) => word.includes("="));
        const assign = (to: Pick<typeof scope, "variables" | "unknown">) => {
            for (const word of assignments) {
                const at = word.indexOf("=");
                const { text, unknown } = expandIn(word.slice(at + 1));
                const name = word.slice(0, at);
                if (unknown === undefined) to.variables.set(name, text);
                else {
                    to.variables.delete(name);
                    to.unknown.set(name, unknown);
                }
            }
        };
        if (assigned < 0) {
            assign(scope);
            continue;
        }
        // Recipes of make may begin with @ or -, which belong to make.
        const words = own
            .slice(assigned)
            .map((word, at) => expandIn(at === 0 ? word.replace(/^[@+-]+(?=\w)/, "") : word));
        if (words[0]?.text === "cd" || words[0]?.text === "pushd") {
            const folder =
                words[1]?.unknown === undefined ? inRepository(scope.folder, words[1]?.text ?? ".") : undefined;
            if (folder !== undefined) scope.folder = folder;
            continue;
        }
        // What stands before a command is set for it alone.
        const [variables, unknown] = [new Map(scope.variables), new Map(scope.unknown)];
        assign({ variables, unknown });
        readCommand(words, scope.folder, line, { ...reader, variables, reasons: unknown });
    }
}

/** Returns the index of the `done` that ends a loop. */
function loopEnd(commands: readonly { readonly words: readonly string[] }[], start: number): number {
    let depth = 0;
    for (let index = start; index < commands.length; index++) {
        const [first, second] = commands[index]?.words ?? [];
        if ([first, second].some((word) => word === "for" || word === "while" || word === "until")) depth++;
        if (first === "done" && --depth === 0) return index;
    }
    return commands.length;
}

/**
 * Reads what a shell script builds, tags and pushes. It follows variables that the script sets to constant texts, and loops over constant
 * lists; it runs nothing, so the output of a command is unknown.
 *
 * @param script its text
 */
export function readScript(script: string, options: ScriptOptions): ScriptReading {
    const result: Reader["result"] = { builds: [], bakes: [], joins: [], pushes: [], handedOn: [], notes: [] };
    const scope = {
        folder: options.folder,
        variables: new Map(options.variables),
        unknown: new Map(options.reasons ?? []),
    };
    readCommands(splitScript(script), scope, { ...options, result });
    const builds = result.builds.map((build) => ({
        ...build,
        pushed: build.pushed || build.names.some((name) => result.pushes.includes(name)),
    }));
    return { ...result, builds: joined(builds, result.joins, result.pushes) };
}

/** Adds the names that `joins` give to the images that have the old names. */
export function joined(
    builds: readonly Build[],
    joins: ScriptReading["joins"],
    pushes: readonly string[],
): readonly Build[] {
    return builds.map((build) => {
        const added = joins.filter(({ of }) => of.some((name) => build.names.includes(name))).map(({ name }) => name);
        if (added.length === 0) return build;
        const pushed = build.pushed || added.some((name) => pushes.includes(name));
        return { ...build, names: [...new Set([...build.names, ...added])], pushed };
    });
}

/** A rule of a Makefile: its targets, and the line where it stands. */
export interface Rule {
    readonly targets: readonly string[];
    readonly line: number;
    readonly recipe: string;
    readonly recipeLine: number;
}

/** Reads the rules of a Makefile and its variables with constant values. */
export function readMakefile(text: string): { readonly rules: readonly Rule[]; readonly variables: Variables } {
    const variables = new Map<string, string>();
    const rules: Rule[] = [];
    const lines = text.split("\n");
    let index = 0;
    while (index < lines.length) {
        const line = lines[index] ?? "";
        const assignment = /^(?:export\s+)?([A-Za-z_][\w.-]*)\s*(\?|:{0,3})=\s*(.*?)\s*(?:#.*)?$/.exec(line);
        if (assignment) {
            const [, name = "", , value = ""] = assignment;
            const { text: expanded, unknown } = expandWord(value, variables, { isMakefile: true });
            if (unknown === undefined) variables.set(name, expanded);
            else variables.delete(name);
            index++;
            continue;
        }
        const rule = /^([^\s:#=][^:#=]*?)\s*::?(?!=)/.exec(line);
        if (!rule) {
            index++;
            continue;
        }
        const start = index++;
        while (index < lines.length && /^(?:\t|\s*$)/.test(lines[index] ?? "")) index++;
        rules.push({
            targets: (rule[1] ?? "")
                .split(/\s+/)
                .map((target) => expandWord(target, variables, { isMakefile: true }).text)
                .filter(Boolean),
            line: start + 1,
            recipe: lines.slice(start + 1, index).join("\n"),
            recipeLine: start + 2,
        });
    }
    return { rules, variables };
}

/** Reads what the recipes of a Makefile build: each line of a recipe is a script of its own. */
export function readRecipes({ file, text }: SourceFile): ScriptReading[] {
    const { rules, variables } = readMakefile(text);
    return rules.flatMap(({ recipe, recipeLine }) => {
        let line = recipeLine;
        return recipe.split(/(?<!\\)\n/).map((command) => {
            const first = line;
            line += command.split("\n").length;
            return readScript(command, {
                folder: path.posix.dirname(file),
                variables,
                where: (at) => `${file}:${first + at - 1}`,
                isMakefile: true,
            });
        });
    });
}

/**
 * Reads what the scripts of a package.json build. npm runs them in its folder, and hands them its name. Its version is unknown here on
 * purpose: images.ts would keep that of today.
 */
export function readPackageScripts({ file, text }: SourceFile): ScriptReading[] {
    const tree = parseTree(text);
    const scripts = tree && findNodeAtLocation(tree, ["scripts"]);
    const name = tree && findNodeAtLocation(tree, ["name"]);
    const variables = new Map(name?.type === "string" ? [["npm_package_name", getNodeValue(name) as string]] : []);
    return (scripts?.type === "object" ? (scripts.children ?? []) : []).flatMap(({ children = [] }) => {
        const [, script] = children;
        if (script?.type !== "string") return [];
        const where = `${file}:${lineAt(text, script.offset)}`;
        const reading = readScript(getNodeValue(script) as string, {
            folder: path.posix.dirname(file),
            variables,
            where: () => where,
        });
        return [reading];
    });
}
