import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { z } from "zod";

/** Who a registry is asked as. */
export interface Login {
    readonly username: string;
    readonly password: string;
    /** An OAuth2 refresh token instead of a password. */
    readonly identityToken: string;
    /** A token that the registry takes as it is. */
    readonly registryToken: string;
}

const entry = z.object({
    auth: z.string().default(""),
    username: z.string().default(""),
    password: z.string().default(""),
    identitytoken: z.string().default(""),
    registrytoken: z.string().default(""),
});
/** What of Docker's config.json says who somebody is (docker/cli, cli/config/configfile). */
const schema = z.object({
    auths: z.record(z.string(), entry).default({}),
    credHelpers: z.record(z.string(), z.string()).default({}),
    credsStore: z.string().default(""),
});
type Config = z.infer<typeof schema>;

const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** A credential helper's user name where its secret is an identity token. */
const tokenUser = "<token>";

/** Milliseconds for a credential helper. */
const timeout = 20_000;

/** The name that a registry's login is kept under: Docker Hub has its old one. */
const keyOf = (registry: string): string => (registry === "docker.io" ? "https://index.docker.io/v1/" : registry);

/** The host in the key of a login, which older versions of Docker wrote as an address. */
const hostOf = (key: string): string => key.replace(/^[a-z]+:\/\//, "").split("/")[0] ?? "";

function parseConfig(text: string, where: string): Config {
    try {
        return schema.parse(JSON.parse(text));
    } catch (error) {
        // Neither may quote the text: it has passwords in it.
        const reason = error instanceof z.ZodError ? z.prettifyError(error) : "it is no JSON";
        throw new Error(`Docker's ${where} can't be read: ${reason}`);
    }
}

function readConfig(env: NodeJS.ProcessEnv): Config | undefined {
    const file = path.join(env.DOCKER_CONFIG ?? path.join(env.HOME ?? homedir(), ".docker"), "config.json");
    let text: string;
    try {
        text = readFileSync(file, "utf8");
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw new Error(`Docker's ${file} can't be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
    }
    return parseConfig(text, file);
}

function loginIn({ auths }: Config, registry: string): Login | undefined {
    const key = keyOf(registry);
    const found = auths[key] ?? Object.entries(auths).find(([one]) => hostOf(one) === registry)?.[1];
    if (!found) return undefined;
    const { auth, username, password, identitytoken: identityToken, registrytoken: registryToken } = found;
    const decoded = Buffer.from(auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    const said =
        colon < 0 ? { username, password } : { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
    const login = { ...said, identityToken, registryToken };
    // `docker login` with a store leaves an empty entry here.
    return Object.values(login).some((value) => value !== "") ? login : undefined;
}

/** Undefined for what is no JSON; an error would quote it. */
function parseJson(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

/** Asks a credential helper (docker/docker-credential-helpers: `get`, the key on stdin, JSON on stdout). */
async function askHelper(helper: string, key: string, env: NodeJS.ProcessEnv): Promise<Login | undefined> {
    const command = `docker-credential-${helper}`;
    const child = spawn(command, ["get"], { env, timeout, stdio: ["pipe", "pipe", "ignore"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    // One that ends without reading is judged by its exit code.
    child.stdin.on("error", () => undefined).end(key);
    const code = await new Promise<number | null>((resolve, reject) => {
        child.on("close", resolve).on("error", (error) => {
            reject(new Error(`Docker's credential helper ${command} can't be run: ${error.message}`));
        });
    });
    if (code !== 0) {
        if (stdout.trim() === "credentials not found in native keychain") return undefined;
        // What such a helper says then is why (docker-credential-helpers, credentials/credentials.go).
        throw new Error(
            `Docker's credential helper ${command} failed: ${stdout.trim() || `exit code ${String(code)}`}`,
        );
    }
    const { data } = helperAnswer.safeParse(parseJson(stdout));
    if (!data) throw new Error(`Docker's credential helper ${command} gave no login`);
    const isToken = data.Username === tokenUser;
    return {
        username: isToken ? "" : data.Username,
        password: isToken ? "" : data.Secret,
        identityToken: isToken ? data.Secret : "",
        registryToken: "",
    };
}

/**
 * The user's login for a registry, from where `docker login` and Docker's own tools have it: DOCKER_AUTH_CONFIG, then the
 * credential helper or the entry in config.json of DOCKER_CONFIG or ~/.docker.
 *
 * @param registry host with its port; "docker.io" for Docker Hub
 * @returns undefined where there is none
 * @throws Error whose message says which file or helper failed, and no secret
 */
export async function dockerLogin(registry: string, env: NodeJS.ProcessEnv): Promise<Login | undefined> {
    const said = env.DOCKER_AUTH_CONFIG ?? "";
    const first = said === "" ? undefined : loginIn(parseConfig(said, "DOCKER_AUTH_CONFIG"), registry);
    const config = first ? undefined : readConfig(env);
    if (first ?? !config) return first;
    const key = keyOf(registry);
    const helper = config.credHelpers[key] ?? config.credsStore;
    return (helper === "" ? undefined : await askHelper(helper, key, env)) ?? loginIn(config, registry);
}
