import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { loadDefinitions } from "../definitions";
import type { Backend } from "../lib/engine/backends";
import { configFileOf, openConfigFile } from "../lib/engine/configFile";
import { ciStack, projectName } from "../lib/engine/stacks";
import { openCheckout } from "../lib/context/checkout";
import { InputError } from "../lib/errors";
import { type GitHubTarget, UnreachableError } from "../lib/github/api";
import { ensureEnvironment, environmentNames } from "../lib/github/environments";
import { readRemote, registryLogin, splitRepository, valueProblem } from "../lib/github/names";
import {
    type Needs,
    type SetupItem,
    checklist,
    readSetup,
    setSecret,
    setVariable,
    settable,
    unknownSetup,
} from "../lib/github/setup";
import { setupPermissions } from "../lib/github/permissions";
import { checkBranch } from "../lib/github/repository";
import { baseUrlOf, defaultBaseUrl, firstSet, targetIn } from "../lib/github/target";
import { guide } from "../lib/system/guide";
import { passwordsIn } from "../lib/system/hidden";
import { repositoryRoot } from "../lib/system/paths";
import { capture } from "../lib/system/process";
import { ciBranch, ciRegistry } from "../workflows/ciStack";
import { workflowImages } from "../workflows/images";
import { registriesOf } from "../workflows/registries";
import { exit } from "./exitCodes";

/** Options of `github-setup`. */
export interface SetupOptions {
    /** Where the state is stored; by default it follows from what is set. */
    readonly backend?: Backend;
    /** "<owner>/<name>" of the repository, where neither CI's stack nor git's remote says it. */
    readonly github?: string;
    /** Do what the token may do. */
    readonly apply?: boolean;
    /** Variables to set: "NAME=value". */
    readonly variable?: readonly string[];
    /** Secrets to set, "NAME" or "<environment>:NAME", from the environment variables NAME. */
    readonly secret?: readonly string[];
    /** A secret to set, as above, from standard input. */
    readonly stdin?: string;
    /** Print JSON (`SetupReport`). */
    readonly json?: boolean;
}

/** The output of `github-setup --json`. */
export interface SetupReport {
    /** "<owner>/<name>". */
    readonly repository: string;
    readonly branch: string;
    /** What to set up, in this order. */
    readonly items: readonly (Omit<SetupItem, "heading"> & { readonly guide: string })[];
    /** What `--apply` did. */
    readonly applied: readonly string[];
    /** What GitHub refused of it. */
    readonly failed: readonly string[];
}

/** Returns the repository of the checkout on GitHub. */
async function findTarget(root: string, { github }: SetupOptions, env: NodeJS.ProcessEnv): Promise<GitHubTarget> {
    const configured = existsSync(path.join(root, configFileOf(ciStack)))
        ? targetIn(openConfigFile(root, ciStack, projectName(root)), env)
        : undefined;
    if (configured && github === undefined) return configured;
    const { GITHUB_REPOSITORY, GITHUB_BASE_URL, GITHUB_API_URL, GITHUB_TOKEN } = env;
    const target = (owner: string, repository: string, baseUrl = defaultBaseUrl): GitHubTarget => ({
        ...{ owner, repository, branch: ciBranch(root), baseUrl },
        ...(GITHUB_TOKEN && { token: GITHUB_TOKEN }),
    });
    const named = github ?? firstSet(GITHUB_REPOSITORY);
    if (named !== undefined) {
        const { owner, name } = splitRepository(named) ?? {};
        if (owner !== undefined && name !== undefined)
            return target(owner, name, firstSet(GITHUB_BASE_URL, GITHUB_API_URL));
        throw new InputError({
            problem: `${github === undefined ? "GITHUB_REPOSITORY" : "--github"} is ${named}`,
            allowed: ["<owner>/<name>"],
            next: "name it with --github",
        });
    }
    const { stdout } = await capture("git", ["remote", "get-url", "origin"], { cwd: root, env });
    const remote = readRemote(stdout.trim());
    if (!remote) {
        throw new InputError({
            problem: "no remote of git names a repository on GitHub",
            allowed: ["<owner>/<name>"],
            next: "name it with --github",
        });
    }
    const { host, owner, name } = remote;
    const baseUrl = firstSet(GITHUB_BASE_URL) ?? baseUrlOf(host);
    if (baseUrl !== undefined) return target(owner, name, baseUrl);
    throw new InputError({
        problem: `git's remote origin is on ${host}, and nothing says that this is a GitHub server`,
        next: `if it is one: export GITHUB_BASE_URL=https://${host}/; otherwise name the repository on github.com with --github`,
    });
}

