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
 * What builds and smoke tests that failed printed, as BuildKit remembers it, secrets masked.
 *
 * @returns lines by URN; none where BuildKit can't be asked
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

/** A build that failed, as BuildKit remembers it: whoever asked for it, and with secrets as they are. */
interface FailureRecord {
    /** Its build context, an absolute path; "" for one that was asked for elsewhere. */
    readonly context: string;
    readonly platform: string;
    /** The step that failed; "" where it came to none. */
    readonly at: string;
    /** Why it failed; undefined where BuildKit could not keep it. */
    readonly message: string | undefined;
    /** What the step printed last. */
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

/** On a full disk BuildKit can't write down how a build ended: its record then knows neither an error nor a single step. */
const isFailure = ({ status, total_steps }: z.infer<typeof listed>) =>
    status === "Error" || (status === "Completed" && total_steps === 0);
const unkept = "BuildKit could not keep what was printed: no space left on device?";

/** A path without links in it; as it is where there is nothing. */
function real(file: string): string {
    try {
        return realpathSync(file);
    } catch {
        return file;
    }
}

/** The builds that failed since `since`, whoever asked for them. */
async function failureRecords(env: NodeJS.ProcessEnv, root: string, since: Date): Promise<FailureRecord[]> {
    const [command, ...plugin] = buildx(env);
    const ask = (...args: string[]) =>
        run(command, [...plugin, "history", ...args, "--format", "json"], { env, cwd: root });
    const lines = (await ask("ls")).split("\n").filter(Boolean);
    const failed = lines
        .map((line) => listed.parse(JSON.parse(line)))
        .filter((build) => isFailure(build) && build.created_at >= since);
    const records: FailureRecord[] = [];
    for (const { ref } of failed) {
        const text = await ask("inspect", ref.split("/").at(-1) ?? ref);
        const { Context, Platform, Error: error } = inspected.parse(JSON.parse(text));
        records.push({
            // buildx tells it from where it runs, where it lies below.
            context: Context === "" ? "" : real(path.resolve(root, Context)),
            platform: Platform.join(", "),
            at: error?.Name ?? "",
            message: error?.Message,
            printed: error ? (error.Logs.length > 0 ? error.Logs : [error.Message]) : [unkept],
        });
    }
    return records;
}

/** An update that ran: where, what the engine logged of it, and what takes its stack's secrets out of a line. */
export interface Update {
    /** Its environment: the builder's tool's. */
    readonly env: NodeJS.ProcessEnv;
    /** The checkout, below which its contexts were staged. */
    readonly root: string;
    readonly log: EngineLog;
    readonly mask: Mask;
}

/** A build or smoke test of an update that failed. */
export interface FailedBuild {
    readonly build: ImageStep;
    /** What is known of it, secrets masked; undefined where it can't be told from somebody else's. */
    readonly known: { readonly at: string; readonly output: readonly string[] } | undefined;
}

const words = (text: string) => text.replace(/\s+/g, " ");

/**
 * What BuildKit remembers of the builds and smoke tests of an update that failed: the provider loses the end of what a step
 * printed, which is where the reason stands.
 *
 * BuildKit does not know for whom it builds, others may build at the same time, and their secrets are not ours to mask. A
 * record is a build's of this update when it is of the context that this checkout staged for it and of its platform, and failed
 * with the error that the engine logged. Where there are two such (another stack of the checkout), or somebody else's build
 * failed at the same step (BuildKit runs a step once for all who are at it, with the secrets of one of them), nobody can tell
 * whose output it is, and none is given.
 *
 * @returns those of which there is a record; none where nothing failed
 * @throws CommandError or z.ZodError where BuildKit can't be asked
 */
export async function failedBuilds({ env, root, log, mask }: Update): Promise<FailedBuild[]> {
    const builds = imageSteps(log).filter(({ result, context }) => result === "failed" && context !== undefined);
    if (builds.length === 0) return [];
    const records = await failureRecords(env, root, new Date(log.start));
    const found = builds.map((build) => {
        const logged = words((log.messages.get(build.urn) ?? []).map(({ line }) => mask(line)).join("\n"));
        const place = real(path.resolve(root, build.context ?? ""));
        const matching = records.filter(
            ({ context, platform, message = "" }) =>
                context === place && platform === build.platform && logged.includes(words(mask(message))),
        );
        return { build, matching };
    });
    const ours = new Set(found.flatMap(({ matching }) => (matching.length === 1 ? matching : [])));
    const foreign = records.filter((record) => !ours.has(record));
    return found.flatMap(({ build, matching }): FailedBuild[] => {
        const [record] = matching;
        if (!record) return [];
        const { at, message, printed } = record;
        const isShared = at !== "" && foreign.some((one) => one.at === at && one.message === message);
        if (!ours.has(record) || isShared) return [{ build, known: undefined }];
        const next = nextAfterStep(printed);
        const output = next === undefined ? printed : [...printed, `next: ${next}`];
        return [{ build, known: { at: mask(at), output: output.map(mask) } }];
    });
}

/** A failed build as text: what failed, where, and the end of its output. */
export function describeFailedBuild({ build, known }: FailedBuild): string {
    const { image, kind, platform = "" } = build;
    const what = `${kind === "test" ? "the smoke test of " : ""}image ${image} failed on ${platform}`;
    if (!known) {
        return `${what}; what it printed is not told again: another build failed alike, and BuildKit can't tell them apart`;
    }
    const { at, output } = known;
    return [`${what}, at ${at || "the start"}:`, ...output.slice(-30).map((line) => `    ${line.trimEnd()}`)].join(
        "\n",
    );
}

/**
 * Tells on stderr what `failedBuilds` finds. Where BuildKit can't be asked, it says why: what Pulumi reported then has to do.
 */
export async function tellFailedBuilds(update: Update): Promise<void> {
    try {
        for (const build of await failedBuilds(update)) console.error(`\n${describeFailedBuild(build)}`);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`note: what the failed builds printed can't be read: ${reason}`);
    }
}
