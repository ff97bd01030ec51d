import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "../../tests/mocha";
import { temporaryFolder } from "../../tests/tree";
import { identityVariables } from "./identity";

/** What GitHub gives a job: it answers with the audience as the token, or with this status. */
async function job(status = 200, body?: string) {
    const server = createServer(({ url = "", headers }, response) => {
        const audience = new URL(url, "http://127.0.0.1").searchParams.get("audience") ?? "";
        response.writeHead(headers.authorization === "Bearer request-token" ? status : 401);
        response.end(body ?? JSON.stringify({ count: 1, value: `token for ${audience}` }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
        server.close();
    });
    const { port } = server.address() as AddressInfo;
    return {
        ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port.toString()}/token?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-token",
        RUNNER_TEMP: temporaryFolder(),
    };
}

const amazon = { PULUMI_BACKEND_URL: "s3://state", AWS_ROLE_ARN: "arn:aws:iam::1:role/up" };
const azure = { PULUMI_BACKEND_URL: "azblob://state", AZURE_CLIENT_ID: "app", AZURE_TENANT_ID: "us" };
const provider = "projects/1/locations/global/workloadIdentityPools/github/providers/github";
const google = { PULUMI_BACKEND_URL: "gs://state", GOOGLE_WORKLOAD_IDENTITY_PROVIDER: provider };

test.each([
    ["Amazon", amazon, "AWS_WEB_IDENTITY_TOKEN_FILE", "token for sts.amazonaws.com"],
    ["Microsoft", azure, "AZURE_FEDERATED_TOKEN_FILE", "token for api://AzureADTokenExchange"],
])("the client for %s finds the job's token in a file that only this user can read", async (_, env, name, token) => {
    const file = (await identityVariables({ ...env, ...(await job()) }))[name] ?? "";
    expect(readFileSync(file, "utf8")).toBe(token);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(existsSync(file)).toBe(true);
});

test("the client for Google is told where and how to ask for the job's token", async () => {
    const env = { ...google, GOOGLE_SERVICE_ACCOUNT: "up@us.iam.gserviceaccount.com" };
    const { GOOGLE_CREDENTIALS = "" } = await identityVariables({ ...env, ...(await job()) });
    const credentials = JSON.parse(GOOGLE_CREDENTIALS) as {
        credential_source: { url: string; headers: Record<string, string> };
    };
    const { url, headers } = credentials.credential_source;
    const answer = (await (await fetch(url, { headers })).json()) as { value: string };
    expect(answer.value).toBe(`token for https://iam.googleapis.com/${provider}`);
    expect(credentials).toMatchObject({
        audience: `//iam.googleapis.com/${provider}`,
        service_account_impersonation_url: expect.stringMatching(/up@us.*:generateAccessToken$/) as string,
    });
});

test.each<[string, NodeJS.ProcessEnv]>([
    ["outside of a job", { ...amazon, ACTIONS_ID_TOKEN_REQUEST_URL: "" }],
    ["with a key", { ...amazon, AWS_ACCESS_KEY_ID: "key" }],
    ["with a key of Azure", { ...azure, AZURE_STORAGE_KEY: "key" }],
    ["with a key of Google", { ...google, GOOGLE_CREDENTIALS: "{}" }],
    ["with variables of another cloud", { ...amazon, PULUMI_BACKEND_URL: "gs://state" }],
    ["with empty variables, as a workflow has them", { ...amazon, AWS_ROLE_ARN: "" }],
])("%s nothing is asked or set", async (_, env) => {
    expect(await identityVariables({ ...(await job(500)), ...env })).toEqual({});
});

test.each([
    [403, "{}", /no identity token for sts\.amazonaws\.com: it answered 403\n {2}next: .*id-token: write/],
    [200, "{}", /its answer has none/],
])("an answer without a token (%d %s) is one clear error", async (status, body, message) => {
    await expect(identityVariables({ ...amazon, ...(await job(status, body)) })).rejects.toThrow(message);
});