/** Returns the backend's address from Pulumi.yaml, which jobs have as well, or else from the environment. */
function backendUrlIn(root: string, env: NodeJS.ProcessEnv): string | undefined {
    const file = path.join(root, "Pulumi.yaml");
    const project = existsSync(file) ? (parse(readFileSync(file, "utf8")) as { backend?: { url?: unknown } }) : {};
    return firstSet(typeof project.backend?.url === "string" ? project.backend.url : undefined, env.PULUMI_BACKEND_URL);
}

/** Returns what the repository of this checkout needs on GitHub. */
function needsOf(root: string, target: GitHubTarget, { backend }: SetupOptions, env: NodeJS.ProcessEnv): Needs {
    const definitions = loadDefinitions(root);
    const images = workflowImages(openCheckout(root), definitions);
    const registries = registriesOf(images, ciRegistry(root));
    const hasStack = existsSync(path.join(root, configFileOf(ciStack)));
    return {
        branch: target.branch,
        backend,
        backendUrl: backendUrlIn(root, env),
        hasStack,
        writesToGitHub: hasStack && targetIn(openConfigFile(root, ciStack, projectName(root)), env) !== undefined,
        usesGhcr: registries.includes("ghcr.io"),
        environments: ["up", "review", ...(definitions.workflows?.preview ? (["preview"] as const) : [])],
        logins: registries
            .filter((registry) => registry !== "ghcr.io")
            .map((registry) => ({ registry, ...registryLogin(registry) })),
    };
}

/** A change that `--apply` makes. */
interface Task {
    readonly what: string;
    readonly run: (target: GitHubTarget) => Promise<void>;
}

const notSettable = (option: string, name: string, allowed: readonly string[]) =>
    new InputError({ where: option, problem: `no workflow reads ${name}`, allowed });

