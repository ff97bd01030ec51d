import { appendFileSync } from "node:fs";
import { startLab } from "../lab/lab";
import { labDeployment, stopRegistry } from "../lab/labState";
import { continuing } from "../lib/engine/continuing";
import { removeDeadLocks } from "../lib/engine/locks";
import { enginesAdvice, type Engine, exportStack, openEngine } from "../lib/engine/pulumi";
import { changedSecrets, refreshBefore, refreshOptions } from "../lib/engine/refresh";
import { readSecrets } from "../lib/engine/secrets";
import { deployedImages } from "../lib/engine/state";
import { withoutGitHub } from "../lib/engine/withoutGitHub";
import { InputError } from "../lib/errors";
import { askBlobs, askRegistries } from "../lib/status/ask";
import { imageQuestions } from "../lib/status/imageStatus";
import { lostBuilds, lostPromotions, registriesToRestart } from "../lib/status/images";
import { filesDiffer } from "../lib/status/status";
import { masked } from "../lib/system/mask";
import { labPaths } from "../lib/system/paths";
import { LabError, isInterrupted, runMasked } from "../lib/system/process";
import { elapsed } from "../lib/system/progress";
import { tellFailedBuilds } from "../lib/update/failedBuilds";
import { leftUndone, mayHaveExpired } from "../lib/update/leftUndone";
import { recordUp } from "../lib/update/record";
import { summaryOf } from "../lib/update/summary";
import { exit } from "./exitCodes";
import type { LabOptions } from "./lab";

/** Whether this runs in a job of GitHub Actions. */
export const inActions = (env: NodeJS.ProcessEnv): boolean => env.GITHUB_ACTIONS === "true";

/** A value in a workflow command. */
const escaped = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

/**
 * Line that makes GitHub show `***` in the job's log wherever this text stands after it (docs.github.com, "Workflow commands for
 * GitHub Actions", add-mask). GitHub masks line by line: of a value with several each has to be said.
 */
export const addMask = (text: string): string => `::add-mask::${escaped(text)}`;

/** Options of the commands that run Pulumi. */
export interface PulumiOptions extends LabOptions {
    /** Another stack than the lab's, with the `pulumi` and the environment at hand. */
    readonly stack?: string;
}

/** Options of `up`. */
export interface UpOptions extends PulumiOptions {
    /** Whether the token for GitHub, which lives for an hour, can be had anew: see `mayHaveExpired`. */
    readonly renewableToken?: boolean;
}

/** Lines of all output that a summary may quote. */
const keptLines = 200;

/** Pulumi on a stack, with everything that it prints masked. */
interface Session {
    readonly engine: Engine;
    /** What is masked. */
    readonly secrets: readonly string[];
    /** The end of what was printed so far, a line each. */
    readonly printed: string[];
    /** Runs `pulumi <args>` on the stack, printing what it prints; resolves to its exit code. */
    readonly pulumi: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<number>;
}

/** Opens the stack, and sees to it that no output of what runs on it holds a secret. */
async function openSession({ stack, ...lab }: PulumiOptions, builds: boolean): Promise<Session> {
    const engine = await openEngine({ stack, start: true, lab: { ...lab, builds } });
    if (engine.isLab) for (const line of removeDeadLocks(labPaths())) console.error(line);
    const secrets = await readSecrets(engine);
    // The runner reads both streams; standard output may be a file, and a terminal would show them.
    if (inActions(process.env) && !process.stderr.isTTY) {
        for (const text of secrets.filter((one) => !one.includes("\n"))) console.error(addMask(text));
    }
    const printed: string[] = [];
    // On a terminal the engine's own display would cut lines, and with them a secret, before they could be masked: it gets none,
    // and its colours only.
    const colour = process.stdout.isTTY && !process.env.NO_COLOR ? "always" : "never";
    const onLine = (line: string) => {
        printed.push(line);
        if (printed.length > keptLines) printed.shift();
    };
    return {
        engine,
        secrets,
        printed,
        pulumi: ([operation = "", ...args], env = engine.env) => {
            const without = operation === "refresh" ? { args: [], env: {} } : withoutGitHub(env, args);
            const all = [...without.args, ...args];
            const further = operation === "up" ? continuing(all) : { args: [], env: {} };
            const command = [operation, "--stack", engine.stack, "--color", colour, ...further.args, ...all];
            return runMasked("pulumi", command, { env: { ...env, ...without.env, ...further.env }, secrets, onLine });
        },
    };
}

const deployment = ({ isLab, ...engine }: Engine) =>
    isLab ? labDeployment(labPaths()) : exportStack({ isLab, ...engine });

const duration = (operation: string, start: number, ready: number) => {
    const [setUp, engine] = [elapsed(ready - start), elapsed(Date.now() - ready)];
    console.error(`${operation}: ready after ${setUp}, pulumi ${operation} took ${engine}`);
};

/** `npm run preview`: sets up the lab, or takes another stack, and runs `pulumi preview`. Returns Pulumi's exit code. */
export async function runPreview(args: readonly string[], options: PulumiOptions): Promise<number> {
    const start = Date.now();
    const { pulumi } = await openSession(options, false);
    const ready = Date.now();
    const code = await pulumi(["preview", ...args]);
    duration("preview", start, ready);
    return code;
}

