import { chmodSync } from "node:fs";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { after, before, beforeEach, describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type SecureServer, startSecureServer } from "../../tests/secureServer";
import { tree } from "../../tests/tree";
import { blobReader } from "./blobs";

/* A registry with TLS, an issuer of tokens and a storage, behind a proxy that alone knows where their names lead. */

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const [there, lost, broken, moved, movedAndLost, slow] = ["a", "b", "c", "d", "e", "f"].map(digest);
let server: SecureServer;
let registry: string;
/** The requests: "HOST PATH authorization". */
let requests: string[] = [];
/** The authentication that the registry requires. */
let scheme: "bearer" | "basic" | "nobody";

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** The token of a user, or of "nobody" for an anonymous request. */
const tokenOf = (who: string) => `token-of-${who}`;

function answerToken(url: URL, request: IncomingMessage, response: ServerResponse, body: string): void {
    const form = new URLSearchParams(body);
    const basic = Buffer.from(request.headers.authorization?.slice("Basic ".length) ?? "", "base64").toString();
    const who =
        form.get("refresh_token") === "refresh"
            ? "refresher"
            : basic === "me:secret"
              ? "me"
              : basic === ""
                ? "nobody"
                : "";
    const scope = form.get("scope") ?? url.searchParams.get("scope");
    const service = form.get("service") ?? url.searchParams.get("service");
    const right = who !== "" && scope === "repository:us/app:pull" && service === "the registry";
    response.writeHead(right ? 200 : 401).end(JSON.stringify({ token: tokenOf(who) }));
}

function answerBlob(request: IncomingMessage, response: ServerResponse): void {
    const found = request.url?.split("/").at(-1);
    const give = () => response.writeHead(206, { "content-length": 1 });
    if (found === there) give().end("x");
    // As docker-registry does for a blob that it remembers although its file is missing.
    else if (found === broken) give().write("", () => request.socket.destroy());
    else if (found === moved || found === movedAndLost) {
        response
            .writeHead(307, { location: `https://storage.test:${registry.split(":")[1] ?? ""}/v2/x/blobs/${found}` })
            .end();
    } else if (found === slow) response.writeHead(503).end();
    else response.writeHead(404).end("{}");
}

const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { host = "", authorization = "", range } = request.headers;
    const url = new URL(request.url ?? "", `https://${host}`);
    requests.push(`${url.hostname} ${url.pathname} ${authorization}`.trim());
    let body = "";
    request.on("data", (text: Buffer) => (body += text.toString()));
    request.on("end", () => {
        if (url.pathname === "/token") {
            answerToken(url, request, response, body);
        } else if (url.hostname === "storage.test") {
            // The storage behind the redirect refuses credentials.
            const status =
                authorization !== "" || range === undefined ? 400 : url.pathname.endsWith(moved ?? "") ? 206 : 404;
            response.writeHead(status).end("x");
        } else {
            const wanted = {
                bearer: /^Bearer token-of-(me|refresher|nobody)$/,
                basic: /^Basic bWU6c2VjcmV0$/,
                nobody: /^$/,
            };
            const challenge = `Bearer realm="https://auth.test:${registry.split(":")[1] ?? ""}/token",service="the registry",scope="repository:us/app:pull"`;
            if (wanted[scheme].test(authorization)) answerBlob(request, response);
            else {
                const header = scheme === "basic" ? 'Basic realm="us"' : challenge;
                response.writeHead(401, { "www-authenticate": header }).end();
            }
        }
    });
};

before(async () => {
    server = await startSecureServer(["registry.test", "auth.test", "storage.test"], handle);
    registry = `registry.test:${server.port}`;
});
after(() => {
    server.stop();
});
beforeEach(() => {
    requests = [];
    scheme = "nobody";
});

/** The environment of a user with this Docker config.json. */
const user = (config: unknown = {}, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    DOCKER_CONFIG: tree({ "config.json": JSON.stringify(config) }),
    SSL_CERT_FILE: server.certificate,
    HTTPS_PROXY: server.proxy,
    ...more,
});

async function look(env: NodeJS.ProcessEnv, ...blobs: (string | undefined)[]): Promise<unknown> {
    const reader = blobReader(env);
    try {
        return await Promise.all(blobs.map((one) => reader.look(`${registry}/us/app`, one ?? "")));
    } finally {
        await reader.close();
    }
}

