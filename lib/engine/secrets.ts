import { z } from "zod";
import { secretKeys } from "../hierarchy/secrets";
import { secretTexts } from "../system/mask";
import { type Engine, engineError } from "./pulumi";

/** The output of `pulumi config --json --show-secrets`: strings as they are, objects also as `objectValue`. */
const config = z.record(
    z.string(),
    z.object({
        value: z.string().default(""),
        objectValue: z.unknown().optional(),
        secret: z.boolean().default(false),
    }),
);

/** Returns every string and number in a value, as strings. */
function textsIn(value: unknown): string[] {
    if (typeof value === "string" || typeof value === "number") return [String(value)];
    return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/**
 * Whether a key is secret regardless of how it was set: values of build secrets may be stored in plain text in a
 * stack's file.
 */
const isSecretKey = (key: string): boolean => secretKeys.some((name) => key.endsWith(`:${name}`));

/**
 * Returns the secret values in a stack's configuration.
 *
 * @param text the output of `pulumi config --json --show-secrets`
 * @throws SyntaxError or z.ZodError if the text is not a configuration
 */
export function configSecrets(text: string): string[] {
    const secret = Object.entries(config.parse(JSON.parse(text))).filter(
        ([key, entry]) => entry.secret || isSecretKey(key),
    );
    return secret.flatMap(([, { value, objectValue }]) => textsIn(objectValue ?? value));
}

/** Calls `configSecrets`; undefined if the text is not a configuration, because an error must not quote any of it. */
function readable(text: string): string[] | undefined {
    try {
        return configSecrets(text);
    } catch {
        return undefined;
    }
}

/**
 * Reads the build secrets in the stack's configuration: values by name.
 *
 * @throws InputError if they can't be read
 */
export async function readBuildSecrets({ pulumi }: Pick<Engine, "pulumi">): Promise<Readonly<Record<string, string>>> {
    const read = await pulumi(["config", "--json", "--show-secrets", "--non-interactive"]);
    if (read.failure !== undefined) throw engineError("the build secrets can't be read", { ...read, stdout: "" });
    const entry = Object.entries(config.parse(JSON.parse(read.stdout))).find(([key]) => key.endsWith(":buildSecrets"));
    if (!entry) return {};
    const [, { objectValue, value }] = entry;
    return z.record(z.string(), z.string()).parse(objectValue ?? JSON.parse(value));
}

/** Tokens that a run may use. */
const tokens = ["GITHUB_TOKEN", "PULUMI_ACCESS_TOKEN"] as const;

/**
 * Reads the values that must not appear in any output of a run on the stack, in the form that `masked` and `maskStream`
 * take.
 *
 * @throws InputError if the stack's secrets can't be read: commands whose output must be masked can't be run then
 */
export async function readSecrets({ pulumi, env }: Pick<Engine, "pulumi" | "env">): Promise<string[]> {
    const read = await pulumi(["config", "--json", "--show-secrets", "--non-interactive"]);
    const what = "the stack's secrets can't be read, so they could not be masked in what is printed";
    const found = read.failure === undefined ? readable(read.stdout) : undefined;
    if (found === undefined) throw engineError(what, { ...read, stdout: "" });
    return secretTexts([...found, ...tokens.flatMap((name) => env[name] ?? [])]);
}
