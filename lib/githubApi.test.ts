import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { InputError } from "./errors";
import { UnreachableError, ask, refusal, restAddress, shortage } from "./githubApi";

vi.mock("node:timers/promises", () => ({ setTimeout: () => Promise.resolve() }));

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

describe("a refusal", () => {
    const told = (status: number, headers: Record<string, string> = {}) =>
        refusal(status, new Headers(headers), "read a.yml")?.message;

    test("of the token says that it expired, and what another one needs", () => {
        expect(told(401)).toMatch(/GITHUB_TOKEN: GitHub does not know this token[\s\S]*Secrets, Variables/);
    });

    test("for want of a permission names it", () => {
        const wanted = { "x-accepted-github-permissions": "contents=write", "x-ratelimit-remaining": "4000" };
        expect(told(403, wanted)).toMatch(/this token may not read a\.yml\s+allowed: contents=write/);
        expect(told(403)).not.toContain("allowed");
    });

    test("by the rate limit says until when", () => {
        const limit = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000000" };
        expect(told(403, limit)).toContain("used up until 2027-01-15T08:00:00.000Z");
        expect(told(429, { "retry-after": "60" })).toMatch(/used up until \d{4}-/);
    });

    test("is what too few requests for a run are, before they are used up in the middle of it", () => {
        const left = (count: string) =>
            shortage(new Headers({ "x-ratelimit-remaining": count, "x-ratelimit-reset": "1800000000" }))?.message;
        expect(left("99")).toContain("99 more requests until 2027-01-15T08:00:00.000Z; a run may need 100");
        expect(left("100")).toBeUndefined();
        expect(shortage(new Headers())).toBeUndefined();
    });

    test.each([200, 404, 422])("is not what %d means", (status) => {
        expect(told(status)).toBeUndefined();
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
    const fetchMock = vi.fn<typeof fetch>();
    const asked = () => ask(target, "repos/us/bot", "read the repository");
    beforeEach(() => {
        vi.stubGlobal("fetch", fetchMock.mockReset());
    });
    afterEach(() => {
        vi.unstubAllGlobals();
    });

    test("sends the token, and gives the answer", async () => {
        fetchMock.mockResolvedValue(Response.json({ id: 1 }));
        expect((await asked()).body).toEqual({ id: 1 });
        const [url, options] = fetchMock.mock.calls[0] ?? [];
        expect(url).toEqual(new URL("https://github.example/api/v3/repos/us/bot"));
        expect(options?.headers).toMatchObject({ authorization: "Bearer t0ken" });
    });

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

    test("is not repeated when it is refused", async () => {
        fetchMock.mockResolvedValue(new Response("", { status: 401 }));
        await expect(asked()).rejects.toThrow(InputError);
        expect(fetchMock).toHaveBeenCalledTimes(1);
    });
});
