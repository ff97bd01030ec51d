import {
    existsSync,
    mkdtempSync,
    readFileSync,
    readdirSync,
    renameSync,
    rmSync,
    statSync,
    writeFileSync,
} from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { loadDefinitions } from "../definitions";
import { type BakePlan, parseBake, readBakePlan, withoutContents } from "../lib/adopt/bake";
import type { Build, Note, Reading, SourceFile } from "../lib/adopt/build";
import { checkEntries, isMakefile } from "../lib/adopt/check";
import { type BakeCall, readPackageScripts, readRecipes, readScript } from "../lib/adopt/commands";
import { readCompose } from "../lib/adopt/compose";
import { readDevcontainer } from "../lib/adopt/devcontainer";
import { entriesOf } from "../lib/adopt/entries";
import { loadExpressions, repositoryOption, unknownNote } from "../lib/adopt/expressions";
import { type PlannedFile, plannedFiles } from "../lib/adopt/files";
import { type AdoptionPlan, type NeededValue, neededValues, planText } from "../lib/adopt/report";
import { type RepositoryOnGitHub, readWorkflows, withoutRepeated } from "../lib/adopt/workflows";
import { openCheckout } from "../lib/context/checkout";
import { InputError } from "../lib/errors";
import { hasHeader } from "../lib/github/delivery";
import { readRemote, splitRepository } from "../lib/github/names";
import { baseUrlOf } from "../lib/github/target";
import { buildx, readManifest, RegistryError } from "../lib/registry/manifest";
import { digestOf, parseReference, formatReference, repositoryOf, withDigest } from "../lib/registry/references";
import { typed } from "../lib/system/commandLine";
import { labPaths, packageRoot, isCompiled } from "../lib/system/paths";
import { capture, interrupt, isInterrupted } from "../lib/system/process";
import { header } from "../workflows/files";
import { exit } from "./exitCodes";

/** Options of `adopt`. */
export interface AdoptOptions {
    /** Write nothing. */
    readonly dryRun?: boolean;
    /** Print the plan as JSON (`AdoptionPlan` in lib/adopt/report.ts). */
    readonly json?: boolean;
    /** Write without asking. */
    readonly yes?: boolean;
    /** Write although values are unknown, without what depends on them. */
    readonly incomplete?: boolean;
    /** The repository on GitHub, "<owner>/<name>", where no remote of git says it. */
    readonly github?: string;
    /** Values of expressions that only GitHub knows: "secrets.USER=acme". */
    readonly set?: readonly string[];
    /** Names of images: "<Dockerfile>=<reference>". */
    readonly name?: readonly string[];
}

/** What git says about a repository. */
interface Repository {
    readonly root: string;
    /** The files that it tracks, from the root. */
    readonly tracked: readonly string[];
    readonly github?: RepositoryOnGitHub;
    readonly branch: string;
}

async function git(folder: string, ...args: string[]): Promise<string | undefined> {
    const { failure, stdout } = await capture("git", ["-C", folder, ...args]);
    return failure === undefined ? stdout.trim() : undefined;
}

