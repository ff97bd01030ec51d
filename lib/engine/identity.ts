import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { z } from "zod";
import { InputError } from "../errors";
import { network } from "../system/connections";
import { replaceFile } from "../system/files";
import { guide } from "../system/guide";

/*
 * A job's identity for the cloud that holds the state (docs.github.com, "OpenID Connect"): GitHub signs tokens that say which repository
 * and environment a job belongs to, and the cloud exchanges them for credentials. Pulumi's clients for Amazon and Microsoft read such a
 * token from a file whenever their credentials end, and that for Google asks GitHub itself. GitHub's tokens live for minutes, an update for
 * hours, so the file is kept fresh while the command runs.
 */

/** How often the file is written, in milliseconds: GitHub's tokens live for five minutes. */
const interval = 2 * 60_000;

/** Longest duration of a request for a token, in milliseconds. */
const timeout = 20_000;

/** Where a job asks GitHub for tokens. */
interface Issuer {
    readonly url: string;
    readonly token: string;
}

const answerSchema = z.object({ value: z.string().min(1) });

const urlFor = ({ url }: Issuer, audience: string): string => `${url}&audience=${encodeURIComponent(audience)}`;

/** Asks GitHub for a token. The error never contains one. */
async function requestToken(issuer: Issuer, audience: string): Promise<string> {
    const fail = (reason: string) =>
        new InputError({
            problem: `GitHub gives this job no identity token for ${audience}: ${reason}`,
            next: `the job needs the permission "id-token: write", which generated workflows have (${guide("state")})`,
        });
    try {
        const response = await network.fetch(new URL(urlFor(issuer, audience)), {
            headers: { authorization: `Bearer ${issuer.token}`, accept: "application/json" },
            signal: AbortSignal.timeout(timeout),
        });
        const text = await response.text();
        if (!response.ok) throw fail(`it answered ${response.status.toString()}`);
        return answerSchema.parse(JSON.parse(text)).value;
    } catch (error) {
        if (error instanceof InputError) throw error;
        throw fail(error instanceof z.ZodError || error instanceof SyntaxError ? "its answer has none" : String(error));
    }
}

/**
 * Writes a token into a file that only this user can read, and again while the process runs; the file is removed at its end.
 *
 * @returns path of the file
 */
async function tokenFile(issuer: Issuer, audience: string, folder: string): Promise<string> {
    const token = await requestToken(issuer, audience);
    const own = mkdtempSync(path.join(folder, "identity-"));
    const file = path.join(own, "token");
    replaceFile(file, token, 0o600);
    const renew = () => {
        requestToken(issuer, audience).then(
            (next) => {
                replaceFile(file, next, 0o600);
            },
            // The next time may succeed, and the cloud refuses a token that ended.
            () => undefined,
        );
    };
    const timer = setInterval(renew, interval);
    timer.unref();
    process.once("exit", () => {
        rmSync(own, { recursive: true, force: true });
    });
    return file;
}

/** Returns the content of a Google credentials file with which a client asks GitHub for a token whenever it needs one. */
function googleCredentials(issuer: Issuer, provider: string, account: string | undefined): string {
    const accounts = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts";
    return JSON.stringify({
        type: "external_account",
        audience: `//iam.googleapis.com/${provider}`,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        token_url: "https://sts.googleapis.com/v1/token",
        credential_source: {
            url: urlFor(issuer, `https://iam.googleapis.com/${provider}`),
            headers: { Authorization: `Bearer ${issuer.token}` },
            format: { type: "json", subject_token_field_name: "value" },
        },
        ...(account && { service_account_impersonation_url: `${accounts}/${account}:generateAccessToken` }),
    });
}

/**
 * Returns the environment variables with which Pulumi opens the backend as this GitHub job, if the job may ask for its identity and the
 * variables of a way to log in without a key are set; none otherwise. A key takes precedence.
 *
 * @throws InputError if GitHub gives the job no token
 */
export async function identityVariables(env: NodeJS.ProcessEnv): Promise<Readonly<Record<string, string>>> {
    const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token, PULUMI_BACKEND_URL = "" } = env;
    if (!url || !token) return {};
    const issuer = { url, token };
    const { RUNNER_TEMP = "" } = env;
    const folder = RUNNER_TEMP === "" ? tmpdir() : RUNNER_TEMP;
    if (PULUMI_BACKEND_URL.startsWith("s3://") && env.AWS_ROLE_ARN && !env.AWS_ACCESS_KEY_ID) {
        return {
            AWS_WEB_IDENTITY_TOKEN_FILE: await tokenFile(issuer, "sts.amazonaws.com", folder),
            AWS_ROLE_SESSION_NAME: `github-${env.GITHUB_RUN_ID ?? "run"}`,
        };
    }
    if (PULUMI_BACKEND_URL.startsWith("azblob://") && env.AZURE_CLIENT_ID && !env.AZURE_STORAGE_KEY) {
        return { AZURE_FEDERATED_TOKEN_FILE: await tokenFile(issuer, "api://AzureADTokenExchange", folder) };
    }
    const { GOOGLE_WORKLOAD_IDENTITY_PROVIDER: provider, GOOGLE_SERVICE_ACCOUNT: account } = env;
    if (PULUMI_BACKEND_URL.startsWith("gs://") && provider && !env.GOOGLE_CREDENTIALS) {
        return { GOOGLE_CREDENTIALS: googleCredentials(issuer, provider, account) };
    }
    return {};
}
