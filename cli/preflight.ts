import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { type ConfigFile, configFileOf, openConfigFile, settingIn } from "../lib/engine/configFile";
import { isPassphrase } from "../lib/engine/passphrase";
import { engineError, passphraseAdvice, runPulumi } from "../lib/engine/pulumi";
import { projectName } from "../lib/engine/stacks";
import { tokenAdvice } from "../lib/engine/withoutGitHub";
import { InputError } from "../lib/errors";
import { type GitHubTarget, UnreachableError, restAddress } from "../lib/github/api";
import { environmentNames, readEnvironment, restrictionProblem } from "../lib/github/environments";
import { RefusedError, missingScope } from "../lib/github/refusals";
import { checkAccess, readRepository } from "../lib/github/repository";
import { accessOf } from "../lib/github/settings";
import { defaultBaseUrl, targetIn } from "../lib/github/target";
import { typed } from "../lib/system/commandLine";
import { type Heading, guide } from "../lib/system/guide";
import { inActions } from "../lib/system/inActions";
import { isAtLeast, versionIn } from "../lib/system/versions";
import { addSummary } from "./actions";

/* What a run on a stack needs, checked before anything else, so that all that is missing is said at once. */

/** How a command uses the stack: `read` needs no secrets, `update` also changes GitHub. */
export type Use = "read" | "review" | "update";

/** Something that a run lacks. */
export interface Missing {
    /** Says what is missing, and the next step. */
    readonly error: InputError;
    /** The section of docs/operations.md that helps. */
    readonly heading: Heading;
    /** Whether the run can't go on without it. */
    readonly stops: boolean;
}

const stops = (error: InputError, heading: Heading): Missing => ({ error, heading, stops: true });
const goesOn = (error: InputError, heading: Heading): Missing => ({ error, heading, stops: false });

const stacks = z.array(z.object({ name: z.string() }));

/**
 * Parses the output of `pulumi stack ls --json`.
 *
 * @returns the names of the stacks
 * @throws SyntaxError or z.ZodError if the text is not such a list
 */
export const knownStacks = (text: string): string[] => stacks.parse(JSON.parse(text)).map(({ name }) => name);

/** Oldest CLI that supports the error hooks that the program registers through its SDK. */
const oldestCli = "3.248.0";

async function cliProblem(env: NodeJS.ProcessEnv): Promise<Missing | undefined> {
    const { failure, stdout } = await runPulumi(["version"], env);
    const version = versionIn(stdout);
    if (failure !== undefined || version === undefined) {
        const problem = `pulumi can't be run (${failure ?? `it printed ${stdout.trim()}`})`;
        const next = "install it (https://www.pulumi.com/docs/install), or leave --stack out to use the lab's";
        return stops(new InputError({ problem, next }), "ownMachine");
    }
    if (isAtLeast(version, oldestCli)) return undefined;
    const old = {
        problem: `pulumi ${version} is too old for this program`,
        allowed: [`${oldestCli} and later`],
        next: "update it: https://www.pulumi.com/docs/install",
    };
    return stops(new InputError(old), "ownMachine");
}

/** Whether a stack is among those that the backend lists: either name may have the organization in front. */
export const isListed = (stack: string, known: readonly string[]): boolean =>
    known.some((name) => name === stack || name.endsWith(`/${stack}`) || stack.endsWith(`/${name}`));

/** Asks the backend for the stack. */
async function stackProblem(env: NodeJS.ProcessEnv, stack: string): Promise<Missing | undefined> {
    const listed = await runPulumi(["stack", "ls", "--json", "--non-interactive"], env);
    if (listed.failure !== undefined)
        return stops(engineError("the stacks can't be listed", listed, undefined, env), "state");
    let known: readonly string[];
    try {
        known = knownStacks(listed.stdout);
    } catch {
        return stops(engineError("the list of stacks can't be read", listed, undefined, env), "state");
    }
    if (isListed(stack, known)) return undefined;
    const unknown = {
        problem: `there is no stack "${stack}" of this project where pulumi is logged in`,
        allowed: known,
        next: inActions(env)
            ? `on your machine: pulumi login <backend>, pulumi stack init ${stack}; or correct the variable that names the backend`
            : `pulumi stack init ${stack}, or pulumi login <backend>`,
    };
    return stops(new InputError(unknown), "state");
}