/**
 * What only a replacement makes again, after a refresh: secrets on GitHub that somebody else set, builds of which the registry lost
 * something that a refresh does not look at, and promoted tags that are gone. A tag that somebody moved stays where it is.
 */
async function toReplace(engine: Engine): Promise<string[]> {
    const { resources } = await deployment(engine);
    const images = deployedImages({ resources });
    const answers = await askBlobs(await askRegistries(imageQuestions(images), engine.env), engine.env);
    const forgetful = registriesToRestart(images, answers);
    const isAnew = forgetful.length > 0 && engine.isLab && (await stopRegistry(labPaths()));
    if (isAnew) await startLab();
    else if (forgetful.length > 0) {
        const told = `${forgetful.join(" and ")} lost layers and would not take them again before being started anew`;
        console.error(`warning: ${told}; the next step is below each difference of: npm run status`);
    }
    return [...changedSecrets(resources), ...lostBuilds(images, answers), ...lostPromotions(images, answers)];
}

/** What was found before an update. */
interface Looked {
    /** Arguments for the `pulumi up`. */
    readonly args: readonly string[];
    /** Exit code of what was looked at: an update goes on without. */
    readonly code: number;
}

/** Looks at what an update would not: workflow files that differ from the state, and everything but the indexes where asked for. */
async function lookBefore({ engine, pulumi }: Session, args: readonly string[]): Promise<Looked> {
    const { resources } = await deployment(engine);
    const { refresh, rest } = refreshBefore(args, await filesDiffer(resources, engine.env));
    if (!refresh) return { args: rest, code: exit.done };
    const look = (options: readonly string[]) => pulumi(["refresh", "--yes", "--skip-preview", ...options]);
    const canAsk = engine.env.GITHUB_TOKEN !== undefined && engine.env.GITHUB_TOKEN !== "";
    const code = await look(refresh === refreshOptions.all && !canAsk ? refreshOptions.images : refresh);
    if (isInterrupted()) return { args: rest, code };
    if (code !== exit.done) console.error("note: the update goes on without what could not be looked at");
    if (refresh !== refreshOptions.all) return { args: rest, code };
    // GitHub may be what could not be looked at, and images come first.
    if (code !== exit.done && (!canAsk || (await look(refreshOptions.images)) !== exit.done))
        return { args: rest, code };
    return { args: [...(await toReplace(engine)).flatMap((urn) => ["--replace", urn]), ...rest], code };
}

/** Adds to a file of GitHub's for the step, where there is one. */
function addTo(variable: "GITHUB_STEP_SUMMARY" | "GITHUB_OUTPUT", text: string): void {
    const file = process.env[variable];
    if (file) appendFileSync(file, `${text}\n`);
}

async function update(session: Session, args: readonly string[], options: UpOptions, start: number): Promise<number> {
    const { engine, secrets, printed, pulumi } = session;
    const ready = Date.now();
    const mask = (text: string) => masked(text, secrets);
    const looked = await lookBefore(session, args);
    if (isInterrupted()) return exit.interrupted;
    const { code, recorded } = await recordUp(engine.env, (more, env) =>
        pulumi(["up", "--yes", "--skip-preview", ...more, ...looked.args], env),
    );
    duration("up", start, ready);
    const log = recorded?.log;
    if (code !== exit.done && !isInterrupted()) {
        if (log) await tellFailedBuilds({ env: engine.env, root: process.cwd(), log, mask });
        const left = log ? leftUndone(log) : [];
        if (left.length > 0) console.error(["\nleft to do:", ...left.map((line) => `  ${mask(line)}`)].join("\n"));
        const next = log ? undefined : enginesAdvice(printed.join("\n"));
        if (next !== undefined) console.error(`next: ${next}`);
    }
    if (process.env.GITHUB_STEP_SUMMARY) {
        addTo("GITHUB_STEP_SUMMARY", await summaryOf(recorded, { lines: printed, mask }, engine.env));
    }
    if (code === exit.done || looked.code !== exit.done) return code === exit.done ? looked.code : code;
    // Somebody has to read the output, and finish.
    const canFinish = options.renewableToken && process.env.GITHUB_OUTPUT;
    if (!canFinish || !log || !mayHaveExpired(log, (Date.now() - start) / 1000)) return code;
    addTo("GITHUB_STEP_SUMMARY", "\nThe token of the GitHub App lives for an hour: once more, with another one.");
    addTo("GITHUB_OUTPUT", "again=true");
    return exit.done;
}

/**
 * `npm run up`: sets up the lab, or takes another stack, and brings it to what the checkout says. What the engine does not do by
 * itself is done around it: workflow files that changed on GitHub are looked at first, and with `--refresh` everything but the
 * indexes; what was lost is made again; the update is recorded; of one that failed it is said why, and what is left to do. In GitHub
 * Actions the summary goes to the step's.
 *
 * @param args for `pulumi up`
 * @returns Pulumi's exit code; 0 with the step's output `again` where only an expired token was in the way
 */
export async function runUp(args: readonly string[], options: UpOptions): Promise<number> {
    const start = Date.now();
    try {
        return await update(await openSession(options, true), args, options, start);
    } catch (error) {
        if (error instanceof InputError || error instanceof LabError) {
            const told = ["### The update failed before it came to any resource", "", error.message];
            addTo("GITHUB_STEP_SUMMARY", told.join("\n"));
        }
        throw error;
    }
}
