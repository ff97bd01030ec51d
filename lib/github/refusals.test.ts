import { readFileSync } from "node:fs";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type Kind, permissions, permissionsFor } from "./permissions";
import { nextAfterRefusal, refusal, shortage } from "./refusals";

const put = "1 error occurred:\n\t* PUT https://api.github.com/repos/us/bot/contents/.github/workflows/a.yml:";

describe("what GitHub refuses in the middle of a run is answered with the next step:", () => {
    test.each<[string, string, Kind, RegExp]>([
        [
            "a permission of a fine-grained token",
            `${put} 403 Resource not accessible by personal access token []`,
            "a workflow file",
            /may not change a workflow file: give .* Contents and Workflows: read and write, at GitHub, Settings/,
        ],
        [
            "a permission of an App",
            "PATCH https://api.github.com/repos/us/bot/actions/variables/A: 403 Resource not accessible by integration []",
            "a variable",
            /permission Variables: read and write/,
        ],
        [
            "what was deleted, or a scope of a classic token",
            "PATCH https://api.github.com/repos/us/bot/actions/variables/A: 404 Not Found []",
            "a variable",
            /deleted on GitHub.*pulumi refresh --exclude '.*Index::\*\*'.*Variables.*scopes repo and workflow/,
        ],
        [
            "a file that changed meanwhile",
            `${put} 409 .github/workflows/a.yml does not match 2f1 []`,
            "a workflow file",
            /pulumi refresh --target '.*RepositoryFile::\*\*'/,
        ],
        ...[
            "409 Could not update file: Changes must be made through a pull request.",
            "409 Could not update file: 4 of 4 required status checks are expected.",
            'Could not update file: Required status check "test" is expected. At least 1 approving review is required.',
            "409 Repository rule violations found\n\nCommits must have verified signatures.",
            "403 You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/",
        ].map((refused): [string, string, Kind, RegExp] => [
            `a protected branch (${refused.slice(0, 60)})`,
            `${put} ${refused} []`,
            "a workflow file",
            /github\.delivery pull-request/,
        ]),
        [
            "a variable that is there",
            "POST https://api.github.com/repos/us/bot/actions/variables: 409 Already exists - Variable already exists []",
            "a variable",
            /run the same command again, which replaces it/,
        ],
        [
            "a pull request that is there",
            "POST https://api.github.com/repos/us/bot/pulls: 422 Validation Failed [{Resource:PullRequest Field: " +
                "Code:custom Message:A pull request already exists for us:layered-images/workflows-1.}]",
            "a pull request",
            /run the same command again, which continues with it/,
        ],
        ["a token that expired", `${put} 401 Bad credentials []`, "a workflow file", /expired/],
    ])("%s", (_, error, kind, next) => {
        expect(nextAfterRefusal([error], kind)).toMatch(next);
    });

    test.each([
        `${put} 403 API rate limit exceeded for user ID 1. []`,
        `${put} 403 Repository was archived so is read-only. []`,
        `${put} 422 Invalid request. []`,
    ])("nothing is added to what says it itself (%s)", (error) => {
        expect(nextAfterRefusal([error], "a workflow file")).toBeUndefined();
    });

    test("each permission is one that docs/operations.md has people give", () => {
        const table = readFileSync(`${__dirname}/../../docs/operations.md`, "utf8");
        for (const permission of Object.values(permissionsFor).flat()) {
            expect(table).toContain(`\n| ${permissions[permission].title} `);
        }
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
            shortage(new Headers({ "x-ratelimit-remaining": count, "x-ratelimit-reset": "1800000000" }), 100)?.message;
        expect(left("99")).toContain("99 more requests until 2027-01-15T08:00:00.000Z; a run may need 100");
        expect(left("100")).toBeUndefined();
        expect(shortage(new Headers(), 100)).toBeUndefined();
    });

    test.each([200, 404, 422])("is not what %d means", (status) => {
        expect(told(status)).toBeUndefined();
    });
});
