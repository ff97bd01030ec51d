import { readFileSync } from "node:fs";
import { z } from "zod";
import { InputError } from "../errors";
import { repositoryRoot } from "../system/paths";
import { type Captured, capture } from "../system/process";
import { guide } from "../system/guide";
import { inActions } from "../system/inActions";
import { progress } from "../system/progress";
import { continuing } from "./continuing";
import { withoutDockerHost } from "./dockerHost";
import { cancelAdvice } from "./locks";
import { type Preview, readPreview } from "./preview";
import { type Deployment, parseDeployment } from "./state";
import { withoutGitHub } from "./withoutGitHub";
import { typed } from "../system/commandLine";

/** Returns the next step for a passphrase that is missing or wrong. */
export const passphraseAdvice = (env: NodeJS.ProcessEnv): string =>
    inActions(env)
        ? "set the secret PULUMI_CONFIG_PASSPHRASE of the job's environment (up, review) to the passphrase that the stack was made with"
        : "export PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) with the passphrase that the stack was made with";

const loginAdvice = (env: NodeJS.ProcessEnv): string =>
    inActions(env)
        ? "set the variables and secrets of the backend in the job's environment (up, review), such as PULUMI_ACCESS_TOKEN; " +
          `on your machine ${typed("github-setup")} lists them`
        : "pulumi login, or export PULUMI_ACCESS_TOKEN";

/** Pulumi's errors for a stack that can't be opened, each with the next step for the user. */
const advice: readonly (readonly [RegExp, (env: NodeJS.ProcessEnv) => string])[] = [
    [/incorrect passphrase|passphrase must be set/, passphraseAdvice],
    [/PULUMI_ACCESS_TOKEN must be set|invalid access token|Unauthorized: No credentials/, loginAdvice],
    [/currently locked by/, () => `wait for the update that runs; left by one that was killed: ${guide("lock")}`],
    [
        /no resource plugin|could not find plugin|failed to load plugin/,
        () => `pulumi plugin install, with a network; in the lab: ${typed("lab", "start")}`,
    ],
];

/**
 * Returns the next step for an error of the engine.
 *
 * @returns undefined if the error needs no further explanation
 */
export const engineAdvice = (output: string, env: NodeJS.ProcessEnv = process.env): string | undefined =>
    advice.find(([pattern]) => pattern.test(output))?.[1](env);

const diagnostics = z.object({
    diagnostics: z.array(z.object({ severity: z.string(), message: z.string().default("") })).nullish(),
});

/** Severities of messages that explain a failure: the engine's errors, or else the program's output on stderr. */
const explaining = ["error", "info#err"];

/**
 * Returns the errors in the output of a failed `pulumi preview --json`. No other part of the JSON is returned: it
 * contains the values of all arguments.
 *
 * @returns "" if it contains no errors
 */
export function previewErrors(stdout: string): string {
    if (!stdout.trimStart().startsWith("{")) return stdout.trim();
    let json: unknown;
    try {
        json = JSON.parse(stdout);
    } catch {
        // Truncated output.
        return "";
    }
    const reported = diagnostics.safeParse(json).data?.diagnostics ?? [];
    const messagesOf = (severity: string) =>
        reported.filter((entry) => entry.severity === severity).map(({ message }) => message.trim());
    const errors = explaining.map(messagesOf).find((messages) => messages.length > 0) ?? [];
    // A warning before the errors can contain the reason, for example a server that did not respond.
    const warnings =
        errors.length > 0 ? messagesOf("warning").map((message) => message.replace(/^(warning: )?/, "warning: ")) : [];
    return [...errors, ...warnings].join("\n");
}

/** Pulumi on one stack. */
export interface Engine {
    readonly stack: string;
    /** Whether it is the lab's stack. */
    readonly isLab: boolean;
    /** Whether it is the stack that CI updates. */
    readonly isCi: boolean;
    /** Environment of every program that operates on the stack; of Pulumi, through `forPulumi`. */
    readonly env: NodeJS.ProcessEnv;
    /** Whether its builds find their engine without DOCKER_HOST, which Pulumi then does not get: see dockerHost.ts. */
    readonly namesBuilder: boolean;
    /** Runs `pulumi <args>` on the stack, in the repository's root, with `more` added to the environment. */
    readonly pulumi: (args: readonly string[], more?: NodeJS.ProcessEnv) => Promise<Captured>;
}

