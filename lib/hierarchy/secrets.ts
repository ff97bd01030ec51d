import type { MountedSecret } from "../dockerfile/reads";
import { InputError, placeOf } from "../errors";
import { keyArguments } from "../system/shell";
import type { ImageDefinition } from "./definition";

/** Keys of the stack's configuration whose values are all secret, whether or not they were set with --secret. */
export const secretKeys: readonly string[] = ["buildSecrets", "repositorySecrets"];

/** Suffixes of a word that mark a secret, optionally followed by a number: TOKEN, GHTOKEN, apikey2. */
const secretWord =
    /(tokens?|secrets?|passwords?|passwd|passphrases?|credentials?|(api|access|private|signing)keys?)\d*$/;
/** Words that mark a secret only as a whole: COMPASS and PATH do not. */
const secretWholeWord = /^(pat|creds)$/;
/** Sequences of words that mark a secret, although the single words do not. */
const secretWords = /(^|_)(api|access|private|ssh|signing|encryption|deploy|master|license)_keys?(_|$)|(^|_)pass\d*$/;

/** Formats of well-known tokens and credentials. */
const secretValues = [
    // GitHub, GitLab, Docker Hub, npm, PyPI, Pulumi, Hugging Face
    /\bgh[pousr]_[A-Za-z0-9]{30,}/,
    /\bgithub_pat_[A-Za-z0-9_]{30,}/,
    /\bgl(pat|dt|rt|ptt)-[\w-]{20,}/,
    /\bdckr_pat_[\w-]{20,}/,
    /\bnpm_[A-Za-z0-9]{36}\b/,
    /\bpypi-[\w-]{40,}/,
    /\bpul-[0-9a-f]{40}\b/,
    /\bhf_[A-Za-z0-9]{20,}/,
    // Slack, AWS, Google, OpenAI and others, Stripe, Discord bots
    /\bx(ox[abeprs]|app)-[\w-]{10,}/,
    /\b(AKIA|ASIA)[0-9A-Z]{16}\b/,
    /\bAIza[\w-]{35}/,
    /\bsk-[\w-]{20,}/,
    /\b[sr]k_(live|test)_[A-Za-z0-9]{16,}/,
    /\b[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}/,
    // RFC 7519: the first part is a JSON object in base64. RFC 6750 and 7617: words of prose contain no digit, "=" or
    // inner capital
    /\beyJ[\w-]{8,}\.[\w-]{8,}\./,
    /\b[Bb](earer|asic)\s+(?=\S*[\d=]|\S+[A-Z])[\w.~+/=-]{8,}/,
    /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
    // RFC 3986, 3.2.1: in HTTP, a user without a password can be a token; in other schemes it is a name
    /\bhttps?:\/\/[^/?#\s]+@/i,
    /:\/\/[^/?#\s@]*:[^/?#\s]+@/,
];

/** Returns the words of a variable's name in lower case: the same for "npmToken", "NPM_TOKEN" and "npm-token". */
const wordsOf = (name: string): string[] =>
    name
        .replace(/([a-z\d])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])/g, "$&_")
        .toLowerCase()
        .split(/[^a-z\d]+/);

function secretName(name: string): boolean {
    const words = wordsOf(name);
    return (
        words.some((word) => secretWord.test(word) || secretWholeWord.test(word)) || secretWords.test(words.join("_"))
    );
}

/**
 * Checks whether a build argument looks like a secret, by its name or its value. False alarms are likely:
 * `plainArguments` in images.ts allows an argument.
 */
export const looksSecret = (name: string, value: string): boolean =>
    (value !== "" && secretName(name)) || secretValues.some((pattern) => pattern.test(value));

/**
 * Refuses build arguments that look like secrets: their values appear in the image's history, in the state and in logs.
 *
 * @param plain names of arguments that are public, even if they look like secrets
 * @throws InputError with the image and the argument, but not its value
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
            `pulumi config set --secret ${keyArguments(["buildSecrets", found[0]])}. If its value is public, add its name to ` +
            "`plainArguments` in images.ts",
    });
}

/**
 * Refuses images with secrets that the stack does not have.
 *
 * @param known names of the secrets in the stack's configuration
 * @throws InputError with every missing secret and its image
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
    const commands = missing.map(({ name }) => `pulumi config set --secret ${keyArguments(["buildSecrets", name])}`);
    throw new InputError({
        problem: problems.join("\n  "),
        allowed: known,
        next: [...new Set(commands)].join("; "),
    });
}

/** The parts of an image that concern build secrets. */
interface Mounting {
    readonly key: string;
    readonly definition: Pick<ImageDefinition, "dockerfile" | "secrets">;
    readonly mountedSecrets: readonly (MountedSecret & { readonly line: number; readonly triggeredBy?: string })[];
}

const unlisted = ({ definition, mountedSecrets }: Mounting) =>
    mountedSecrets.filter(({ id }) => !(definition.secrets ?? []).includes(id));

const howToList = (image: string, id: string) =>
    `add secrets: ["${id}"] to image ${image} in images.ts, and set it: ` +
    `pulumi config set --secret ${keyArguments(["buildSecrets", id])}`;

/**
 * Refuses a step that requires a build secret that the image's `secrets` do not list: the step would not receive it.
 *
 * @throws InputError with file and line
 */
export function refuseUnlistedSecrets(image: Mounting): void {
    const { key, definition } = image;
    const found = unlisted(image).find(({ required }) => required);
    if (!found) return;
    throw new InputError({
        problem: `this step requires the secret ${found.id}, which image ${key} does not list`,
        where: placeOf(`${definition.dockerfile}:${found.line}`, found),
        allowed: definition.secrets ?? [],
        next: howToList(key, found.id),
    });
}

/**
 * Returns a warning, one sentence per secret, for optional secrets that are not listed: BuildKit runs the step without
 * them.
 */
export const unlistedSecretWarnings = (image: Mounting): string[] =>
    unlisted(image).map(
        ({ id, line, triggeredBy }) =>
            `${placeOf(`${image.definition.dockerfile}:${line}`, { triggeredBy })} mounts the secret ${id}, which image ${image.key} does not list: the step ` +
            `runs without it. If the step needs it, ${howToList(image.key, id)}; with required=true in the mount, the step fails without it`,
    );
