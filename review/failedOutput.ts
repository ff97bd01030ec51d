import { z } from "zod";
import { type Mask, type Update, failedBuilds } from "../lab/failedBuilds";
import { LabError, run } from "../lab/process";

/** What `pulumi config --json --show-secrets` prints: text as it is, an object as `objectValue` too. */
const config = z.record(
    z.string(),
    z.object({
        value: z.string().default(""),
        objectValue: z.unknown().optional(),
        secret: z.boolean().default(false),
    }),
);

/** Every text and number in a value. */
function textsIn(value: unknown): string[] {
    if (typeof value === "string" || typeof value === "number") return [String(value)];
    return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** What is secret however it was set: values of build secrets may stand readable in a stack's file. */
const secretKey = /:(buildSecrets|repositorySecrets)$/;

/**
 * The secret values in a stack's configuration, and each line of those that have several: output is quoted line by line, and
 * the engine masks whole values only.
 *
 * @param text what `pulumi config --json --show-secrets` printed
 */
export function secretTexts(text: string): string[] {
    const secret = Object.entries(config.parse(JSON.parse(text))).filter(
        ([key, one]) => one.secret || secretKey.test(key),
    );
    const texts = secret.flatMap(([, { value, objectValue }]) => textsIn(objectValue ?? value));
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
 * What masks the secrets of the stack in a line.
 *
 * @param env of the update
 * @returns undefined where they can't be read
 */
export async function secretMask(env: NodeJS.ProcessEnv): Promise<Mask | undefined> {
    try {
        const secrets = secretTexts(await run("pulumi", ["config", "--json", "--show-secrets"], { env }));
        return (line) => masked(line, secrets);
    } catch (error) {
        if (!(error instanceof LabError || error instanceof z.ZodError || error instanceof SyntaxError)) throw error;
        console.error("note: the stack's secrets can't be read, so nothing that the update printed is quoted");
        return undefined;
    }
}

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
        if (!(error instanceof LabError || error instanceof z.ZodError)) throw error;
        console.error("note: what failed builds printed at their end can't be read from BuildKit");
        return new Map();
    }
}
