import { readFileSync } from "node:fs";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type Kind, permissions, permissionsFor } from "./permissions";
import { brokenRules, nextAfterRefusal, refusal, shortage } from "./refusals";

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
            "the organization's single sign-on",
            `${put} 403 Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization. []`,
            "a workflow file",
            /^authorize the token for the organization/,
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
        [
            "a used-up limit",
            `${put} 403 API rate limit exceeded for user ID 1. []`,
            "a workflow file",
            /in an hour at most/,
        ],
        ["a limit of which only the status speaks", `${put} 429 Slow down []`, "a secret", /in an hour at most/],
        [
            "an archived repository",
            `${put} 403 Repository was archived so is read-only. []`,
            "a variable",
            /unarchive it/,
        ],
        [
            "content that GitHub does not take",
            `${put} 422 Invalid request. []`,
            "a workflow file",
            /does not take this content/,
        ],
        ["a change at the same time", `${put} 409 Conflict []`, "a secret", /run the same command again$/],
        ["a failure of GitHub", `${put} 502 Server Error []`, "a variable", /githubstatus\.com/],
        [
            "a network without GitHub",
            'Put "https://api.github.com/x": dial tcp 127.0.0.1:1: connect: connection refused',
            "a variable",
            /can't be reached from here/,
        ],
        ["a token that expired", `${put} 401 Bad credentials []`, "a workflow file", /expired/],
    ])("%s", (_, error, kind, next) => {
        expect(nextAfterRefusal([error], kind)).toMatch(next);
    });

    test("each permission is one that docs/operations.md has people give", () => {
        const table = readFileSync(`${__dirname}/../../docs/operations.md`, "utf8");
        for (const permission of Object.values(permissionsFor).flat()) {
            expect(table).toContain(`\n| ${permissions[permission].title} `);
        }
    });
});

/** What GitHub says, how its settings name the rule, and whether the rule holds for a pull request's branch as well. */
const wordings: readonly (readonly [said: string, rule: string, everywhere?: true])[] = [
    [
        "409 Could not update file: Changes must be made through a pull request.",
        "Require a pull request before merging",
    ],
    ["409 Could not update file: 4 of 4 required status checks are expected.", "Require status checks to pass"],
    ['422 Required status check "test" is expected.', "Require status checks to pass"],
    ['409 Could not create file: Required status check "ci/a b" is expected.', "Require status checks to pass"],
    [
        "409 Could not update file: At least 1 approving review is required by reviewers with write access.",
        "Require approvals",
    ],
    [
        "409 Could not update file: At least 2 approving reviews are required by reviewers with write access.",
        "Require approvals",
    ],
    ["422 At least one approved review is required", "Require approvals"],
    ["409 Repository rule violations found\n\nCommits must have verified signatures.\n\n", "Require signed commits"],
    ["409 Could not update file: Commits must have valid signatures.", "Require signed commits"],
    [
        "409 Repository rule violations found\n\nThis branch must not contain merge commits.\n\n",
        "Require linear history",
    ],
    ["409 Repository rule violations found\n\nChanges must be made through the merge queue\n\n", "Require merge queue"],
    ["409 Could not update file: Changes must be made through the merge queue.", "Require merge queue"],
    ["409 Could not update file: Cannot change this locked branch", "Lock branch", true],
    [
        "409 Repository rule violations found\n\nCode scanning is waiting for results from CodeQL for the commit 493026f.\n\n",
        "Require code scanning results",
    ],
    ["409 Repository rule violations found\n\nWaiting for Code Scanning results.", "Require code scanning results"],
    ["409 Repository rule violations found\n\nRequired deployments are missing", "Require deployments to succeed"],
    ["409 Repository rule violations found\n\nRequired workflow 'CI' is not satisfied", "Require workflows to pass"],
    [
        "409 Repository rule violations found\n\nA conversation must be resolved before this pull request can be merged.",
        "Require conversation resolution",
    ],
    [
        "403 You're not authorized to push to this branch. Visit https://docs.github.com/articles/about-protected-branches/",
        "Restrict who can push, or Restrict updates",
    ],
    [
        "422 Repository rule violations found\n\nCannot update this protected ref.\n\n",
        "Restrict who can push, or Restrict updates",
    ],
    [
        "422 Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n",
        "Restrict creations",
        true,
    ],
    ["422 Reference update failed", "Restrict creations", true],
    ["422 Cannot delete a protected branch", "Restrict deletions", true],
    ["422 Repository rule violations found\n\nCannot delete this protected ref", "Restrict deletions", true],
    ["422 Cannot force-push to a protected branch", "Block force pushes", true],
    [
        "409 Repository rule violations found\n\nCommit message must match a given regex pattern: ^JIRA-",
        "Restrict commit metadata, or branch names",
        true,
    ],
    [
        "422 Repository rule violations found\n\nBranch name must start with a matching pattern: feature/",
        "Restrict commit metadata, or branch names",
        true,
    ],
    ["409 Repository rule violations found\n\nFile path is restricted", "Restrict file paths", true],
    ["409 Repository rule violations found\n\nFile extension .yml is not allowed", "Restrict file extensions", true],
    ["409 Repository rule violations found\n\nFile is larger than 1 MB", "Restrict file size", true],
    ["409 Repository rule violations found\n\nSecret detected in content", "Push protection (secret scanning)", true],
    ["409 Repository rule violations found\n\nA rule that is new", "a ruleset"],
    ["remote: error: GH013: Repository rule violations found for refs/heads/main.", "a ruleset"],
    ["! [remote rejected] main -> main (push declined due to repository rule violations)", "a ruleset"],
    ["remote: error: GH006: Protected branch update failed for refs/heads/main.", "branch protection"],
    ["! [remote rejected] main -> main (protected branch hook declined)", "branch protection"],
    ["409 Could not update file: A rule that is new", "branch protection"],
];