function variableTask(text: string, known: readonly string[]): Task {
    const [, name, value = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    if (name === undefined) {
        throw new InputError({ where: "--variable", problem: `${text} has no value`, allowed: ["<name>=<value>"] });
    }
    if (!known.includes(name)) throw notSettable("--variable", name, known);
    if (passwordsIn(value).length > 0)
        throw new InputError({
            where: "--variable",
            problem: `the value of ${name} holds a password, and everybody who can see the repository's settings reads variables`,
            next: "leave the password out of the address, and set it as a secret: --secret PGPASSWORD",
        });
    const problem = valueProblem(value);
    if (problem !== undefined)
        throw new InputError({
            where: "--variable",
            problem: `GitHub refuses ${name}: ${problem}`,
            next: "give another",
        });
    return { what: `variable ${name}`, run: (target) => setVariable(target, name, value) };
}

/** Returns the tasks for a secret; the error for a wrong value never contains it. */
function secretTasks(
    option: string,
    text: string,
    known: ReturnType<typeof settable>["secrets"],
    valueOf: (name: string) => string,
): Task[] {
    const [, place, name = ""] = /^(?:([^:]*):)?(.*)$/s.exec(text) ?? [];
    const needed = known.get(name);
    if (!needed) throw notSettable(option, name, [...known.keys()]);
    const chosen = place === undefined ? needed : needed.filter((one) => one === place);
    if (chosen.length === 0) {
        throw new InputError({
            where: option,
            problem: `no job in environment ${place ?? ""} reads ${name}`,
            allowed: needed,
        });
    }
    const value = valueOf(name);
    const problem = valueProblem(value);
    if (problem !== undefined)
        throw new InputError({ where: option, problem: `GitHub refuses ${name}: ${problem}`, next: "give another" });
    return chosen.map((one) => ({
        what: `secret ${name} in environment ${one}`,
        run: (target) => setSecret(target, one, name, value),
    }));
}

/** Returns what `--apply` does, in order. Nothing is changed if an option is wrong. */
function tasksOf(
    needs: Needs,
    { variable = [], secret = [], stdin }: SetupOptions,
    env: NodeJS.ProcessEnv,
    input: () => string,
): Task[] {
    const known = settable(needs);
    const fromEnvironment = (name: string) => {
        if (env[name]) return env[name];
        throw new InputError({
            where: "--secret",
            problem: `the environment variable ${name} is not set`,
            next: `set it for this command, or hand the value over by standard input: --stdin ${name}`,
        });
    };
    return [
        {
            what: `environment up, for ${needs.branch} alone`,
            run: (target) => ensureEnvironment(target, environmentNames.up, needs.branch),
        },
        ...needs.environments
            .filter((name) => name !== "up")
            .map((name) => ({
                what: `environment ${name}`,
                run: (target: GitHubTarget) => ensureEnvironment(target, environmentNames[name]),
            })),
        ...variable.map((text) => variableTask(text, known.variables)),
        ...secret.flatMap((text) => secretTasks("--secret", text, known.secrets, fromEnvironment)),
        ...(stdin === undefined
            ? []
            : secretTasks("--stdin", stdin, known.secrets, () => input().replace(/\r?\n$/, ""))),
    ];
}

/** Runs the tasks, each regardless of the others. */
async function applyAll(
    target: GitHubTarget,
    tasks: readonly Task[],
): Promise<Pick<SetupReport, "applied" | "failed">> {
    const [applied, failed]: [string[], string[]] = [[], []];
    for (const { what, run } of tasks) {
        try {
            await run(target);
            applied.push(what);
        } catch (error) {
            if (!(error instanceof InputError || error instanceof UnreachableError)) throw error;
            const next = error instanceof UnreachableError ? `\n  next: ${error.next}` : "";
            failed.push(`${what}: ${error.message}${next}`);
        }
    }
    return { applied, failed };
}

const marks: Readonly<Record<SetupItem["state"], string>> = { done: "done   ", missing: "MISSING", unknown: "?      " };

/** What the reader does with an item that is advice. */
const advice: Readonly<Record<SetupItem["state"], string>> = {
    done: "",
    missing: " (if you want it)",
    unknown: " (look yourself)",
};

/** Formats the checklist for people. */
export function setupText({ repository, branch, items, applied, failed }: SetupReport): string {
    const lines = items.flatMap(({ state, what, text, next, guide: section, required }) => [
        `${state === "missing" && !required ? "       " : marks[state]}  ${what}${required ? "" : advice[state]}: ${text}`,
        ...(next === undefined ? [] : [`           next: ${next}`]),
        ...(state === "done" ? [] : [`           ${section}`]),
    ]);
    return [
        ...applied.map((what) => `set: ${what}`),
        ...failed.map((what) => `refused: ${what}`),
        `${repository}, images are built from ${branch}:`,
        ...lines,
        "",
    ].join("\n");
}

/** Returns the exit code: 2 if something is missing, 1 if GitHub refused a change or something required is not known, otherwise 0. */
export function setupExit({ items, failed }: Pick<SetupReport, "items" | "failed">): number {
    if (failed.length > 0) return exit.failed;
    const some = (state: SetupItem["state"]) => items.some((item) => item.required && item.state === state);
    return some("missing") ? exit.differs : some("unknown") ? exit.failed : exit.done;
}

/** Reads standard input to its end. */
const readInput = (): string => readFileSync(0, "utf8");

/**
 * Makes the report of `github-setup` for the checkout below `root`, after the changes of `--apply`. Throws the errors of `runSetup`.
 *
 * @param input reads the value for `--stdin`
 */
export async function makeSetup(
    root: string,
    options: SetupOptions,
    env: NodeJS.ProcessEnv,
    input: () => string = readInput,
): Promise<SetupReport> {
    const { apply = false, variable = [], secret = [], stdin } = options;
    if (!apply && (variable.length > 0 || secret.length > 0 || stdin !== undefined)) {
        throw new InputError({
            problem: "--variable, --secret and --stdin change the repository",
            next: "add --apply",
        });
    }
    const target = await findTarget(root, options, env);
    const needs = needsOf(root, target, options, env);
    if (apply && target.token === undefined) {
        throw new InputError({
            problem: "GITHUB_TOKEN is not set",
            next: `export GITHUB_TOKEN="$(gh auth token)", or a token with ${setupPermissions}`,
        });
    }
    try {
        if (target.token !== undefined) await checkBranch(target);
        const done = apply ? await applyAll(target, tasksOf(needs, options, env, input)) : { applied: [], failed: [] };
        const found = target.token === undefined ? unknownSetup : await readSetup(target);
        const items = checklist(needs, found).map(({ heading, ...item }) => ({ ...item, guide: guide(heading) }));
        return { repository: `${target.owner}/${target.repository}`, branch: target.branch, items, ...done };
    } catch (error) {
        if (error instanceof UnreachableError) throw new InputError({ problem: error.message, next: error.next });
        throw error;
    }
}

/**
 * Runs `github-setup`: prints what the owner of a repository sets up once on GitHub, with its state. With `--apply` it creates the
 * environments, restricts that of `up` to the branch, and sets the given variables and secrets; it removes and lifts nothing.
 *
 * @returns exit code: 0 everything is there, 2 something is missing, 1 GitHub refused something or could not be asked
 * @throws InputError for wrong options, a repository that does not exist, a token that GitHub does not know, and if GitHub does not answer
 */
export async function runSetup(options: SetupOptions): Promise<number> {
    const report = await makeSetup(repositoryRoot(), options, process.env);
    process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : setupText(report));
    return setupExit(report);
}
