import { describe, expect, test } from "vitest";
import { refusal, shortage } from "./refusals";

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
            shortage(new Headers({ "x-ratelimit-remaining": count, "x-ratelimit-reset": "1800000000" }), 100)?.message;
        expect(left("99")).toContain("99 more requests until 2027-01-15T08:00:00.000Z; a run may need 100");
        expect(left("100")).toBeUndefined();
        expect(shortage(new Headers(), 100)).toBeUndefined();
    });

    test.each([200, 404, 422])("is not what %d means", (status) => {
        expect(told(status)).toBeUndefined();
    });
});