describe("a rule of the branch is named, with the ways to deliver all the same:", () => {
    test.each(wordings)("%s", (said, rule, everywhere) => {
        const direct = nextAfterRefusal([`${put} ${said} []`], "a workflow file");
        expect(direct).toContain(`the rule "${rule}" refuses it: let the App or user of GITHUB_TOKEN bypass the rule`);
        expect(direct?.includes("pulumi config set --path github.delivery pull-request")).toBe(everywhere !== true);
        // For the branch of a pull request, a pull request is no way.
        const proposed = nextAfterRefusal([`${put} ${said} []`], "a workflow file", "pull-request");
        expect(proposed).toContain(`the rule "${rule}" refuses it`);
        expect(proposed).toMatch(/bypass the rule.*, or exempt the branches layered-images\/\*\* from it$/);
    });

    test("all rules that refuse it, once each, without those that only say that there are rules", () => {
        const said =
            "409 Repository rule violations found\n\nChanges must be made through a pull request.\n\n" +
            "2 of 2 required status checks are expected.\n\nCommits must have verified signatures.\n\n";
        expect(brokenRules(`${put} ${said} []`)?.rules).toEqual([
            "Require a pull request before merging",
            "Require status checks to pass",
            "Require signed commits",
        ]);
    });

    test.each([
        `${put} 403 Resource not accessible by integration []`,
        `${put} 409 .github/workflows/merge queue.yml does not match 2f1 []`,
        "PUT https://api.github.com/repos/us/bot/contents/.github/workflows/protected-branch.yml: 500 []",
        `${put} 403 refusing to allow a GitHub App to create or update workflow a.yml without \`workflows\` permission []`,
        `${put} 403 You have exceeded a secondary rate limit. []`,
        `${put} 403 Repository was archived so is read-only. []`,
        `${put} 422 Invalid request.\n\n"sha" wasn't supplied. []`,
    ])("none in %s", (said) => {
        expect(brokenRules(said)).toBeUndefined();
    });

    test("no rule of a branch refuses a variable", () => {
        const said =
            "PATCH https://api.github.com/repos/us/bot/actions/variables/A: 403 Resource not accessible; merge queue []";
        expect(nextAfterRefusal([said], "a variable")).toMatch(/may not change a variable/);
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

describe("a token that GitHub refuses", () => {
    const refused = (said: string, headers: Record<string, string> = {}) =>
        refusal(403, new Headers(headers), "read the repository acme/tool", said)?.message;

    test.each([
        [
            "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.",
            "authorize the token for the organization",
        ],
        [
            "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
            "run it from an address on that list",
        ],
        [
            "`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.",
            "use a token of the kind, and with the lifetime, that the organization allows",
        ],
        [
            "The 'acme' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 90 days.",
            "use a token of the kind, and with the lifetime, that the organization allows",
        ],
        ["Must have admin rights to Repository.", "use the token of a person who may administer the repository"],
        ["This installation has been suspended", "let who suspended the App's installation or the account lift that"],
    ])("by a rule about tokens is not told to get more permissions: %s", (said, next) => {
        const message = refused(said, { "x-accepted-github-permissions": "metadata=read" });
        expect(message).toContain(`this token may not read the repository acme/tool: ${said}\n`);
        expect(message).toContain(`next: ${next}`);
        expect(message).not.toContain("metadata");
    });

    test.each([
        ["contents=write", "Contents: read and write"],
        ["contents=write,workflows=write", "Contents: read and write and Workflows: read and write"],
        ["issues=read; pull_requests=read", "issues: read, or Pull requests: read"],
    ])("for want of %s is told which permission that is", (accepted, text) => {
        const headers = { "x-accepted-github-permissions": accepted };
        expect(refused("Resource not accessible by integration", headers)).toMatch(
            new RegExp(`next: give it the repository permission ${text}$`),
        );
    });

    test.each(["You have exceeded a secondary rate limit.", "You have triggered an abuse detection mechanism."])(
        "for its many requests is told to wait, also where GitHub names no time: %s",
        (said) => {
            expect(refused(said, { "x-ratelimit-remaining": "4000" })).toMatch(/rate limit .* is used up until 20/);
        },
    );
});