/** Compares the passphrase with the stack's file: Pulumi says only halfway that it is wrong, when it reads a secret. */
async function passphraseProblem(env: NodeJS.ProcessEnv, config: ConfigFile): Promise<Missing | undefined> {
    const salt = config.document.get("encryptionsalt");
    if (typeof salt !== "string") return undefined;
    const { PULUMI_CONFIG_PASSPHRASE: set, PULUMI_CONFIG_PASSPHRASE_FILE: file } = env;
    const fromFile = () => (file && existsSync(file) ? readFileSync(file, "utf8").trim() : undefined);
    const passphrase = set ?? fromFile();
    if (passphrase !== undefined && (await isPassphrase(salt, passphrase)) !== false) return undefined;
    const is = passphrase === undefined ? "not set" : passphrase === "" ? "empty" : "not the passphrase of this stack";
    const problem = `PULUMI_CONFIG_PASSPHRASE is ${is}: neither its secrets nor its state can be read`;
    return stops(new InputError({ problem, where: config.file, next: passphraseAdvice(env) }), "state");
}

/** Returns the error of a question to GitHub as something that is missing; undefined if it succeeds. */
async function refusedBy(question: () => Promise<unknown>): Promise<Missing | undefined> {
    try {
        await question();
        return undefined;
    } catch (error) {
        if (error instanceof UnreachableError) {
            return goesOn(new InputError({ problem: error.message, next: error.next }), "token");
        }
        // Images come first: an update publishes them whatever GitHub refuses. A repository that does not exist is another matter.
        if (error instanceof InputError) return { error, heading: "token", stops: !(error instanceof RefusedError) };
        throw error;
    }
}

/** Asks whether the token may do what an update does. */
async function tokenProblems(target: GitHubTarget, config: ConfigFile): Promise<Missing[]> {
    const wanted = accessOf(settingIn(config, "repositorySecrets"));
    const reading = async () => {
        const missing = missingScope((await readRepository(target)).headers);
        if (missing) throw missing;
    };
    const questions = [reading, ...wanted.map((access) => () => checkAccess(target, [access]))];
    const found = (await Promise.all(questions.map(refusedBy))).filter((one) => one !== undefined);
    // A token that GitHub does not know is refused by every question, with one message.
    return found.filter(({ error }, index) => found.findIndex((one) => one.error.message === error.message) === index);
}

/** Asks whether the environments of the jobs are there, and that of updates only for the branch. */
async function environmentProblems(target: GitHubTarget): Promise<Missing[]> {
    const next = `${typed("github-setup", "--apply")} on your machine, or Settings → Environments`;
    const read = async (name: string) => {
        try {
            return { found: await readEnvironment(target, name) };
        } catch (error) {
            // A token that may not read environments says nothing about them.
            if (error instanceof InputError || error instanceof UnreachableError) return undefined;
            throw error;
        }
    };
    const [up, review] = await Promise.all([read(environmentNames.up), read(environmentNames.review)]);
    const open = up && restrictionProblem(up.found, target.branch);
    const problems = [
        ...(open === undefined ? [] : [`environment ${environmentNames.up}: ${open}`]),
        ...(review && !review.found ? [`environment ${environmentNames.review}: it does not exist`] : []),
    ];
    return problems.map((problem) => goesOn(new InputError({ problem, next }), "environments"));
}

/**
 * Returns the problem of a job on a GitHub server of one's own whose stack does not name that server: tokens of the server would be sent
 * to github.com, which knows none of them.
 */
function serverProblem({ baseUrl }: GitHubTarget, env: NodeJS.ProcessEnv): Missing | undefined {
    const { GITHUB_API_URL: address, GITHUB_SERVER_URL: server } = env;
    const isKnown = baseUrl !== defaultBaseUrl || !inActions(env) || !address || !server;
    if (isKnown || restAddress(baseUrl).host === new URL(address).host) return undefined;
    const problem = `this job runs on ${server}, and the stack does not say so: tokens would be sent to ${new URL(baseUrl).host}`;
    return stops(new InputError({ problem, next: `pulumi config set github:baseUrl ${server}/` }), "token");
}

