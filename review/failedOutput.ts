import { z } from "zod";
import { failedBuilds } from "../lab/failedBuilds";
import { LabError, run } from "../lab/process";
import type { EngineLog } from "../lib/plan/engineLog";
import type { ImageStep } from "../lib/plan/imageSteps";

/** What `pulumi config --json --show-secrets` prints: text as it is, an object as `objectValue` too. */
const config = z.record(
    z.string(),
    z.object({
        value: z.string().default(""),
        objectValue: z.unknown().optional(),
        secret: z.boolean().default(false),
    }),
);

/** Every text in a value. */
function textsIn(value: unknown): string[] {
    if (typeof value === "string") return [value];
    return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/**
 * The secret values in a stack's configuration, and each line of those that have several.
 *
 * @param text what `pulumi config --json --show-secrets` printed
 */
export function secretTexts(text: string): string[] {
    const secret = Object.values(config.parse(JSON.parse(text))).filter((one) => one.secret);
    const texts = secret.flatMap(({ value, objectValue }) => textsIn(objectValue ?? value));
    const lines = texts.flatMap((one) => one.split("\n")).map((line) => line.trim());
    // As the engine does: what is shorter stands in half of all words.
    return [...new Set([...texts, ...lines])].filter((one) => one.length > 2);
}

/** Text without the secrets in it. */
export function masked(text: string, secrets: readonly string[]): string {
    const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
    return longestFirst.reduce((left, secret) => left.replaceAll(secret, "[secret]"), text);
}

/**
 * What builds and smoke tests that failed printed, as BuildKit remembers it: the provider loses the end, which is where the
 * reason stands. The stack's secrets are masked in it; where they or BuildKit can't be asked, nothing is quoted.
 *
 * @param env of the update
 * @returns lines by URN
 */
export async function failedOutput(
    log: EngineLog,
    steps: readonly ImageStep[],
    env: NodeJS.ProcessEnv,
): Promise<ReadonlyMap<string, readonly string[]>> {
    const failed = steps.filter(({ result }) => result === "failed");
    if (failed.length === 0) return new Map();
    try {
        const secrets = secretTexts(await run("pulumi", ["config", "--json", "--show-secrets"], { env }));
        const builds = await failedBuilds(env, new Date(log.start));
        return new Map(
            failed.flatMap(({ urn, context, platform }) => {
                if (context === undefined) return [];
                const build = builds.find((one) => one.context.endsWith(context) && one.platform === platform);
                return build ? [[urn, build.output.map((line) => masked(line, secrets))] as const] : [];
            }),
        );
    } catch (error) {
        if (!(error instanceof LabError || error instanceof z.ZodError)) throw error;
        console.error("note: what failed builds printed at their end can't be read from BuildKit, or not be masked");
        return new Map();
    }
}
