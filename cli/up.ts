import { availableParallelism } from "node:os";
import { loadDefinitions } from "../definitions";
import { startLab } from "../lab/lab";
import { stopRegistry } from "../lab/labState";
import { builderSchema, parallelOperations } from "../lib/builders/settings";
import { effectivePins, findConfigFile } from "../lib/engine/configFile";
import { type Engine, engineAdvice } from "../lib/engine/pulumi";
import { changedSecrets, refreshBefore, refreshOptions } from "../lib/engine/refresh";
import { labStack, projectName, stackOptions } from "../lib/engine/stacks";
import { type Resource, deployedImages } from "../lib/engine/state";
import { CommandError, InputError } from "../lib/errors";
import { imagesToRebuild } from "../lib/hierarchy/definition";
import { checkRebuild } from "../lib/hierarchy/pins";
import { namesIn, uncachedVariable } from "../lib/hierarchy/rebuild";
import { askBlobs, askRegistries } from "../lib/status/ask";
import { imageQuestions } from "../lib/status/imageStatus";
import { lostBuilds, lostPromotions, registriesToRestart, unansweredFindings } from "../lib/status/images";
import { filesDiffer, githubTarget } from "../lib/status/status";
import { masked } from "../lib/system/mask";
import { labPaths, repositoryRoot } from "../lib/system/paths";
import { isInterrupted } from "../lib/system/process";
import { announcementsOf, isNothing, keepUntold, readUntold, tell } from "../lib/update/announcements";
import { printFailedBuilds } from "../lib/update/failedBuilds";
import { leftUndone, mayHaveExpired } from "../lib/update/leftUndone";
import { promotedIn } from "../lib/update/promoted";
import { type RecordedUpdate, recordUp } from "../lib/update/record";
import { summaryOf } from "../lib/update/summary";
import { addSummary, reportPromoted, setOutputs } from "./actions";
import { exit } from "./exitCodes";
import { refuseLosses } from "./losses";
import { builderSetting, neededParts } from "./openStack";
import { type PulumiOptions, type Session, deploymentOf, endOf, openSession, reportDuration } from "./session";
import { onStackOfSettings } from "./stackOfSettings";
import { typed } from "../lib/system/commandLine";

/** Options of `up`. */
export interface UpOptions extends PulumiOptions {
    /** Whether the caller can get another GitHub token when this one expires, after an hour: see `mayHaveExpired`. */
    readonly renewableToken?: boolean;
    /** Images to build again without cache: keys of images.ts, separated by spaces or commas, or "all". */
    readonly rebuild?: string;
}

/** Checked options of an update: the images to build again, by keys of images.ts. */
type UpdateOptions = Pick<UpOptions, "renewableToken"> & { readonly rebuild: readonly string[] };

/**
 * Returns the URNs of resources that `up` has to replace after a refresh, because it would otherwise leave them unchanged: secrets that
 * were set on GitHub by another user, builds that lack content in the registry that a refresh does not check, and promoted tags that are
 * missing. A tag that was moved stays where it is. What a registry does not answer is not known to be lost: that is said.
 */
async function toReplace(engine: Engine): Promise<{ readonly urns: readonly string[]; readonly isComplete: boolean }> {
    const { resources } = await deploymentOf(engine);
    const images = deployedImages({ resources });
    const answers = await askBlobs(await askRegistries(imageQuestions(images), engine.env), engine.env);
    const registries = registriesToRestart(images, answers);
    const lost = [...lostBuilds(images, answers), ...lostPromotions(images, answers)];
    // The lab's registry remembers which layers a repository had, also when all of it is gone from the disk (tried): a push would leave them
    // out, and they would be missing after its next start.
    const mayRemember = engine.isLab && (registries.length > 0 || lost.length > 0);
    const isStopped = mayRemember && (await stopRegistry(labPaths()));
    if (isStopped) await startLab({ parts: neededParts() });
    else if (registries.length > 0) {
        const names = registries.join(" and ");
        console.error(
            `warning: ${names} lost layers and accepts them again only after a restart; ` +
                `the next step for each difference is shown by: ${typed("status")}`,
        );
    }
    const unknown = unansweredFindings(answers);
    for (const { about, text } of unknown)
        console.error(`error: ${about}: ${text}: what it lost there is not built again. Next: the same command again`);
    return {
        urns: [...changedSecrets(resources), ...lost],
        isComplete: unknown.length === 0,
    };
}