/** Runs `pulumi <args>` in the repository's root. */
export const runPulumi = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<Captured> =>
    capture("pulumi", args, { cwd: repositoryRoot(), env });

/** Returns the environment of Pulumi on a stack, from that of other programs. */
export const forPulumi = ({ namesBuilder }: Pick<Engine, "namesBuilder">, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
    namesBuilder ? withoutDockerHost(env) : env;

/** Returns Pulumi on a stack that the caller has opened. */
export const engineOn = (opened: Omit<Engine, "pulumi">): Engine => ({
    ...opened,
    pulumi: (args, more) =>
        runPulumi([...args, "--stack", opened.stack], forPulumi(opened, { ...opened.env, ...more })),
});

/** The arguments and environment of a Pulumi operation. */
export interface Operation {
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
}

/**
 * Completes the arguments and environment of `pulumi <operation> <args>`: without a token GitHub is left out, and an
 * `up` continues after failures.
 *
 * @param operation "preview", "refresh" or "up"
 */
export function completeOperation(operation: string, { args, env }: Operation): Operation {
    const without = operation === "refresh" ? { args: [], env: {} } : withoutGitHub(env, args);
    const selected = [...without.args, ...args];
    const further = operation === "up" ? continuing(selected) : { args: [], env: {} };
    return { args: [...further.args, ...selected], env: { ...env, ...without.env, ...further.env } };
}

/**
 * Returns the complete output of `pulumi`, errors first, as an error with the next step.
 *
 * @param fallback the next step if the output suggests none
 */
export function engineError(
    what: string,
    { failure, stdout, stderr }: Captured,
    fallback?: string,
    env: NodeJS.ProcessEnv = process.env,
): InputError {
    const output = [stderr.trim(), stdout.trim()]
        .filter((text) => text !== "")
        .join("\n")
        .replaceAll(cancelAdvice, "");
    const next = engineAdvice(output, env) ?? fallback;
    return new InputError({
        problem: `${what}: pulumi ended with ${failure ?? "nothing"}:\n${output}`,
        ...(next !== undefined && { next }),
    });
}

/** Returns the preview that the engine printed; undefined for any other text. */
function parsed(text: string): Preview | undefined {
    try {
        return readPreview(text);
    } catch {
        return undefined;
    }
}

/**
 * Runs a preview of an update.
 *
 * @throws InputError with the engine's error first, if the preview fails
 */
export async function preview({ pulumi, stack, env }: Engine): Promise<Preview> {
    // Without the replacement steps it would not show deletions that an earlier update left pending.
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
 * Returns the stack's state, as `pulumi stack export` prints it: secrets stay encrypted.
 *
 * @throws InputError if it can't be read
 */
export async function exportStack({ pulumi, stack }: Engine): Promise<Deployment> {
    const exporting = () => pulumi(["stack", "export", "--non-interactive"]);
    const done = await progress(`reading the state of stack ${stack}`, exporting, { after: 2000 });
    if (done.failure !== undefined) throw engineError("the state can't be read", done);
    return parseDeployment(done.stdout);
}

const stackState = z.object({ checkpoint: z.object({ latest: z.unknown().optional() }) });

/**
 * Reads the deployment of a stack from its file in a file backend: running `pulumi` takes a second. Throws the same
 * errors as `parseDeployment`.
 *
 * @param file path of the stack's file, from `stackFile`
 */
export function readStackFile(file: string): Deployment {
    const { latest } = stackState.parse(JSON.parse(readFileSync(file, "utf8"))).checkpoint;
    return parseDeployment(JSON.stringify({ deployment: latest ?? {} }));
}

/** Returns the URL of the backend, as `pulumi login` takes it; undefined if Pulumi does not report it. */
export async function backendUrl(env: NodeJS.ProcessEnv): Promise<string | undefined> {
    if (env.PULUMI_BACKEND_URL) return env.PULUMI_BACKEND_URL;
    // From the last `pulumi login`, or from Pulumi.yaml.
    const { stdout } = await runPulumi(["whoami", "--json", "--non-interactive"], env);
    return /"url": *"([^"]*)"/.exec(stdout)?.[1];
}
