import { realpathSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { EngineLog } from "../engine/log";
import { CommandError } from "../errors";
import { nextAfterStep } from "../registry/failures";
import { buildx } from "../registry/manifest";
import type { Mask } from "../system/mask";
import { run } from "../system/process";
import { type ImageStep, imageSteps } from "./steps";

/**
 * Returns the output of failed builds and smoke tests from BuildKit's history, with secrets masked.
 *
 * @returns lines by URN; empty if BuildKit is not available
 */
export async function failedOutput(update: Update): Promise<ReadonlyMap<string, readonly string[]>> {
    try {
        const builds = await failedBuilds(update);
        return new Map(builds.flatMap(({ build, known }) => (known ? [[build.urn, known.output] as const] : [])));
    } catch (error) {
        if (!(error instanceof CommandError || error instanceof z.ZodError)) throw error;
        console.error("note: what failed builds printed at their end can't be read from BuildKit");
        return new Map();
    }
}

/** A failed build in BuildKit's history: it may belong to another user, and its secrets are not masked. */
interface FailureRecord {
    /** Its build context, an absolute path; "" for a build that was started elsewhere. */
    readonly context: string;
    readonly platform: string;
    /** The failed step; "" if the build reached no step. */
    readonly at: string;
    /** The error; undefined if BuildKit could not store it. */
    readonly message: string | undefined;
    /** The last lines of the step's output. */
    readonly printed: readonly string[];
}

const listed = z.object({
    ref: z.string(),
    status: z.string(),
    created_at: z.coerce.date(),
    total_steps: z.number().optional(),
});
const inspected = z.object({
    Context: z.string().default(""),
    Platform: z.array(z.string()).default([]),
    Error: z
        .object({ Name: z.string().default(""), Message: z.string(), Logs: z.array(z.string()).default([]) })
        .optional(),
});

/** On a full disk BuildKit can't store the result of a build: its record then has neither an error nor any step. */
const isFailure = ({ status, total_steps }: z.infer<typeof listed>) =>
    status === "Error" || (status === "Completed" && total_steps === 0);
const unkept = "BuildKit could not keep what was printed: no space left on device?";

/** Resolves the links in a path; returns the path unchanged if it does not exist. */
function realPath(file: string): string {
    try {
        return realpathSync(file);
    } catch {
        return file;
    }
}

/**
 * Returns the builds that failed on a builder since `since`, including the builds of other users.
 *
 * @param builder buildx's current one if undefined
 */
async function failureRecords(
    { env, root, log }: Update,
    builder: string | undefined,
): Promise<readonly FailureRecord[]> {
    const since = new Date(log.start);
    const [command, ...plugin] = buildx(env);
    const on = builder === undefined ? [] : ["--builder", builder];
    const history = (...args: string[]) =>
        run(command, [...plugin, ...on, "history", ...args, "--format", "json"], { env, cwd: root });
    const lines = (await history("ls")).split("\n").filter(Boolean);
    const failed = lines
        .map((line) => listed.parse(JSON.parse(line)))
        .filter((build) => isFailure(build) && build.created_at >= since);
    const records: FailureRecord[] = [];
    for (const { ref } of failed) {
        const text = await history("inspect", ref.split("/").at(-1) ?? ref);
        const { Context, Platform, Error: error } = inspected.parse(JSON.parse(text));
        records.push({
            // buildx reports a context below its working directory as a relative path.
            context: Context === "" ? "" : realPath(path.resolve(root, Context)),
            platform: Platform.join(", "),
            at: error?.Name ?? "",
            message: error?.Message,
            printed: error ? (error.Logs.length > 0 ? error.Logs : [error.Message]) : [unkept],
        });
    }
    return records;
}

/** A completed update: its environment, its log, and the mask for its stack's secrets. */
export interface Update {
    /** Environment for buildx. */
    readonly env: NodeJS.ProcessEnv;
    /** Path of the checkout, which contains the staged build contexts. */
    readonly root: string;
    readonly log: EngineLog;
    readonly mask: Mask;
}

/** A failed build or smoke test of an update. */
export interface FailedBuild {
    readonly build: ImageStep;
    /**
     * The failed step and its output, with secrets masked; undefined if it can't be distinguished from another user's
     * build.
     */
    readonly known: { readonly at: string; readonly output: readonly string[] } | undefined;
}

const withSingleSpaces = (text: string) => text.replace(/\s+/g, " ");

/**
 * Finds the failed builds and smoke tests of an update in BuildKit's history: the provider loses the end of a step's
 * output, which contains the reason.
 *
 * BuildKit does not record the user of a build, other users may build at the same time, and their secrets are unknown
 * here and can't be masked. A record is assigned to a build of this update if it has the context that this checkout
 * staged for the build and the same platform, and failed with the error that the engine logged. If two records match
 * (another stack of the checkout), or another user's build failed at the same step (BuildKit runs a step once for all
 * builds that share it, with the secrets of one of them), the owner of the output is unknown and it is left out.
 *
 * @returns the failed builds that have a record; empty if no build failed
 * @throws CommandError or z.ZodError if BuildKit is not available
 */
export async function failedBuilds(update: Update): Promise<FailedBuild[]> {
    const { root, log, mask } = update;
    const builds = imageSteps(log).filter(({ result, context }) => result === "failed" && context !== undefined);
    if (builds.length === 0) return [];
    const builders = [...new Set(builds.map(({ builder }) => builder))];
    const records = (await Promise.all(builders.map((one) => failureRecords(update, one)))).flat();
    const found = builds.map((build) => {
        const logged = withSingleSpaces((log.messages.get(build.urn) ?? []).map(({ line }) => mask(line)).join("\n"));
        const staged = realPath(path.resolve(root, build.context ?? ""));
        const matching = records.filter(
            ({ context, platform, message = "" }) =>
                context === staged && platform === build.platform && logged.includes(withSingleSpaces(mask(message))),
        );
        return { build, matching };
    });
    const assigned = new Set(found.flatMap(({ matching }) => (matching.length === 1 ? matching : [])));
    const foreign = records.filter((record) => !assigned.has(record));
    return found.flatMap(({ build, matching }): FailedBuild[] => {
        const [record] = matching;
        if (!record) return [];
        const { at, message, printed } = record;
        const isShared = at !== "" && foreign.some((other) => other.at === at && other.message === message);
        if (!assigned.has(record) || isShared) return [{ build, known: undefined }];
        const next = nextAfterStep(printed);
        const output = next === undefined ? printed : [...printed, `next: ${next}`];
        return [{ build, known: { at: mask(at), output: output.map(mask) } }];
    });
}

/** Describes a failed build in text: its image, platform and step, and the end of its output. */
export function describeFailedBuild({ build, known }: FailedBuild): string {
    const { image, kind, platform = "" } = build;
    const what = `${kind === "test" ? "the smoke test of " : ""}image ${image} failed on ${platform}`;
    if (!known) {
        return `${what}; its output is not shown again: another build failed in the same way, and BuildKit can't tell them apart`;
    }
    const { at, output } = known;
    return [`${what}, at ${at || "the start"}:`, ...output.slice(-30).map((line) => `    ${line.trimEnd()}`)].join(
        "\n",
    );
}

/**
 * Prints the result of `failedBuilds` on stderr. If BuildKit is not available, the reason is printed, and the user has
 * to rely on Pulumi's output.
 */
export async function printFailedBuilds(update: Update): Promise<void> {
    try {
        for (const build of await failedBuilds(update)) console.error(`\n${describeFailedBuild(build)}`);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`note: what the failed builds printed can't be read: ${reason}`);
    }
}
