import { InputError } from "./errors";

/** Ends of a word that say the value is not for everyone, with a number behind or without: TOKEN, GHTOKEN, apikey2. */
const secretWord =
    /(tokens?|secrets?|passwords?|passwd|passphrases?|credentials?|(api|access|private|signing)keys?)\d*$/;
/** Words that say it as a whole only: COMPASS and PATH are none. */
const secretWholeWord = /^(pat|creds)$/;
/** The same of words in a row, of which one alone says nothing. */
const secretWords = /(^|_)(api|access|private|ssh|signing|encryption|deploy|master|license)_keys?(_|$)|(^|_)pass\d*$/;

/** Forms of well-known tokens and credentials. */
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
    // RFC 7519: its first part is the base64 of an object; RFC 6750 and 7617: words of prose have no digit, "=" or capital inside
    /\beyJ[\w-]{8,}\.[\w-]{8,}\./,
    /\b[Bb](earer|asic)\s+(?=\S*[\d=]|\S+[A-Z])[\w.~+/=-]{8,}/,
    /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
    // RFC 3986, 3.2.1: with HTTP a user alone can be a token, elsewhere it is a name
    /\bhttps?:\/\/[^/?#\s]+@/i,
    /:\/\/[^/?#\s@]*:[^/?#\s]+@/,
];

/** The words of a variable's name in small letters: of "npmToken", "NPM_TOKEN" and "npm-token" the same. */
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
 * Whether a build argument looks like a secret, by its name or its value. It errs on the side of caution: `plainArguments` in
 * images.ts is the way out.
 */
export const looksSecret = (name: string, value: string): boolean =>
    (value !== "" && secretName(name)) || secretValues.some((pattern) => pattern.test(value));

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
 * Refuses an image whose secrets the stack does not have.
 *
 * @param known names of the secrets in the stack's configuration
 * @throws InputError that names the image and the missing secret
 */
export function requireSecrets(image: string, wanted: readonly string[], known: readonly string[]): void {
    const missing = wanted.find((name) => !known.includes(name));
    if (missing === undefined) return;
    throw new InputError({
        problem: `image ${image} needs the secret ${missing}, which the stack does not have`,
        allowed: known,
        next: `pulumi config set --secret --path buildSecrets.${missing}`,
    });
}
