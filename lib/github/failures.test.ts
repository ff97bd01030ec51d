import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Kind, nextAfterRefusal, permissionsFor } from "./failures";

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
            /deleted it.*pulumi refresh --exclude '.*Index::\*\*'.*Variables.*scopes repo and workflow/,
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
            /run the same command again, which goes on with that/,
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
        for (const permission of Object.values(permissionsFor).flatMap((all) => all.split(" and "))) {
            expect(table).toContain(`\n| ${permission} `);
        }
    });
});