/** Longest time in milliseconds for all questions to GitHub together: the update asks again what matters to it. */
const patience = 10_000;

/**
 * Asks GitHub, in parallel. The workflow's own token, in WORKFLOW_TOKEN, reads environments, which the token that writes need not be
 * allowed to read.
 */
async function githubProblems(config: ConfigFile, env: NodeJS.ProcessEnv, use: Use): Promise<Missing[]> {
    const target = targetIn(config, env);
    if (!target || use === "read" || !(inActions(env) || (use === "review" && target.token))) return [];
    const elsewhere = serverProblem(target, env);
    if (elsewhere) return [elsewhere];
    const without = {
        problem:
            "GITHUB_TOKEN is not set: images are published, workflow files, secrets and variables stay as they are",
        next: tokenAdvice(env),
    };
    const reader = env.WORKFLOW_TOKEN ? { ...target, token: env.WORKFLOW_TOKEN } : target;
    const questions = Promise.all([
        use !== "update"
            ? []
            : target.token === undefined
              ? [goesOn(new InputError(without), "token")]
              : tokenProblems(target, config),
        reader.token === undefined ? [] : environmentProblems(reader),
    ]);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Missing[][]>((resolve) => {
        const problem = `GitHub did not answer within ${patience / 1000} s what the token may do`;
        timer = setTimeout(() => {
            resolve([[goesOn(new InputError({ problem, next: "check the network if it lasts" }), "token")]]);
        }, patience);
    });
    try {
        return (await Promise.race([questions, late])).flat();
    } finally {
        clearTimeout(timer);
    }
}

/**
 * Returns all that a run on a stack other than the lab's lacks.
 *
 * @param root the repository's root
 */
export async function findMissing(root: string, stack: string, env: NodeJS.ProcessEnv, use: Use): Promise<Missing[]> {
    const hasFile = existsSync(path.join(root, configFileOf(stack)));
    const config = hasFile ? openConfigFile(root, stack, projectName(root)) : undefined;
    const [cli, there, passphrase, github] = await Promise.all([
        cliProblem(env),
        stackProblem(env, stack),
        config && use !== "read" ? passphraseProblem(env, config) : undefined,
        config ? githubProblems(config, env, use) : [],
    ]);
    // Without a `pulumi` that runs, its answers say nothing.
    return [cli ?? there, passphrase, ...github].filter((one) => one !== undefined);
}

/** Returns the error with a reference to the section that helps, unless it has one. */
function sentence({ error, heading }: Missing): InputError {
    const { next } = error.input;
    if (next?.includes(guide(heading))) return error;
    return new InputError({
        ...error.input,
        next: next === undefined ? guide(heading) : `${next} (${guide(heading)})`,
    });
}

/** Formats what is missing: what stops the run first. */
export function missingText(missing: readonly Missing[]): string {
    const lines = [true, false].flatMap((stopping) => {
        const some = missing.filter((one) => one.stops === stopping);
        if (some.length === 0) return [];
        const head = stopping ? "this stops the run:" : "the run goes on without:";
        return [head, ...some.map((one) => `  - ${sentence(one).message.replaceAll("\n", "\n    ")}`)];
    });
    return lines.join("\n");
}

/**
 * Checks what a run on a stack needs, and prints what is missing if the run can go on without it.
 *
 * @throws InputError that names all that is missing, if the run can't
 */
export async function preflight(root: string, stack: string, env: NodeJS.ProcessEnv, use: Use): Promise<void> {
    const missing = await findMissing(root, stack, env, use);
    const [first] = missing;
    if (!first) return;
    if (missing.some((one) => one.stops)) {
        throw missing.length === 1
            ? sentence(first)
            : new InputError({
                  problem: `before the run, ${missing.length} things are missing:\n${missingText(missing)}`,
              });
    }
    console.error(missingText(missing));
    addSummary(`\`\`\`\n${missingText(missing)}\n\`\`\`\n`, env);
}