describe("a blob", () => {
    test("is there, lost, or remembered and lost, each in the registry and in the storage that it sends to", async () => {
        const states = await look(user(), there, lost, broken, moved, movedAndLost);
        expect(states).toEqual(["there", "lost", "remembered", "there", "remembered"]);
        expect(server.tunnels).toContain(registry);
    });

    test("that the registry fails to tell of is none of them", async () => {
        await expect(look(user(), slow)).rejects.toThrow(`registry ${registry} can't be asked: it answered 503`);
    });

    test("is not known without trust", async () => {
        const env = user({}, { SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt" });
        await expect(look(env, there)).rejects.toThrow(/can't be asked: .*self-signed certificate/);
    });

    test("is not known of a registry that does not answer", async () => {
        const closed = createServer();
        await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
        const nobody = `127.0.0.1:${(closed.address() as AddressInfo).port}`;
        await new Promise((resolve) => closed.close(resolve));
        const reader = blobReader(user());
        const looked = reader.look(`${nobody}/us/app`, there ?? "");
        await expect(looked).rejects.toThrow(new RegExp(`${nobody} can't be asked: .*ECONNREFUSED`));
        await reader.close();
    });
});

describe("the user's Docker login", () => {
    const auth = base64("me:secret");
    /** A credential helper with this output. */
    const helper = (answer: string, code = 0) => {
        const at = tree({
            "docker-credential-test": `#!/bin/sh\nread -r key\nprintf '%s' '${answer}' | sed "s|KEY|$key|"\nexit ${code}\n`,
        });
        chmodSync(path.join(at, "docker-credential-test"), 0o755);
        return { PATH: `${at}:${process.env.PATH ?? ""}` };
    };
    const login = (username: string, secret: string) =>
        JSON.stringify({ ServerURL: "KEY", Username: username, Secret: secret });
    const token = () => requests.at(-1)?.split(" ").at(-1);

    test.each([
        ["in config.json", () => user({ auths: { [registry]: { auth } } }), "me"],
        ["in config.json, as an address", () => user({ auths: { [`https://${registry}/v1/`]: { auth } } }), "me"],
        [
            "as an identity token",
            () => user({ auths: { [registry]: { auth: base64(":"), identitytoken: "refresh" } } }),
            "refresher",
        ],
        [
            "in DOCKER_AUTH_CONFIG",
            () => user({}, { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry]: { auth } } }) }),
            "me",
        ],
        ["of a helper", () => user({ credHelpers: { [registry]: "test" } }, helper(login("me", "secret"))), "me"],
        [
            "of a store",
            () => user({ credsStore: "test", auths: { [registry]: {} } }, helper(login("<token>", "refresh"))),
            "refresher",
        ],
        ["of another registry alone", () => user({ auths: { "ghcr.io": { auth } } }), "nobody"],
        [
            "that a store does not have",
            () => user({ credsStore: "test" }, helper("credentials not found in native keychain", 1)),
            "nobody",
        ],
    ])("%s is who the token is asked for as", async (_, env, who) => {
        scheme = "bearer";
        expect(await look(env(), there)).toEqual(["there"]);
        expect(token()).toBe(tokenOf(who));
    });

    test("goes with every request where the registry wants it, and to nobody else", async () => {
        scheme = "basic";
        expect(await look(user({ auths: { [registry]: { auth } } }), moved)).toEqual(["there"]);
        expect(requests).toEqual([
            `registry.test /v2/us/app/blobs/${moved ?? ""}`,
            `registry.test /v2/us/app/blobs/${moved ?? ""} Basic ${auth}`,
            `storage.test /v2/x/blobs/${moved ?? ""}`,
        ]);
    });

    test("is asked for once, and so is a token", async () => {
        scheme = "bearer";
        expect(await look(user({ auths: { [registry]: { auth } } }), there, there, lost, there)).toContain("lost");
        expect(requests.filter((one) => one.startsWith("auth.test"))).toHaveLength(1);
    });

    test.each([
        ["is refused", () => user({ auths: { [registry]: { auth: base64("me:wrong") } } }), /failed to authorize: 401/],
        ["can't be read", () => user({ auths: { [registry]: { auth: 7 } } }), /config\.json can't be read/],
        [
            "has a helper that is not there",
            () => user({ credsStore: "absent" }),
            /docker-credential-absent can't be run/,
        ],
        [
            "has a helper that fails",
            () => user({ credsStore: "test" }, helper("locked", 1)),
            /docker-credential-test failed: locked/,
        ],
        [
            "has a helper that gives something else",
            () => user({ credsStore: "test" }, helper("me:wrong")),
            /docker-credential-test returned no login$/,
        ],
    ])("that %s leaves it unknown, with the reason and without the secret", async (_, env, reason) => {
        scheme = "bearer";
        const failed = await look(env(), there).catch((error: unknown) => String(error));
        expect(failed).toMatch(reason);
        expect(failed).not.toMatch(/wrong|bWU6/);
    });

    test("that is lacking where one is wanted is said", async () => {
        scheme = "basic";
        await expect(look(user(), there)).rejects.toThrow("401 Unauthorized: there is no Docker login for it");
    });
});

describe("the environment, as Go's programs take it:", () => {
    test("a proxy without a scheme, and empty variables", async () => {
        expect(await look(user({}, { HTTPS_PROXY: server.proxy.replace("http://", "") }), there)).toEqual(["there"]);
        expect(await look(user({}, { HTTPS_PROXY: "", https_proxy: server.proxy }), there)).toEqual(["there"]);
        expect(requests.filter((one) => one.includes("/blobs/"))).toHaveLength(2);
    });

    test.each([
        ["certificates that are not there", { SSL_CERT_FILE: "/nowhere/bundle.pem" }],
        ["a proxy that is none", { HTTPS_PROXY: "http://[" }],
    ])("%s are why a registry can't be asked", async (_what, more) => {
        await expect(look(user({}, more), there)).rejects.toThrow(/^registry registry\.test:\d+ can't be asked: /);
    });
});
