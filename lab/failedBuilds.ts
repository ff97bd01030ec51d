import { z } from "zod";
import { nextAfterStep } from "../lib/buildFailures";
import { buildx } from "../lib/registry";
import { run } from "./process";

/** A build that failed, as BuildKit remembers it. */
export interface FailedBuild {
    /** Its build context, a folder: `…/.stage/<image>/<input hash>/context`, or `…/.stage/<image>-test/…` for a smoke test. */
    readonly context: string;
    readonly platform: string;
    /** The step that failed, and what it printed: secrets are in it as they are. */
    readonly step: string;
    readonly output: readonly string[];
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
        .default({ Name: "", Message: "BuildKit could not keep what was printed: no space left on device?", Logs: [] }),
});

/** On a full disk BuildKit can't write down how a build ended: its record then knows neither an error nor a single step. */
const isFailure = ({ status, total_steps }: z.infer<typeof listed>) =>
    status === "Error" || (status === "Completed" && total_steps === 0);

/**
 * The builds that failed since `since`, oldest first. The provider's own report of a failed build can lack the output of
 * the step that failed; BuildKit keeps it.
 */
export async function failedBuilds(env: NodeJS.ProcessEnv, since: Date): Promise<FailedBuild[]> {
    const [command, ...plugin] = buildx(env);
    const ask = (...args: string[]) => run(command, [...plugin, "history", ...args, "--format", "json"], { env });
    const lines = (await ask("ls")).split("\n").filter(Boolean);
    const failed = lines
        .map((line) => listed.parse(JSON.parse(line)))
        .filter((build) => isFailure(build) && build.created_at >= since)
        .sort((a, b) => a.created_at.getTime() - b.created_at.getTime());
    const builds: FailedBuild[] = [];
    for (const { ref } of failed) {
        const { Context, Platform, Error } = inspected.parse(
            JSON.parse(await ask("inspect", ref.split("/").at(-1) ?? ref)),
        );
        const printed = Error.Logs.length > 0 ? Error.Logs : [Error.Message];
        const next = nextAfterStep(printed);
        const output = next === undefined ? printed : [...printed, `next: ${next}`];
        builds.push({ context: Context, platform: Platform.join(", "), step: Error.Name, output });
    }
    return builds;
}

/** Takes secrets out of a line. */
export type Mask = (line: string) => string;

/**
 * A failed build as text: what failed, where, and the end of its output.
 *
 * @param mask absent where the secrets could not be read: then nothing of the output is told
 */
export function describeFailedBuild({ context, platform, step, output }: FailedBuild, mask: Mask | undefined): string {
    const [, image = context] = /\.stage\/([^/]+)\//.exec(context) ?? [];
    const what = image.endsWith("-test")
        ? `the smoke test of image ${image.slice(0, -"-test".length)}`
        : `image ${image}`;
    const where = `${what} failed${platform ? ` on ${platform}` : ""}, at ${step || "the start"}`;
    if (!mask) return where;
    return [`${mask(where)}:`, ...output.slice(-30).map((line) => `    ${mask(line).trimEnd()}`)].join("\n");
}

/**
 * Tells on stderr which builds failed since `since`. Where BuildKit can't be asked, it says why: what Pulumi reported then
 * has to do.
 *
 * @param readMask what masks the stack's secrets, of which BuildKit knows nothing
 */
export async function tellFailedBuilds(
    env: NodeJS.ProcessEnv,
    since: Date,
    readMask: (env: NodeJS.ProcessEnv) => Promise<Mask | undefined>,
): Promise<void> {
    try {
        const builds = await failedBuilds(env, since);
        const mask = builds.length > 0 ? await readMask(env) : undefined;
        for (const build of builds) console.error(`\n${describeFailedBuild(build, mask)}`);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`note: what the failed builds printed can't be read: ${reason}`);
    }
}
