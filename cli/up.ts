import { startLab } from "../lab/lab";
import { stopRegistry } from "../lab/labState";
import { type Engine, enginesAdvice } from "../lib/engine/pulumi";
import { changedSecrets, refreshBefore, refreshOptions } from "../lib/engine/refresh";
import { deployedImages } from "../lib/engine/state";
import { CommandError, InputError } from "../lib/errors";
import { askBlobs, askRegistries } from "../lib/status/ask";
import { imageQuestions } from "../lib/status/imageStatus";
import { lostBuilds, lostPromotions, registriesToRestart } from "../lib/status/images";
import { filesDiffer } from "../lib/status/status";
import { masked } from "../lib/system/mask";
import { labPaths } from "../lib/system/paths";
import { isInterrupted } from "../lib/system/process";
import { tellFailedBuilds } from "../lib/update/failedBuilds";
import { leftUndone, mayHaveExpired } from "../lib/update/leftUndone";
import { recordUp } from "../lib/update/record";
import { summaryOf } from "../lib/update/summary";
import { addSummary, setOutputs } from "./actions";
import { exit } from "./exitCodes";
import { type PulumiOptions, type Session, deploymentOf, openSession, tellDuration } from "./session";

/** Options of `up`. */
export interface UpOptions extends PulumiOptions {
    /** Whether another token for GitHub can be got when this one, which lives for an hour, has expired: see `mayHaveExpired`. */
    readonly renewableToken?: boolean;
}

/**
 * URNs of what an `up` after a refresh has to replace, because it would leave it as it is: secrets on GitHub that somebody else
 * set, builds of which the registry lost something that a refresh does not look at, and promoted tags that are gone. A tag that
 * somebody moved stays where it is.
 */
async function toReplace(engine: Engine): Promise<string[]> {
    const { resources } = await deploymentOf(engine);
    const images = deployedImages({ resources });
    const answers = await askBlobs(await askRegistries(imageQuestions(images), engine.env), engine.env);
    const forgetful = registriesToRestart(images, answers);
    const isStopped = forgetful.length > 0 && engine.isLab && (await stopRegistry(labPaths()));
    if (isStopped) await startLab();
    else if (forgetful.length > 0) {
        const names = forgetful.join(" and ");
        console.error(
            `warning: ${names} lost layers and would not take them again before being started anew; ` +
                "the next step is below each difference of: npm run status",
        );
    }
    return [...changedSecrets(resources), ...lostBuilds(images, answers), ...lostPromotions(images, answers)];
}

/** What was done before an update. */
interface Looked {
    /** Arguments for the `pulumi up`. */
    readonly args: readonly string[];
    /** Exit code of the refresh: the update goes on where that failed. */
    readonly code: number;
}

/** Refreshes workflow files that differ from the state and, with `--refresh`, everything but the indexes. */
async function lookBefore({ engine, pulumi }: Session, args: readonly string[]): Promise<Looked> {
    const { resources } = await deploymentOf(engine);
    const { refresh, rest } = refreshBefore(args, await filesDiffer(resources, engine.env));
    if (!refresh) return { args: rest, code: exit.done };
    const look = (options: readonly string[]) => pulumi("refresh", ["--yes", "--skip-preview", ...options]);
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

async function update(session: Session, args: readonly string[], options: UpOptions, start: number): Promise<number> {
    const { engine, secrets, printed, pulumi } = session;
    const ready = Date.now();
    const mask = (text: string) => masked(text, secrets);
    const looked = await lookBefore(session, args);
    if (isInterrupted()) return exit.interrupted;
    const { code, recorded } = await recordUp(engine.env, (more, env) =>
        pulumi("up", ["--yes", "--skip-preview", ...more, ...looked.args], env),
    );
    tellDuration("up", start, ready);
    const log = recorded?.log;
    if (code !== exit.done && !isInterrupted()) {
        if (log) await tellFailedBuilds({ env: engine.env, root: process.cwd(), log, mask });
        const left = log ? leftUndone(log) : [];
        if (left.length > 0) console.error(["\nleft to do:", ...left.map((line) => `  ${mask(line)}`)].join("\n"));
        const next = log ? undefined : enginesAdvice(printed.join("\n"));
        if (next !== undefined) console.error(`next: ${next}`);
    }
    if (process.env.GITHUB_STEP_SUMMARY) {
        addSummary(`${await summaryOf(recorded, { lines: printed, mask }, engine.env)}\n`);
    }
    if (code === exit.done || looked.code !== exit.done) return code === exit.done ? looked.code : code;
    // Only a step that reads this output can finish the update.
    const canFinish = options.renewableToken && process.env.GITHUB_OUTPUT;
    if (!canFinish || !log || !mayHaveExpired(log, (Date.now() - start) / 1000)) return code;
    addSummary("\nThe token of the GitHub App lives for an hour: once more, with another one.\n");
    setOutputs({ again: true });
    return exit.done;
}

/**
 * `npm run up`: sets up the lab, or takes another stack, and brings it to what the checkout says. It adds what the engine does not
 * do: it first refreshes workflow files that changed on GitHub and, with `--refresh`, everything but the indexes; it makes again
 * what was lost; it records the update; where the update failed it tells why, and what is left to do. In GitHub Actions it writes
 * the step's summary.
 *
 * @param args for `pulumi up`
 * @returns Pulumi's exit code; 0 with the step's output `again` where only an expired token was in the way
 */
export async function runUp(args: readonly string[], options: UpOptions): Promise<number> {
    const start = Date.now();
    try {
        return await update(await openSession(options, true), args, options, start);
    } catch (error) {
        if (error instanceof InputError || error instanceof CommandError) {
            addSummary(`### The update failed before it came to any resource\n\n${error.message}\n`);
        }
        throw error;
    }
}