/** Result of the refresh before an update. */
interface RefreshResult {
    /** The stack's resources before it. */
    readonly before: readonly Resource[];
    /** The user's arguments for `pulumi up`. */
    readonly rest: readonly string[];
    /** URNs of resources that `pulumi up` has to replace. */
    readonly replaced: readonly string[];
    /** Exit code of the refresh. The update continues even if the refresh failed. */
    readonly code: number;
}

/**
 * Refreshes workflow files that differ from the state and, with `--refresh`, all resources except the indexes. A refresh also removes
 * what a killed update was creating from the state's pending operations, which the engine would otherwise warn of for ever.
 */
async function refreshFirst({ engine, pulumi }: Session, args: readonly string[]): Promise<RefreshResult> {
    const { resources: before, pending } = await deploymentOf(engine);
    const wasCutOff = pending.some(({ operation }) => operation === "creating");
    const { refresh, rest } = refreshBefore(args, wasCutOff || (await filesDiffer(before, engine.env)));
    if (!refresh) return { before, rest, replaced: [], code: exit.done };
    const common = ["--yes", "--skip-preview", ...(wasCutOff ? ["--clear-pending-creates"] : [])];
    const runRefresh = (options: readonly string[]) => pulumi("refresh", [...common, ...options]);
    const hasToken = engine.env.GITHUB_TOKEN !== undefined && engine.env.GITHUB_TOKEN !== "";
    const code = await runRefresh(refresh === refreshOptions.all && !hasToken ? refreshOptions.images : refresh);
    if (isInterrupted()) return { before, rest, replaced: [], code };
    if (code !== exit.done)
        console.error("note: the update continues without the resources that could not be refreshed");
    if (refresh !== refreshOptions.all) return { before, rest, replaced: [], code };
    // The refresh may have failed because of GitHub. Images come first, so refresh them alone.
    if (code !== exit.done && (!hasToken || (await runRefresh(refreshOptions.images)) !== exit.done))
        return { before, rest, replaced: [], code };
    const { urns, isComplete } = await toReplace(engine);
    return { before, rest, replaced: urns, code: isComplete ? code : exit.failed };
}

/**
 * Returns the names of the images to build again, and warns of pinned ones among them. The program replaces a matrix by the images of it that
 * the stack builds.
 *
 * @throws InputError for a text that names no image, and for images that images.ts does not have or that are pinned
 */
export function namesToRebuild({ rebuild, stack = labStack }: Pick<UpOptions, "rebuild" | "stack">): readonly string[] {
    if (rebuild === undefined) return [];
    const root = repositoryRoot();
    const given = namesIn(rebuild);
    const names = given.length > 0 ? given : [rebuild];
    const keys = imagesToRebuild(loadDefinitions(root), names, { where: "up --rebuild" });
    // What else it means that a stack has no file is not said here.
    const file = findConfigFile(root, stack, projectName(root));
    const pins = file ? effectivePins(file, stack) : {};
    const optionsOf = (key: string) => stackOptions(pins[key]?.stack ?? stack);
    for (const warning of checkRebuild({ names, keys }, pins, optionsOf)) console.error(`warning: ${warning}`);
    return names;
}

/**
 * Tells GitHub, where the stack's configuration wants that, which releases this update and earlier ones promoted. What GitHub refuses, and
 * everything after an interruption, is kept for the next update.
 *
 * @param before the stack's resources before the update
 * @returns what is left to do, a line each, and whether GitHub refused the token
 */
async function announce(
    engine: Engine,
    { log, record }: RecordedUpdate,
    { before, mask }: { readonly before: readonly Resource[]; readonly mask: (text: string) => string },
) {
    const place = { stack: log.stack, env: engine.env };
    const announcements = announcementsOf(log, { before, mask, commit: record.commit }, readUntold(place));
    // Already now: GitHub may rather hear something twice than never, if this process is ended while it tells it.
    keepUntold(place, announcements);
    if (isNothing(announcements) || isInterrupted()) return { left: [], isTokenRefused: false };
    const result = await tell(githubTarget((await deploymentOf(engine)).resources, engine.env), announcements);
    keepUntold(place, result.untold);
    return result;
}

/** Returns what the environment of `pulumi up` needs so that all engines of the stack's builder are busy. */
export function forAllEngines({ stack, env }: Pick<Engine, "stack" | "env">): NodeJS.ProcessEnv {
    // The program refuses a setting that is wrong.
    const builder = builderSchema.safeParse(builderSetting(stack)).data;
    return parallelOperations(builder, env, availableParallelism());
}

