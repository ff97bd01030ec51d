import { masked, secretTexts } from "./mask";

/** Names of environment variables whose values are secret. Those of files that contain a secret end differently. */
const secretNames = /((^|_)(TOKEN|SECRET|PASSPHRASE|(SECRET|ACCESS|PRIVATE|STORAGE|API)_KEY)|PASSWORD)$/;

/** Characters of the shortest value of a variable that is hidden: the variables of unrelated programs may hold any word. */
const shortestValue = 6;

/** The secret values that this process knows, and how they may appear in a text. */
const values = new Set<string>();
let texts: readonly string[] = [];

/** Hides secret values, their lines and their encodings from now on in everything that this process prints. */
export function hide(secrets: readonly string[]): void {
    const known = values.size;
    for (const secret of secrets) values.add(secret);
    if (values.size > known) texts = secretTexts([...values]);
}

/** Returns the texts that this process hides, in the form that `masked` and `maskStream` take. */
export const hiddenTexts = (): readonly string[] => texts;

/** Removes all secrets that this process knows from a text. */
export const withoutSecrets = (text: string): string => masked(text, texts);

/**
 * Returns the password in a URL, as written and decoded: `postgres://user:password@host/` and `?password=…`.
 *
 * @returns none for a text that is no URL or has no password
 */
export function passwordsIn(url: string): string[] {
    const [, inUser] = /^[a-z][a-z\d+.-]*:\/\/[^/?#:@]*:([^/?#]*)@/i.exec(url) ?? [];
    const inQuery = URL.canParse(url) ? new URL(url).searchParams.getAll("password") : [];
    const decoded = (text: string) => {
        try {
            return decodeURIComponent(text);
        } catch {
            return text;
        }
    };
    const written = [...(inUser === undefined ? [] : [inUser]), ...inQuery].filter((text) => text !== "");
    return [...new Set(written.flatMap((text) => [text, decoded(text)]))];
}

/**
 * Returns the values of environment variables that are secret: by their names, such as GITHUB_TOKEN and AWS_SECRET_ACCESS_KEY, and the
 * passwords in URLs, such as PULUMI_BACKEND_URL and HTTPS_PROXY.
 */
export const secretsIn = (env: NodeJS.ProcessEnv): string[] =>
    Object.entries(env).flatMap(([name, value = ""]) =>
        (secretNames.test(name) ? [value] : passwordsIn(value)).filter((text) => text.length >= shortestValue),
    );

/**
 * Makes standard output and standard error mask the known secrets in every text that is written to them: the results of commands, messages
 * of libraries, and errors. What a child process prints on its own passes `runMasked`.
 */
export function guardStreams(streams: readonly NodeJS.WriteStream[] = [process.stdout, process.stderr]): void {
    for (const stream of streams) {
        const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
        stream.write = (chunk: unknown, ...rest: unknown[]): boolean =>
            write(typeof chunk === "string" ? withoutSecrets(chunk) : chunk, ...rest);
    }
}
