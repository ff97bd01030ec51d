import { z } from "zod";

const stacks = z.array(z.object({ name: z.string() }));

/**
 * The stacks that `pulumi stack ls --json` lists.
 *
 * @throws SyntaxError or z.ZodError when it is no such list
 */
export const knownStacks = (text: string): string[] => stacks.parse(JSON.parse(text)).map(({ name }) => name);

/** What Pulumi says when the stack can't be opened, and what to do about it. */
const advice: readonly (readonly [RegExp, string])[] = [
    [
        /incorrect passphrase|passphrase must be set/,
        "export PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) with the passphrase that the stack was made with",
    ],
    [
        /PULUMI_ACCESS_TOKEN must be set|invalid access token|Unauthorized: No credentials/,
        "pulumi login, or export PULUMI_ACCESS_TOKEN",
    ],
    [
        /currently locked by/,
        'wait for the update that runs; left by one that was killed: docs/operations.md, "A lock was left behind"',
    ],
    [
        /no resource plugin|could not find plugin|failed to load plugin/,
        "pulumi plugin install, with a network; in the lab: npm run lab -- start",
    ],
];

/**
 * What to do about an error of the engine.
 *
 * @returns undefined where the error speaks for itself
 */
export const enginesAdvice = (said: string): string | undefined => advice.find(([pattern]) => pattern.test(said))?.[1];

const diagnostics = z.object({
    diagnostics: z.array(z.object({ severity: z.string(), message: z.string().default("") })).nullish(),
});

/** Severities of what explains a failure: the engine's errors, or what the program itself printed on stderr. */
const explaining = ["error", "info#err"];

/**
 * What a preview with `--json` that failed says of its failure. Of the JSON nothing else: it holds the values of every argument.
 *
 * @returns "" where it says nothing
 */
export function previewErrors(stdout: string): string {
    if (!stdout.trimStart().startsWith("{")) return stdout.trim();
    let json: unknown;
    try {
        json = JSON.parse(stdout);
    } catch {
        // Cut off in the middle.
        return "";
    }
    const said = diagnostics.safeParse(json).data?.diagnostics ?? [];
    const of = (severity: string) =>
        said.filter((one) => one.severity === severity).map(({ message }) => message.trim());
    const errors = explaining.map(of).find((messages) => messages.length > 0) ?? [];
    // Why it failed can stand in a warning before: what could not be asked.
    const warnings =
        errors.length > 0 ? of("warning").map((message) => message.replace(/^(warning: )?/, "warning: ")) : [];
    return [...errors, ...warnings].join("\n");
}