async function update(
    session: Session,
    args: readonly string[],
    options: UpdateOptions,
    start: number,
): Promise<number> {
    const { engine, secrets, printed, pulumi } = session;
    const { rebuild } = options;
    const ready = Date.now();
    const mask = (text: string) => masked(text, secrets);
    const refreshed = await refreshFirst(session, args);
    if (isInterrupted()) return exit.interrupted;
    // The outputs are ten lines an image, changed or not; `pulumi stack output images` has them.
    const up = ["--yes", "--skip-preview", "--suppress-outputs"];
    const replacing = refreshed.replaced.flatMap((urn) => ["--replace", urn]);
    const uncached = rebuild.length > 0 ? { [uncachedVariable]: rebuild.join(" ") } : {};
    const recordedUp = await recordUp({ ...engine.env, ...forAllEngines(engine), ...uncached }, (logArgs, env) =>
        pulumi("up", [...up, ...logArgs, ...replacing, ...refreshed.rest], env),
    );
    const { recorded } = recordedUp;
    let { code } = recordedUp;
    if (rebuild.length > 0 && code === exit.done && !isInterrupted()) {
        // The state now says that these images are built without cache. Without this, the next update would change that.
        console.error(`\nrecording ${rebuild.join(", ")} as built with cache again, from what was just built`);
        code = await pulumi("up", [...up, ...refreshed.rest]);
    }
    const { left: untold, isTokenRefused } = recorded
        ? await announce(engine, recorded, { before: refreshed.before, mask })
        : { left: [], isTokenRefused: false };
    if (untold.length > 0 && code === exit.done) code = exit.failed;
    reportDuration("up", start, ready);
    const log = recorded?.log;
    if (log) reportPromoted(promotedIn(log));
    if (code !== exit.done && !isInterrupted()) {
        if (log) await printFailedBuilds({ env: engine.env, root: process.cwd(), log, mask });
        const remaining = [...(log ? leftUndone(log) : []), ...untold];
        if (remaining.length > 0)
            console.error(["\nleft to do:", ...remaining.map((line) => `  ${mask(line)}`)].join("\n"));
        const next = log ? undefined : engineAdvice(printed.join("\n"));
        if (next !== undefined) console.error(`next: ${next}`);
    }
    if (process.env.GITHUB_STEP_SUMMARY) {
        addSummary(`${await summaryOf(recorded, { lines: printed, mask }, engine.env)}\n`);
        if (untold.length > 0) addSummary(`\n#### Not told\n\n${untold.map((line) => `- ${mask(line)}`).join("\n")}\n`);
    }
    if (code === exit.done || refreshed.code !== exit.done) return code === exit.done ? refreshed.code : code;
    // Only a workflow step that reads the output `again` can finish the update.
    const canFinish = options.renewableToken && process.env.GITHUB_OUTPUT;
    if (!canFinish || !log || !mayHaveExpired(log, (Date.now() - start) / 1000, isTokenRefused)) return code;
    addSummary("\nThe token of the GitHub App lives for an hour: once more, with another one.\n");
    setOutputs({ again: true });
    return exit.done;
}

/**
 * Runs `npm run up`: updates the lab's stack, after setting up the lab, or another stack to match the checkout. In addition to
 * `pulumi up` it first refreshes workflow files that changed on GitHub and, with `--refresh`, all resources except the indexes; recreates
 * content that the registry lost; with `--rebuild` builds images without cache; records the update; and, if the update failed, prints the
 * reasons and the remaining steps. In GitHub Actions it also writes the step's summary, and the output `releases`: what it promoted, as JSON. If
 * the stack's configuration says so, it tells GitHub as well.
 *
 * @param args arguments for `pulumi up`
 * @returns Pulumi's exit code; 1 if only GitHub could not be told; 0, with the step's output `again` set, if only an expired token prevented success
 */
export async function runUp(args: readonly string[], options: UpOptions): Promise<number> {
    const start = Date.now();
    try {
        const rebuild = namesToRebuild(options);
        return await onStackOfSettings(options, true, async () => {
            const session = await openSession(options, true);
            await refuseLosses(session.engine);
            const code = await update(session, args, { ...options, rebuild }, start);
            // After an interruption Pulumi may still hold its lock, and the next job has to find out whose it is.
            if (!isInterrupted()) await session.close();
            return endOf("up", code, session.printed);
        });
    } catch (error) {
        if (error instanceof InputError || error instanceof CommandError) {
            addSummary(`### The update failed before it came to any resource\n\n${error.message}\n`);
        }
        throw error;
    }
}