/** Returns the repository on GitHub that an option names. Throws InputError for anything else. */
function repositoryIn(option: string): RepositoryOnGitHub {
    const found = splitRepository(option.replace(/^https:\/\/github\.com\//, ""));
    if (found) return found;
    throw new InputError({ problem: `--github ${option} names no repository`, next: "write --github <owner>/<name>" });
}

/** Asks git about the repository that contains a folder. Throws InputError if there is none. */
async function openRepository(folder: string, given: string | undefined): Promise<Repository> {
    const root = await git(folder, "rev-parse", "--show-toplevel");
    if (root === undefined) {
        throw new InputError({
            problem: "this is not in a git repository, or git can't read it",
            where: folder,
            next: "run the command in the repository that has the Dockerfiles (git init, git add)",
        });
    }
    const listed = (await git(root, "ls-files", "-z")) ?? "";
    const remote = (await git(root, "remote", "get-url", "origin")) ?? "";
    const named = readRemote(remote.trim());
    const found = named && baseUrlOf(named.host) !== undefined ? { owner: named.owner, name: named.name } : undefined;
    const github = given === undefined ? found : repositoryIn(given);
    const head = (await git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD"))?.replace(/^origin\//, "");
    const current = await git(root, "branch", "--show-current");
    // Empty where a commit is checked out instead of a branch.
    const branch = head ?? (current === "" ? undefined : current) ?? "main";
    return {
        root,
        tracked: listed.split("\0").filter((file) => file !== ""),
        ...(github && { github }),
        branch,
    };
}

/** Parses "key=value" options. Throws InputError for one without "=". */
function pairs(option: string, given: readonly string[] = []): Readonly<Record<string, string>> {
    return Object.fromEntries(
        given.map((text) => {
            const at = text.indexOf("=");
            if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
            throw new InputError({ problem: `${option} ${text} has no "="`, next: `write ${option} <what>=<value>` });
        }),
    );
}

/** The files that say how images are built, by their names. */
const patterns = {
    dockerfile: /(?:^|\/)(?:Dockerfile|Containerfile)(?:[.-][^/]+)?$|\.(?:Dockerfile|Containerfile)$/i,
    workflow: /^\.github\/workflows\/[^/]+\.ya?ml$/,
    bake: /(?:^|\/)(?:docker-bake[^/]*|[^/]*\.?bake)\.(?:hcl|json)$/,
    compose: /(?:^|\/)(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml$/,
    devcontainer: /(?:^|\/)\.devcontainer(?:\/[^/]+)?(?:\/devcontainer)?\.json$/,
    script: /\.(?:sh|bash)$/,
    package: /(?:^|\/)package\.json$/,
} as const;

/** Endings of files that only look like Dockerfiles: ignore files, templates, documentation. */
const notDockerfile = /\.(?:dockerignore|j2|jinja2?|tmpl|template|tpl|in|md|ya?ml|json|sh)$/i;

/** Returns the command of buildx: the user's, or the lab's if that was built. */
function buildxCommand(): readonly [string, ...string[]] {
    const toolchain = path.join(labPaths().cache, "toolchain");
    const folders = existsSync(toolchain) ? readdirSync(toolchain).filter((name) => name.startsWith("buildx-")) : [];
    const built = folders.map((name) => path.join(toolchain, name, "buildx")).find((file) => existsSync(file));
    const own = buildx(process.env);
    return own[0] === "buildx" || built === undefined ? own : [built];
}

/** Environment variables that buildx needs itself. All others could change what a bake file says. */
const kept = ["PATH", "HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"];

/**
 * Returns a note for each variable of a bake call's environment that is unknown, and on which its images depend: the bake file's default would
 * give them a name that nobody wants.
 *
 * @param resolve returns what a bake file says with more variables; undefined if it can't be read
 */
async function unknownInBake(
    { where, unknown }: BakeCall,
    file: string,
    resolve: (more: Readonly<Record<string, string>>) => Promise<BakePlan | undefined>,
): Promise<Note[]> {
    const variables = Object.entries(unknown);
    if (variables.length === 0) return [];
    const without = await resolve({});
    const notes = variables.map(async ([name, what]): Promise<Note[]> => {
        const changed = await resolve({ [name]: "unknown" });
        if (isDeepStrictEqual(changed, without)) return [];
        const isContent = isDeepStrictEqual(changed && withoutContents(changed), without && withoutContents(without));
        return [{ where, ...unknownNote(`the variable ${name} of ${file}`, what, isContent) }];
    });
    return (await Promise.all(notes)).flat();
}

/** Resolves a call of bake with buildx, whose reading of variables, functions and inheritance is the one that counts. */
async function readBake(root: string, call: BakeCall, sources: ReadonlyMap<string, SourceFile>): Promise<Reading> {
    const { folder, sets } = call;
    const [named = "docker-bake.hcl"] = call.files.map((file) => path.posix.join(folder, file));
    const standard = ["docker-bake.json", "docker-bake.hcl"].map((file) => path.posix.join(folder, file));
    const file = call.files.length > 0 ? named : (standard.find((one) => sources.has(one)) ?? named);
    const [command, ...first] = buildxCommand();
    const own: Readonly<Record<string, string | undefined>> = Object.fromEntries(
        kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    );
    const bake = (more: Readonly<Record<string, string>>, ...args: string[]) =>
        capture(
            command,
            [
                ...first,
                "bake",
                ...call.files.flatMap((one) => ["--file", one]),
                ...sets.flatMap((one) => ["--set", one]),
                ...args,
            ],
            { cwd: path.join(root, folder), env: { ...own, ...call.env, ...more } },
        );
    const plan = { file, source: sources.get(file), folder, pushed: call.pushed };
    const resolve = async (more: Readonly<Record<string, string>>) => {
        const printed = await bake(more, "--print", ...call.targets);
        if (printed.failure === undefined) return { printed, plan: parseBake(printed.stdout), isDefault: true };
        if (call.targets.length > 0 || !printed.stderr.includes("failed to find target default")) return { printed };
        const listed = await bake(more, "--list=type=targets,format=json");
        const targets =
            listed.failure === undefined ? (JSON.parse(listed.stdout) as { name: string; group?: boolean }[]) : [];
        const plain = targets.filter(({ group }) => group !== true).map(({ name }) => name);
        const all = plain.length > 0 ? await bake(more, "--print", ...plain) : listed;
        if (all.failure !== undefined || plain.length === 0) return { printed };
        return { printed, plan: parseBake(all.stdout), isDefault: false };
    };
    const unknown = await unknownInBake(call, file, async (more) => (await resolve(more)).plan);
    // What is asked for is read once it is given.
    if (unknown.some(({ wants }) => wants !== undefined)) return { builds: [], notes: unknown };
    const { printed, plan: resolved, isDefault } = await resolve({});
    if (resolved !== undefined) {
        const { builds, notes } = readBakePlan(resolved, plan);
        // Without a default group, targets without tags are there for others to inherit from.
        const wanted = isDefault ? builds : builds.filter(({ names }) => names.length > 0);
        return { builds: wanted, notes: [...unknown, ...notes] };
    }
    const text = sources.get(file)?.text;
    const isMissing = /unknown command|is not a docker command|ENOENT|unknown flag/.test(
        `${printed.stderr}${printed.failure ?? ""}`,
    );
    if (isMissing && file.endsWith(".json") && text !== undefined) return readBakePlan(parseBake(text), plan);
    const reason = isMissing
        ? "buildx, which reads bake files, is not installed"
        : (printed.stderr.trim().split("\n").at(-1) ?? "");
    return {
        builds: [],
        notes: [
            {
                where: call.where,
                text: `${file} is not read: ${reason}. Install Docker's buildx plugin or correct the file, then run adopt again`,
            },
        ],
    };
}

/** Everything that the files of a repository say about its images. */
async function readSources({ root, tracked, github, branch }: Repository, given: Readonly<Record<string, string>>) {
    const textOf = (file: string): string | undefined => {
        const stat = statSync(path.join(root, file), { throwIfNoEntry: false });
        return stat?.isFile() === true ? readFileSync(path.join(root, file), "utf8") : undefined;
    };
    const read = (files: readonly string[]): SourceFile[] =>
        files.flatMap((file) => {
            const text = textOf(file);
            return text === undefined ? [] : [{ file, text }];
        });
    const matching = (pattern: RegExp): SourceFile[] => read(tracked.filter((file) => pattern.test(file)));
    const workflowFiles = matching(patterns.workflow).filter(({ text }) => !hasHeader(text, header));
    const makefiles = read(tracked.filter(isMakefile));
    const scripts = matching(patterns.script);
    const packages = matching(patterns.package);
    const evaluation = await loadExpressions();
    const workflows = readWorkflows(workflowFiles, {
        evaluation,
        ...(github && { repository: github }),
        branch,
        given,
        textOf,
    });
    const commands = [
        ...makefiles.flatMap(readRecipes),
        ...packages.flatMap(readPackageScripts),
        ...scripts.map(({ file, text }) =>
            readScript(text, { folder: ".", variables: new Map(), where: (line) => `${file}:${line}` }),
        ),
    ];
    const bakeFiles = matching(patterns.bake);
    const bakeSources = new Map(bakeFiles.map((source) => [source.file, source]));
    const calls = [...workflows.bakes, ...commands.flatMap(({ bakes }) => bakes)];
    const called = new Set(
        calls.flatMap(({ folder, files }) =>
            (files.length > 0 ? files : ["docker-bake.hcl", "docker-bake.json"]).map((file) =>
                path.posix.join(folder, file),
            ),
        ),
    );
    const uncalled = bakeFiles
        .filter(({ file }) => !called.has(file))
        .map(({ file }): BakeCall => {
            return {
                where: `${file}:1`,
                folder: path.posix.dirname(file),
                files: [path.posix.basename(file)],
                targets: [],
                sets: [],
                ...{ env: {}, unknown: {} },
                pushed: false,
            };
        });
    const readings: Reading[] = [
        workflows,
        ...commands,
        ...(await Promise.all([...calls, ...uncalled].map((call) => readBake(root, call, bakeSources)))),
        ...matching(patterns.compose).map(readCompose),
        ...matching(patterns.devcontainer).map(readDevcontainer),
    ];
    const builds: readonly Build[] = readings.flatMap((reading) => reading.builds);
    const named = builds.map(({ dockerfile }) => dockerfile).filter((file) => tracked.includes(file));
    const found = tracked.filter((file) => patterns.dockerfile.test(file) && !notDockerfile.test(file));
    const dockerfiles = Object.fromEntries(
        read([...new Set([...found, ...named])].sort()).map(({ file, text }) => [file, text]),
    );
    return {
        builds,
        notes: withoutRepeated(readings.flatMap((reading): readonly Note[] => reading.notes)),
        steps: workflows.steps,
        workflows: workflows.names,
        dockerfiles,
        makers: [...makefiles, ...scripts, ...packages, ...workflowFiles],
        textOf,
    };
}

/** Milliseconds that a registry may take to say what a root's tag stands for. */
const patience = 5000;

/** Returns the pin of each root that its registry names. */
async function pinsOf(roots: readonly string[]): Promise<Readonly<Record<string, string | undefined>>> {
    const pin = async (root: string): Promise<string | undefined> => {
        try {
            const manifest = await readManifest(formatReference(parseReference(root)), process.env, patience);
            return manifest && withDigest(repositoryOf(root), manifest.digest);
        } catch (error) {
            if (error instanceof RegistryError) return undefined;
            throw error;
        }
    };
    const open = roots.filter((root) => digestOf(root) === undefined);
    return Object.fromEntries(await Promise.all(open.map(async (root) => [root, await pin(root)] as const)));
}

/** Version of this package, for package.json. */
const ownVersion = (): string =>
    (
        JSON.parse(
            readFileSync(path.join(isCompiled ? path.dirname(packageRoot) : packageRoot, "package.json"), "utf8"),
        ) as { version: string }
    ).version;

/** Returns a name for the project: Pulumi allows letters, digits, dashes, dots and underscores. */
const projectName = ({ root, github }: Repository): string =>
    (github ? `${github.owner}-${github.name}` : path.basename(root))
        .toLowerCase()
        .replace(/[^a-z0-9._-]+/g, "-")
        .replace(/^[^a-z]+/, "") || "images";

/** A plan, and the root of the repository that it is for. */
interface Planned {
    readonly plan: AdoptionPlan;
    readonly root: string;
}

/**
 * Plans how a repository adopts this package. Reads only: files that git tracks, and what buildx makes of bake files.
 *
 * @param folder a folder in the repository
 * @throws InputError outside of a git repository, without a Dockerfile, or if a file that has to be ours belongs to something else
 */
export async function planAdoption(
    folder: string,
    { set, name, github: named, dryRun = false }: AdoptOptions,
): Promise<Planned> {
    const repository = await openRepository(folder, named);
    const { root, tracked, github, branch } = repository;
    const sources = await readSources(repository, pairs("--set", set));
    if (Object.keys(sources.dockerfiles).length === 0) {
        throw new InputError({
            problem: "git tracks no Dockerfile here",
            where: root,
            next: "add it to git (git add), or run the command in another repository",
        });
    }
    const checkout = openCheckout(root);
    const found = entriesOf(sources.builds, {
        dockerfiles: sources.dockerfiles,
        names: pairs("--name", name),
        exists: (file) => existsSync(path.join(root, file)),
        ...(github && { repository: github }),
    });
    const checked = checkEntries(checkout, found.entries, { tracked, sources: sources.makers });
    const roots = checked.hierarchy?.roots ?? [];
    const project = projectName(repository);
    const files = plannedFiles({
        ...{
            textOf: sources.textOf,
            entries: checked.entries,
            left: checked.left,
            project,
            branch,
            workflows: sources.workflows,
        },
        // What is only planned asks no registry.
        pins: dryRun ? Object.fromEntries(roots.map((root) => [root, digestOf(root)])) : await pinsOf(roots),
        ...(github && { repository: github }),
        ...{ version: ownVersion(), typed },
    });
    const notes = [...sources.notes, ...found.notes];
    const plan: AdoptionPlan = {
        images: checked.entries.map((entry) => {
            const parent = checked.parents[entry.key];
            return { ...entry, ...(parent !== undefined && { parent }) };
        }),
        left: checked.left,
        unused: found.unused,
        needed: neededValues(notes),
        notes: notes.filter(({ wants }) => wants === undefined),
        tasks: checked.notes,
        steps: sources.steps,
        files,
    };
    return { plan, root };
}

/** Writes all files or none: under other names first, and if one fails, the others get their old text back. */
function writeAll(root: string, files: readonly PlannedFile[]): void {
    const temporary = mkdtempSync(path.join(root, ".adopt-"));
    const done: { readonly file: string; readonly before: string | undefined }[] = [];
    try {
        files.forEach(({ text }, index) => {
            writeFileSync(path.join(temporary, String(index)), text);
        });
        files.forEach(({ file }, index) => {
            const target = path.join(root, file);
            const before = existsSync(target) ? readFileSync(target, "utf8") : undefined;
            renameSync(path.join(temporary, String(index)), target);
            done.push({ file: target, before });
        });
    } catch (error) {
        for (const { file, before } of done) {
            if (before === undefined) rmSync(file);
            else writeFileSync(file, before);
        }
        throw error;
    } finally {
        rmSync(temporary, { recursive: true, force: true });
    }
}

/** Somebody who answers questions. */
interface Person {
    /** Returns the answer without space around it; empty after the end of input. */
    readonly ask: (question: string) => Promise<string>;
    /** Ends the conversation: without it the process waits for more input. */
    readonly leave: () => void;
}

/** Asks on the terminal. Lines that are typed before their question is asked are kept. */
function personAtTerminal(): Person {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const lines: string[] = [];
    let isOver = false;
    let resume: () => void = () => undefined;
    terminal
        .on("line", (line) => {
            lines.push(line);
            resume();
        })
        .on("close", () => {
            isOver = true;
            resume();
        })
        // The terminal hands Ctrl-C to readline, and no signal to the process.
        .on("SIGINT", () => {
            interrupt();
            terminal.close();
        });
    return {
        ask: async (question) => {
            if (isOver) process.stderr.write(`${question}\n`);
            else {
                terminal.setPrompt(question);
                terminal.prompt();
                if (lines.length === 0) await new Promise<void>((resolve) => (resume = resolve));
            }
            return lines.shift()?.trim() ?? "";
        },
        leave: () => {
            terminal.close();
        },
    };
}

/** Returns options with one more value, as the option in `needed` would give it. */
const withValue = (options: AdoptOptions, { option, values }: NeededValue, value: string): AdoptOptions =>
    option === repositoryOption
        ? { ...options, github: value }
        : { ...options, set: [...(options.set ?? []), ...values.map((one) => `${one}=${value}`)] };

/** Asks for values until none is needed, or nobody knows the rest. Returns the plan with them. */
async function askForValues(
    folder: string,
    first: AdoptionPlan,
    options: AdoptOptions,
    { ask }: Person,
): Promise<AdoptionPlan> {
    let [plan, given] = [first, options];
    const unanswered = new Set<string>();
    for (;;) {
        const next = plan.needed.find(({ option }) => !unanswered.has(option));
        if (next === undefined) return plan;
        const what =
            next.option === repositoryOption ? "The repository on GitHub, as <owner>/<name>" : next.values.join(", ");
        const answer = await ask(`${what} (${next.uses[0]?.where ?? ""} needs it; empty if you don't know): `);
        if (answer === "") unanswered.add(next.option);
        else {
            given = withValue(given, next, answer);
            ({ plan } = await planAdoption(folder, given));
        }
    }
}

/** Whether images.ts defines the same images as another text for it. */
function definesSameImages(root: string, planned: string): boolean {
    const imagesIn = (folder: string) => {
        try {
            return loadDefinitions(folder).images;
        } catch (error) {
            if (error instanceof InputError) return undefined;
            throw error;
        }
    };
    // In the repository's own folder, so that it finds what it imports.
    const folder = mkdtempSync(path.join(root, ".adopt-"));
    try {
        writeFileSync(path.join(folder, "images.ts"), planned);
        return isDeepStrictEqual(imagesIn(root), imagesIn(folder));
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** Says why nothing can be written where nobody is asked; undefined if it can. */
function refusal({ needed }: AdoptionPlan, { yes = false, incomplete = false }: AdoptOptions): string | undefined {
    if (needed.length > 0 && !incomplete) {
        const options = needed.map(({ option }) => option).join(" ");
        return `nothing was written, because the plan is incomplete\n  next: run it again with ${options}; or with --incomplete, to write it without what depends on that`;
    }
    if (!yes) {
        return "nothing was written, because nobody could be asked\n  next: add --yes, or --dry-run to only look";
    }
    return undefined;
}

/** Says that nothing is to be written, and what to do if images.ts is not what the plan has. */
function nothingToWrite(root: string, { files }: AdoptionPlan): string {
    const images = files.find(({ file }) => file === "images.ts");
    const plain = "nothing to write: this repository uses layered-images already";
    return images === undefined || definesSameImages(root, images.planned ?? images.text)
        ? plain
        : `${plain}\n  images.ts defines other images than this plan, and stays. To have the plan's: remove it, and run adopt again`;
}

/**
 * Runs `adopt`: reads how a repository builds its images today, prints the hierarchy that follows from it, and writes the files with which
 * this package builds them. It overwrites nothing. Values that only people know it asks for, and writes nothing while one is unknown.
 *
 * @param folder a folder in the repository
 * @returns exit code: 0 done or nothing to do, 64 if nobody could be asked
 * @throws the errors of `planAdoption`
 */
export async function runAdopt(folder: string, options: AdoptOptions): Promise<number> {
    const planned = await planAdoption(folder, options);
    if (!process.stdin.isTTY || options.yes || options.dryRun || options.json) return adopt(planned, options);
    const person = personAtTerminal();
    try {
        const plan = await askForValues(folder, planned.plan, options, person);
        if (isInterrupted()) {
            console.error("nothing was written");
            return exit.interrupted;
        }
        return await adopt({ ...planned, plan }, options, person);
    } finally {
        person.leave();
    }
}

/** Prints a plan and writes its files, if a person, or else the options, agree. Returns the exit code. */
async function adopt({ plan, root }: Planned, options: AdoptOptions, person?: Person): Promise<number> {
    console.log(options.json ? JSON.stringify(plan, undefined, 2) : planText(plan));
    const pending = plan.files.filter(({ action }) => action !== "keep");
    if (pending.length === 0) {
        console.error(nothingToWrite(root, plan));
        return exit.done;
    }
    if (options.dryRun) return exit.done;
    const refused = person ? undefined : refusal(plan, options);
    if (refused !== undefined) {
        console.error(`error: ${refused}`);
        return exit.wrongUse;
    }
    if (person) {
        const what = pending.length === 1 ? "this file" : `these ${pending.length} files`;
        const lacking = plan.needed.length > 0 ? ", without what is not known" : "";
        const answer = await person.ask(`Write ${what}${lacking}? [y/N] `);
        if (!/^y(?:es)?$/i.test(answer)) {
            console.error("nothing was written");
            return isInterrupted() ? exit.interrupted : exit.done;
        }
    }
    writeAll(root, pending);
    const isInstalled = existsSync(path.join(root, "node_modules/layered-images/package.json"));
    console.error(
        `written: ${pending.map(({ file }) => file).join(", ")}\nnext: ${isInstalled ? "" : "npm install, then "}${typed("preview")}`,
    );
    return exit.done;
}
