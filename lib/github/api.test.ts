import { fn } from "jest-mock";
import { beforeEach, describe } from "mocha";
import { vi } from "vitest";
import { expect, stubGlobal, test } from "../../tests/mocha";
import { InputError } from "../errors";
import { UnreachableError, ask, restAddress } from "./api";

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

describe("asking", () => {
    const target = {
        owner: "us",
        repository: "bot",
        branch: "main",
        baseUrl: "https://github.example/",
        token: "t0ken",
    };
    const fetchMock = fn<typeof fetch>();
    const asked = () => ask(target, "repos/us/bot", "read the repository");
    beforeEach(() => {
        stubGlobal("fetch", fetchMock.mockReset());
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
