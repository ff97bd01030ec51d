import { readFileSync } from "node:fs";
import { z } from "zod";
import { InputError } from "../errors";
import { repositoryRoot } from "../system/paths";
import { type Captured, capture } from "../system/process";
import { progress } from "../system/progress";
import { continuing } from "./continuing";
import { type Preview, readPreview } from "./preview";
import { type Deployment, parseDeployment } from "./state";
import { withoutGitHub } from "./withoutGitHub";

/** What Pulumi says when the stack can't be opened, and what to do about it. */
const advice: readonly (readonly [RegExp, string])[] = [
    [
        /incorrect passphrase|passphrase must be set/,
        "export PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) with the passphrase that the stack was made with",
    ],
    [
        /PULUMI_ACCESS_TOKEN must be set|invalid access token|Unauthorized: No credentials/,
        "pulumi login, or export PULUMI_ACCESS_TOKEN",
    ],
    [
        /currently locked by/,
        'wait for the update that runs; left by one that was killed: docs/operations.md, "A lock was left behind"',
    ],
    [
        /no resource plugin|could not find plugin|failed to load plugin/,
        "pulumi plugin install, with a network; in the lab: npm run lab -- start",
    ],
];

/**
 * What to do about an error of the engine.
 *
 * @returns undefined where the error speaks for itself
 */
export const enginesAdvice = (said: string): string | undefined => advice.find(([pattern]) => pattern.test(said))?.[1];

const diagnostics = z.object({
    diagnostics: z.array(z.object({ severity: z.string(), message: z.string().default("") })).nullish(),
});

/** Severities of messages that explain a failure: the engine's errors, or else what the program itself printed on stderr. */
const explaining = ["error", "info#err"];

/**
 * The errors in the output of a `pulumi preview --json` that failed. Nothing else of the JSON is told: it holds the values of every
 * argument.
 *
 * @returns "" where there are none
 */
export function previewErrors(stdout: string): string {
    if (!stdout.trimStart().startsWith("{")) return stdout.trim();
    let json: unknown;
    try {
        json = JSON.parse(stdout);
    } catch {
        // Cut off in the middle.
        return "";
    }
    const said = diagnostics.safeParse(json).data?.diagnostics ?? [];
    const of = (severity: string) =>
        said.filter((one) => one.severity === severity).map(({ message }) => message.trim());
    const errors = explaining.map(of).find((messages) => messages.length > 0) ?? [];
    // A warning before them can hold the reason: somebody who did not answer.
    const warnings =
        errors.length > 0 ? of("warning").map((message) => message.replace(/^(warning: )?/, "warning: ")) : [];
    return [...errors, ...warnings].join("\n");
}

/** Pulumi on one stack. */
export interface Engine {
    readonly stack: string;
    /** Whether it is the lab's. */
    readonly isLab: boolean;
    /** Whether it is the one that CI runs. */
    readonly isCi: boolean;
    /** Environment of every program that works on the stack. */
    readonly env: NodeJS.ProcessEnv;
    /** Runs `pulumi <args>` on the stack, in the repository's root, with `more` added to the environment. */
    readonly pulumi: (args: readonly string[], more?: NodeJS.ProcessEnv) => Promise<Captured>;
}

/** Runs `pulumi <args>` in the repository's root. */
export const runPulumi = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<Captured> =>
    capture("pulumi", args, { cwd: repositoryRoot, env });

/** Pulumi on a stack that somebody has opened. */
export const engineOn = (opened: Omit<Engine, "pulumi">): Engine => ({
    ...opened,
    pulumi: (args, more) => runPulumi([...args, "--stack", opened.stack], { ...opened.env, ...more }),
});

/** How an operation of Pulumi is run. */
export interface Operation {
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
}

/**
 * How `pulumi <operation> <args>` is run: without a token it leaves GitHub out, and an `up` goes on past failures.
 *
 * @param operation "preview", "refresh" or "up"
 * @returns its arguments and its environment, completed
 */
export function completeOperation(operation: string, { args, env }: Operation): Operation {
    const without = operation === "refresh" ? { args: [], env: {} } : withoutGitHub(env, args);
    const all = [...without.args, ...args];
    const further = operation === "up" ? continuing(all) : { args: [], env: {} };
    return { args: [...further.args, ...all], env: { ...env, ...without.env, ...further.env } };
}

/**
 * All that `pulumi` printed, its errors first, as an error with the next step.
 *
 * @param fallback the next step where the errors suggest none
 */
export function engineError(what: string, { failure, stdout, stderr }: Captured, fallback?: string): InputError {
    const said = [stderr.trim(), stdout.trim()].filter((text) => text !== "").join("\n");
    const next = enginesAdvice(said) ?? fallback;
    return new InputError({
        problem: `${what}: pulumi ended with ${failure ?? "nothing"}:\n${said}`,
        ...(next !== undefined && { next }),
    });
}

/** The preview that the engine printed; undefined for anything else. */
function parsed(text: string): Preview | undefined {
    try {
        return readPreview(text);
    } catch {
        return undefined;
    }
}

/**
 * What an update would do.
 *
 * @throws InputError with the engine's own error first, when the preview fails
 */
export async function preview({ pulumi, stack, env }: Engine): Promise<Preview> {
    // Without the replacement steps it would not show what an earlier update left to be deleted.
    const options = ["--json", "--show-sames", "--show-replacement-steps", "--non-interactive"];
    const without = withoutGitHub(env, []);
    const command = ["preview", ...options, ...without.args];
    const done = await progress(`previewing stack ${stack}`, () => pulumi(command, without.env));
    const found = parsed(done.stdout);
    if (done.failure === undefined && found) return found;
    const errors = previewErrors(done.stdout);
    const more = errors === "" ? `pulumi preview --stack ${stack}` : undefined;
    throw engineError("the preview failed", { ...done, stderr: `${errors}\n${done.stderr}`, stdout: "" }, more);
}

/**
 * The stack's state, as `pulumi stack export` prints it: secrets stay encrypted.
 *
 * @throws InputError when it can't be read
 */
export async function exportStack({ pulumi }: Engine): Promise<Deployment> {
    const done = await pulumi(["stack", "export", "--non-interactive"]);
    if (done.failure !== undefined) throw engineError("the state can't be read", done);
    return parseDeployment(done.stdout);
}

const stackState = z.object({ checkpoint: z.object({ latest: z.unknown().optional() }) });

/**
 * What a stack of a file backend has deployed, from its file: asking `pulumi` for it takes a second. Errors as `parseDeployment`.
 *
 * @param file as `stackFile` names it
 */
export function readStackFile(file: string): Deployment {
    const { latest } = stackState.parse(JSON.parse(readFileSync(file, "utf8"))).checkpoint;
    return parseDeployment(JSON.stringify({ deployment: latest ?? {} }));
}

/** The URL of the backend, as `pulumi login` takes it; undefined where Pulumi does not tell. */
export async function backendUrl(env: NodeJS.ProcessEnv): Promise<string | undefined> {
    if (env.PULUMI_BACKEND_URL) return env.PULUMI_BACKEND_URL;
    // From the last `pulumi login`, or from Pulumi.yaml.
    const { stdout } = await runPulumi(["whoami", "--json", "--non-interactive"], env);
    return /"url": *"([^"]*)"/.exec(stdout)?.[1];
}
