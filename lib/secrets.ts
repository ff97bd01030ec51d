import { InputError } from "./errors";

/** Words of a variable's name that say its value is not for everyone; several in a row where one alone says nothing. */
const secretNames = [
    /(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY)(_|$)/i,
    /(^|_)(API|ACCESS|PRIVATE|SSH|SIGNING)_KEY(_|$)/i,
];

/** Forms of well-known tokens: GitHub, GitLab, Slack, AWS, npm, PyPI, Discord bots; and private keys. */
const secretValues = [
    /\bgh[pousr]_[A-Za-z0-9]{30,}/,
    /\bgithub_pat_[A-Za-z0-9_]{30,}/,
    /\bglpat-[\w-]{20,}/,
    /\bxox[abeprs]-[\w-]{10,}/,
    /\b(AKIA|ASIA)[0-9A-Z]{16}\b/,
    /\bnpm_[A-Za-z0-9]{36}\b/,
    /\bpypi-[\w-]{40,}/,
    /\b[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}/,
    /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
    /:\/\/[^/\s:@]+:[^/\s:@]+@/,
];

/** Whether a build argument looks like a secret, by its name or its value. */
export const looksSecret = (name: string, value: string): boolean =>
    (value !== "" && secretNames.some((pattern) => pattern.test(name))) ||
    secretValues.some((pattern) => pattern.test(value));

/**
 * Refuses build arguments that look like secrets: their values stand in the image's history, in the state and in logs.
 *
 * @param plain names of arguments that are none, whatever they look like
 * @throws InputError that names the image and the argument, not its value
 */
export function refuseSecretArguments(
    image: string,
    buildArgs: Readonly<Record<string, string>>,
    plain: readonly string[] = [],
): void {
    const found = Object.entries(buildArgs).find(([name, value]) => !plain.includes(name) && looksSecret(name, value));
    if (!found) return;
    throw new InputError({
        problem: `build argument ${found[0]} of image ${image} looks like a secret; its value would be readable in the image`,
        next:
            `add it to \`secrets\` in images.ts, read it with RUN --mount=type=secret,id=${found[0]}, and set it: ` +
            `pulumi config set --secret --path buildSecrets.${found[0]}. If everybody may read it: name it in ` +
            "`plainArguments` in images.ts",
    });
}

/**
 * Refuses images whose secrets the stack does not have.
 *
 * @param known names of the secrets in the stack's configuration
 * @throws InputError that names every missing secret, with its image
 */
export function requireSecrets(
    images: readonly { readonly image: string; readonly wanted: readonly string[] }[],
    known: readonly string[],
): void {
    const missing = images.flatMap(({ image, wanted }) =>
        wanted.filter((name) => !known.includes(name)).map((name) => ({ image, name })),
    );
    if (missing.length === 0) return;
    const problems = missing.map(
        ({ image, name }) => `image ${image} needs the secret ${name}, which the stack does not have`,
    );
    const commands = missing.map(({ name }) => `pulumi config set --secret --path buildSecrets.${name}`);
    throw new InputError({
        problem: problems.join("\n  "),
        allowed: known,
        next: [...new Set(commands)].join("; "),
    });
}
