import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { secretKeys } from "../hierarchy/secrets";
import { hiddenTexts, hide, secretsIn } from "../system/hidden";
import { repositoryRoot } from "../system/paths";
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
 * Returns the secret part of a key's value. Of deployments only the private keys are secret: masking the names of images and hosts as well
 * would leave little to read of any output.
 */
function secretIn(key: string, value: unknown): unknown {
    if (!key.endsWith(":deployments") || typeof value !== "object" || value === null) return value;
    return Object.values(value).map((entry) => (entry as { readonly key?: unknown } | null)?.key);
}

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
    return secret.flatMap(([key, { value, objectValue }]) => textsIn(secretIn(key, objectValue ?? value)));
}

/** Entries of Pulumi.yaml and of a stack's file with which the stack's file alone says what is configured. */
const anything = z.unknown().optional();
const plainProject = z.strictObject({ name: anything, description: anything, runtime: anything, main: anything });
const plainStack = z.strictObject({
    config: z.record(z.string(), z.unknown()).default({}),
    encryptionsalt: anything,
});

/** Whether any part of a value is encrypted. */
const isEncrypted = (value: unknown): boolean =>
    typeof value === "object" && value !== null && ("secure" in value || Object.values(value).some(isEncrypted));

/**
 * Returns the secret values in a configuration without encrypted values, from its files: running `pulumi` takes a quarter of a second of processor time.
 *
 * @param project Pulumi.yaml
 * @param stack the stack's file, of a stack whose backend keeps no configuration itself
 * @returns undefined if a value is encrypted or may come from elsewhere, so that only Pulumi can read it
 */
export function plainSecrets(project: string, stack: string): string[] | undefined {
    let files: readonly unknown[];
    try {
        files = [project, stack].map((text) => parse(text) as unknown);
    } catch {
        return undefined;
    }
    const found = plainStack.safeParse(files[1]).data;
    if (!plainProject.safeParse(files[0]).success || !found || isEncrypted(found.config)) return undefined;
    return Object.entries(found.config).flatMap(([key, value]) => (isSecretKey(key) ? textsIn(value) : []));
}

/** Returns the secret values of the lab's stack, if its files are enough to know them. */
function labSecrets({ stack, isLab }: Pick<Engine, "stack" | "isLab">): string[] | undefined {
    const [project, file] = ["Pulumi.yaml", `Pulumi.${stack}.yaml`].map((name) => path.join(repositoryRoot(), name));
    if (!isLab || project === undefined || file === undefined || !existsSync(file)) return undefined;
    return plainSecrets(readFileSync(project, "utf8"), readFileSync(file, "utf8"));
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
 * Reads the build secrets in the stack's configuration, and hides them in what this process prints: values by name.
 *
 * @throws InputError if they can't be read
 */
export async function readBuildSecrets({ pulumi }: Pick<Engine, "pulumi">): Promise<Readonly<Record<string, string>>> {
    const read = await pulumi(["config", "--json", "--show-secrets", "--non-interactive"]);
    if (read.failure !== undefined) throw engineError("the build secrets can't be read", { ...read, stdout: "" });
    const entry = Object.entries(config.parse(JSON.parse(read.stdout))).find(([key]) => key.endsWith(":buildSecrets"));
    if (!entry) return {};
    const [, { objectValue, value }] = entry;
    const secrets = z.record(z.string(), z.string()).parse(objectValue ?? JSON.parse(value));
    hide(Object.values(secrets));
    return secrets;
}

/**
 * Reads the values that must not appear in any output of a run on the stack, and hides them in what this process prints.
 *
 * @returns the texts that these and all other secrets of this process may appear as, in the form that `masked` and `maskStream` take
 * @throws InputError if the stack's secrets can't be read: commands whose output must be masked can't be run then
 */
export async function readSecrets(
    engine: Pick<Engine, "pulumi" | "env" | "stack" | "isLab">,
): Promise<readonly string[]> {
    const { pulumi, env } = engine;
    const known = (values: readonly string[]) => {
        hide([...values, ...secretsIn(env)]);
        return hiddenTexts();
    };
    const plain = labSecrets(engine);
    if (plain) return known(plain);
    const read = await pulumi(["config", "--json", "--show-secrets", "--non-interactive"]);
    const what = "the stack's secrets can't be read, so they could not be masked in what is printed";
    const found = read.failure === undefined ? readable(read.stdout) : undefined;
    if (found === undefined) throw engineError(what, { ...read, stdout: "" });
    return known(found);
}
