import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import {
    checkVariable,
    imageVariable,
    maximumValue,
    nameProblem,
    publishedVariables,
    readRemote,
    valueProblem,
} from "./names";

describe("the name of a secret or variable", () => {
    test.each(["TOKEN", "token", "_x", "A1_", "GITHUBBER", "MY_GITHUB_TOKEN", "A".repeat(255)])(
        "%s is taken",
        (name) => {
            expect(nameProblem(name)).toBeUndefined();
        },
    );

    test.each([
        ["", "letters"],
        ["A-B", "letters"],
        ["A B", "letters"],
        ["TÖKEN", "letters"],
        ["A\n", "letters"],
        ["1A", "digit"],
        ["GITHUB_TOKEN", "GITHUB_"],
        ["github_x", "GITHUB_"],
        ["A".repeat(256), "255"],
    ])("%j is refused", (name, reason) => {
        expect(nameProblem(name)).toContain(reason);
    });
});

describe("a value", () => {
    test("is limited in bytes, not characters", () => {
        expect(valueProblem("x".repeat(maximumValue))).toBeUndefined();
        expect(valueProblem("ä".repeat(maximumValue / 2))).toBeUndefined();
        expect(valueProblem(`${"ä".repeat(maximumValue / 2)}x`)).toBe("it has 49153 bytes, and GitHub takes 49152");
    });

    test("must not be empty", () => {
        expect(valueProblem("")).toBe("it is empty");
    });

    test("of a variable is passed on, or refused with the variable's name", () => {
        expect(checkVariable("A", "x")).toBe("x");
        expect(() => checkVariable("A", "x".repeat(maximumValue + 1))).toThrow(
            "GitHub refuses the variable A: it has 49153",
        );
        expect(() => checkVariable("1", "x")).toThrow(
            "GitHub refuses the variable name 1: it must not begin with a digit",
        );
    });
});

describe("the variable of an image", () => {
    test("is its key in upper case", () => {
        expect(imageVariable("ci")).toBe("CI_IMAGE");
        expect(publishedVariables({ ci: 1, "my-bot": 2 })).toEqual({ CI_IMAGE: 1, MY_BOT_IMAGE: 2 });
    });

    test("is no other image's", () => {
        expect(() => publishedVariables({ "a-b": 1, a_b: 2 })).toThrow(
            "images.ts: image a_b would get the variable A_B_IMAGE on GitHub: another image has it",
        );
    });

    test("is one that GitHub takes", () => {
        expect(() => publishedVariables({ "1st": 1 })).toThrow("1ST_IMAGE on GitHub: it must not begin with a digit");
    });
});

test.each<[string, [host: string, owner: string, name: string] | undefined]>([
    ["git@github.com:acme/tool.git", ["github.com", "acme", "tool"]],
    ["github-work:acme/tool", ["github-work", "acme", "tool"]],
    ["org-12345@GitHub.com:acme/tool.git", ["github.com", "acme", "tool"]],
    ["https://github.com/acme/tool/", ["github.com", "acme", "tool"]],
    ["https://user:p4ss@github.com/acme/tool.js.git", ["github.com", "acme", "tool.js"]],
    ["https://git.acme.example:8443/acme/tool", ["git.acme.example", "acme", "tool"]],
    ["ssh://git@ssh.github.com:443/acme/tool.git", ["github.com", "acme", "tool"]],
    ["https://notgithub.com/acme/tool", ["notgithub.com", "acme", "tool"]],
    ["https://gitlab.com/acme/group/tool.git", undefined],
    ["/srv/git/acme/tool.git", undefined],
    ["../tool.git", undefined],
    ["file:///srv/acme/tool", undefined],
    ["", undefined],
])("the remote %j is %j", (address, expected) => {
    const remote = readRemote(address);
    expect(remote && [remote.host, remote.owner, remote.name]).toEqual(expected);
});
