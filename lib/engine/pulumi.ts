import { z } from "zod";
import { labEnvironment, labStackName } from "../../lab/environment";
import { type StartOptions, startLab } from "../../lab/lab";
import { describeLab } from "../../lab/labState";
import { isAtLeast } from "../../lab/toolchain/build";
import { ciStack } from "../../workflows/ciStack";
import { InputError } from "../errors";
import { repositoryRoot } from "../system/paths";
import { type Captured, capture } from "../system/process";
import { progress } from "../system/progress";
import { type Preview, readPreview } from "./preview";
import { type Deployment, parseDeployment } from "./state";
import { withoutGitHub } from "./withoutGitHub";

const stacks = z.array(z.object({ name: z.string() }));

/**
 * The stacks that `pulumi stack ls --json` lists.
 *
 * @throws SyntaxError or z.ZodError when it is no such list
 */
export const knownStacks = (text: string): string[] => stacks.parse(JSON.parse(text)).map(({ name }) => name);

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

/** Severities of what explains a failure: the engine's errors, or what the program itself printed on stderr. */
const explaining = ["error", "info#err"];

/**
 * What a preview with `--json` that failed says of its failure. Of the JSON nothing else: it holds the values of every argument.
 *
 * @returns "" where it says nothing
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
    // Why it failed can stand in a warning before: what could not be asked.
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
    /** Environment of everything that is asked about the stack. */
    readonly env: NodeJS.ProcessEnv;
    /** Runs `pulumi <args>` on the stack, in the repository's root, with more variables where wanted. */
    readonly pulumi: (args: readonly string[], more?: NodeJS.ProcessEnv) => Promise<Captured>;
}

/** The CLI must know the error hooks that the program registers: those of its SDK's version do. */
const oldestCli = "3.248.0";

const inRoot = (env: NodeJS.ProcessEnv) => (args: readonly string[]) =>
    capture("pulumi", args, { cwd: repositoryRoot, env });

async function checkCli(env: NodeJS.ProcessEnv): Promise<void> {
    const { failure, stdout } = await inRoot(env)(["version"]);
    const version = /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (failure !== undefined || version === undefined) {
        throw new InputError({
            problem: `pulumi can't be run (${failure ?? `it says ${stdout.trim()}`})`,
            next: "install it (https://www.pulumi.com/docs/install), or leave --stack out to use the lab's",
        });
    }
    if (!isAtLeast(version, oldestCli)) {
        throw new InputError({
            problem: `pulumi ${version} is too old for this program`,
            allowed: [`${oldestCli} and later`],
            next: "update it: https://www.pulumi.com/docs/install",
        });
    }
}

/** The whole of what `pulumi` said, its errors first, as an error with the next step; `fallback` where there is no better one. */
export function engineError(what: string, { failure, stdout, stderr }: Captured, fallback?: string): InputError {
    const said = [stderr.trim(), stdout.trim()].filter((text) => text !== "").join("\n");
    const next = enginesAdvice(said) ?? fallback;
    return new InputError({
        problem: `${what}: pulumi ended with ${failure ?? "nothing"}:\n${said}`,
        ...(next !== undefined && { next }),
    });
}

async function checkStack(env: NodeJS.ProcessEnv, stack: string): Promise<void> {
    const listed = await inRoot(env)(["stack", "ls", "--json", "--non-interactive"]);
    if (listed.failure !== undefined) throw engineError("the stacks can't be listed", listed);
    const known = knownStacks(listed.stdout);
    if (known.some((name) => name === stack || name.endsWith(`/${stack}`) || stack.endsWith(`/${name}`))) return;
    throw new InputError({
        problem: `there is no stack "${stack}" of this project where pulumi is logged in`,
        allowed: known,
        next: `pulumi stack init ${stack}, or pulumi login <backend>`,
    });
}

/** Which stack to look at, and how. */
export interface OpenOptions {
    /** Its name; the lab's without. */
    readonly stack?: string | undefined;
    /** Whether the lab is set up and started where that is missing, rather than looked at as it is. */
    readonly start: boolean;
    /** How the lab is started. */
    readonly lab?: StartOptions;
}

/**
 * Pulumi on the lab's stack, or on another one as the environment has it.
 *
 * @throws InputError when there is no such stack, or no Pulumi that can be used
 * @throws LabError when the lab can't be started, or was never
 */
export async function openEngine({ stack = labStackName, start, lab }: OpenOptions): Promise<Engine> {
    const isLab = stack === labStackName;
    const labEnv = async () => (start ? (await startLab(lab)).env : labEnvironment(await describeLab()));
    const env = isLab ? await labEnv() : process.env;
    if (!isLab) {
        await checkCli(env);
        await checkStack(env, stack);
    }
    const isCi = stack.split("/").at(-1) === ciStack;
    return {
        stack,
        isLab,
        isCi,
        env,
        pulumi: (args, more) => inRoot({ ...env, ...more })([...args, "--stack", stack]),
    };
}

/** What the engine printed as JSON, as long as it is a preview. */
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
    // Without its replacement steps, what an earlier update left to be deleted would not be shown.
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

/** Where Pulumi keeps states, as `pulumi login` takes it; undefined where it does not tell. */
export async function backendUrl(env: NodeJS.ProcessEnv): Promise<string | undefined> {
    if (env.PULUMI_BACKEND_URL) return env.PULUMI_BACKEND_URL;
    // As the last `pulumi login` left it, or Pulumi.yaml names it.
    const { stdout } = await inRoot(env)(["whoami", "--json", "--non-interactive"]);
    return /"url": *"([^"]*)"/.exec(stdout)?.[1];
}
