import { z } from "zod";
import { secretKeys } from "../hierarchy/secrets";
import { secretTexts } from "../system/mask";
import { type Engine, engineError } from "./pulumi";

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
const isSecretKey = (key: string): boolean => secretKeys.some((name) => key.endsWith(`:${name}`));

/**
 * The secret values in a stack's configuration.
 *
 * @param text what `pulumi config --json --show-secrets` printed
 * @throws SyntaxError or z.ZodError when it is none
 */
export function configSecrets(text: string): string[] {
    const secret = Object.entries(config.parse(JSON.parse(text))).filter(
        ([key, one]) => one.secret || isSecretKey(key),
    );
    return secret.flatMap(([, { value, objectValue }]) => textsIn(objectValue ?? value));
}

/** `configSecrets`; undefined where it is none, of which nothing may be quoted. */
function readable(text: string): string[] | undefined {
    try {
        return configSecrets(text);
    } catch {
        return undefined;
    }
}

/** Tokens that a run may use. */
const tokens = ["GITHUB_TOKEN", "PULUMI_ACCESS_TOKEN"] as const;

/**
 * What must stand in no output of a run on the stack: the texts that `masked` and `maskStream` take.
 *
 * @throws InputError where the stack's secrets can't be read: then nothing may be run whose output has to be masked
 */
export async function readSecrets({ pulumi, env }: Pick<Engine, "pulumi" | "env">): Promise<string[]> {
    const read = await pulumi(["config", "--json", "--show-secrets", "--non-interactive"]);
    const what = "the stack's secrets can't be read, so they could not be masked in what is printed";
    const found = read.failure === undefined ? readable(read.stdout) : undefined;
    if (found === undefined) throw engineError(what, { ...read, stdout: "" });
    return secretTexts([...found, ...tokens.flatMap((name) => env[name] ?? [])]);
}
