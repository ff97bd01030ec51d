import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type MockedFunction, fn } from "jest-mock";
import { after, afterEach, before, beforeEach, describe } from "mocha";
import { expect, onTestFinished, spyOn, stubEnv, test } from "../../tests/mocha";
import { type SecureServer, startSecureServer } from "../../tests/secureServer";
import { labToken } from "../../lab/github/defaults";
import { type TestStandIn, startTestStandIn } from "../../lab/github/testing";
import { InputError } from "../errors";
import { network } from "../system/connections";
import { UnreachableError, ask, list, restAddress } from "./api";

describe("the REST interface", () => {
    test.each([
        ["https://api.github.com/", "https://api.github.com/"],
        ["https://github.com", "https://api.github.com/"],
        ["https://corp.ghe.com/", "https://api.corp.ghe.com/"],
        ["https://api.corp.ghe.com/", "https://api.corp.ghe.com/"],
        ["https://github.example", "https://github.example/api/v3/"],
        ["https://github.example/api/v3/", "https://github.example/api/v3/"],
        ["http://127.0.0.1:3000/git", "http://127.0.0.1:3000/git/api/v3/"],
    ])("of %s is at %s", (baseUrl, address) => {
        expect(restAddress(baseUrl).href).toBe(address);
    });
});

describe("asking", () => {
    const target = {
        owner: "us",
        repository: "bot",
        branch: "main",
        baseUrl: "https://github.example/",
        token: "t0ken",
    };
    let fetchMock: MockedFunction<typeof network.fetch>;
    const asked = (token = target.token) => ask({ ...target, token }, "repos/us/bot", "read the repository");
    beforeEach(() => {
        fetchMock = fn<typeof network.fetch>();
        spyOn(network, "fetch").mockImplementation(fetchMock);
    });

    test("sends the token, and gives the answer", async () => {
        fetchMock.mockResolvedValue(Response.json({ id: 1 }));
        expect((await asked()).body).toEqual({ id: 1 });
        const [url, options] = fetchMock.mock.calls[0] ?? [];
        expect(url).toEqual(new URL("https://github.example/api/v3/repos/us/bot"));
        expect(options?.headers).toMatchObject({ authorization: "token t0ken" });
    });

    test.each(["t0ken\n", "t0 ken", "t0\u0001ken"])(
        "sends no token that can't be one, and does not show it: %j",
        async (token) => {
            const error = await asked(token).catch((reason: unknown) => reason);
            expect(error).toBeInstanceOf(InputError);
            expect((error as InputError).message).toBe(
                "environment variable GITHUB_TOKEN: it has a line break, a space or another character that is in no token\n" +
                    "  next: set it to the token alone",
            );
            expect(fetchMock).not.toHaveBeenCalled();
        },
    );

    test("takes 404 for the answer that there is none", async () => {
        fetchMock.mockResolvedValue(Response.json({ message: "Not Found" }, { status: 404 }));
        expect((await asked()).body).toBeUndefined();
    });

    test("is repeated while the server fails", async () => {
        fetchMock.mockResolvedValueOnce(new Response("", { status: 502 })).mockResolvedValueOnce(Response.json({}));
        expect((await asked()).body).toEqual({});
        expect(fetchMock).toHaveBeenCalledTimes(2);
    });

    test("ends after three attempts, with the reason", async () => {
        fetchMock.mockRejectedValue(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") }));
        await expect(asked()).rejects.toThrow(
            new UnreachableError("GitHub can't be asked to read the repository: github.example: connect ECONNREFUSED"),
        );
        expect(fetchMock).toHaveBeenCalledTimes(3);
    });

    test.each([
        [401, InputError, "GitHub does not know this token"],
        [403, InputError, "this token may not read the repository"],
        [409, UnreachableError, "GitHub can't be asked to read the repository: it answered 409: Why"],
        [422, UnreachableError, "GitHub can't be asked to read the repository: it answered 422: Why"],
        [429, InputError, "this token may not read the repository"],
    ])("is not repeated when it is refused (%i)", async (status, kind, message) => {
        fetchMock.mockResolvedValue(Response.json({ message: "Why" }, { status }));
        const error = await asked().catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(kind);
        expect((error as Error).message).toContain(message);
        expect(fetchMock).toHaveBeenCalledTimes(1);
    });
});

describe("a GitHub server with a certificate of its own, behind a proxy, is asked", () => {
    let server: SecureServer;
    before(async () => {
        server = await startSecureServer(["github.test"], (_request, response) => {
            response.setHeader("content-type", "application/json").end('{"id": 1}');
        });
    });
    after(() => {
        server.stop();
    });

    const asked = (environment: Readonly<Record<string, string>>) => {
        for (const name of [
            "SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
            "HTTPS_PROXY",
            "https_proxy",
            "NO_PROXY",
            "no_proxy",
        ]) {
            stubEnv(name, environment[name]);
        }
        const baseUrl = `https://github.test:${server.port}`;
        return ask({ owner: "us", repository: "bot", branch: "main", baseUrl }, "repos/us/bot", "read the repository");
    };

    test.each(["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])("by HTTPS_PROXY and %s", async (trust) => {
        expect((await asked({ HTTPS_PROXY: server.proxy, [trust]: server.certificate })).body).toEqual({ id: 1 });
        expect(server.tunnels.splice(0)).toEqual([`github.test:${server.port}`]);
    });

    test("without its certificate in vain, and the reason is said", async () => {
        await expect(asked({ HTTPS_PROXY: server.proxy })).rejects.toThrow(/github\.test:\d+: self-signed certificate/);
    });

    test("without the proxy where NO_PROXY names it", async () => {
        server.tunnels.splice(0);
        const direct = asked({ HTTPS_PROXY: server.proxy, SSL_CERT_FILE: server.certificate, NO_PROXY: "github.test" });
        await expect(direct).rejects.toThrow(/github\.test:\d+: getaddrinfo/);
        expect(server.tunnels).toEqual([]);
    });
});

describe("a rate limit", () => {
    let github: TestStandIn;
    let said: string[];
    const limit = (limits: object) => github.control("PUT", "limits", limits);
    const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const asked = () => {
        const target = { owner: "acme", repository: "tool", branch: "main", baseUrl: github.url, token: labToken };
        return ask(target, "repos/acme/tool", "read the repository");
    };
    beforeEach(async () => {
        github = await startTestStandIn();
        said = [];
        spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
    });
    afterEach(async () => {
        await github.remove();
    });

    test("that ends within seconds is waited for, and stderr says so", async () => {
        // The stand-in is slow with its first answer.
        await asked();
        await limit({ primary: { until: inSeconds(2) } });
        expect((await asked()).body).toMatchObject({ full_name: "acme/tool" });
        expect(said).toEqual([
            expect.stringMatching(/^GitHub's rate limit: waiting \d s to read the repository\n$/) as string,
        ]);
    });

    test.each([
        ["of the hour", { primary: { until: "2037-01-01T00:00:00Z" } }, /used up until 2037-01-01T00:00:00/],
        ["of requests at once", { secondary: { until: "2099-01-01T00:00:00Z", retryAfter: 60 } }, /used up until 2/],
        ["that outlasts the wait", { secondary: { until: "2099-01-01T00:00:00Z", retryAfter: 1 } }, /used up until 2/],
    ])("%s is an error that says when it ends", async (_, limits, message) => {
        await limit(limits);
        await expect(asked()).rejects.toThrow(message);
        const waits = "secondary" in limits && limits.secondary.retryAfter === 1 ? 1 : 0;
        expect(said).toHaveLength(waits);
        expect(await github.control("GET", "requests")).toHaveLength(1 + waits);
    });
});

test("a list whose answer breaks off, or is none of GitHub's, does not end there", async () => {
    const server = createServer((request, response) => {
        if (request.url?.startsWith("/api/v3/html")) return void response.end("<html>Sign in</html>");
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
        response.write("[1, ", () => response.destroy());
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const target = { owner: "o", repository: "r", branch: "b", baseUrl: `http://127.0.0.1:${port.toString()}` };
    const reasons = ["broken", "html"].map((path) => list(target, path, "list").catch((error: unknown) => error));
    expect(await Promise.all(reasons)).toEqual([
        new UnreachableError(`GitHub can't be asked to list: 127.0.0.1:${port.toString()}: other side closed`),
        expect.objectContaining({
            message: expect.stringMatching(/: Unexpected token .* is not valid JSON/) as string,
        }),
    ]);
});
