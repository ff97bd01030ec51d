import { describe } from "mocha";
import { parse } from "yaml";
import { openCheckout } from "../lib/context/checkout";
import type { ImageDefinitions } from "../lib/hierarchy/definition";
import { inventedFiles } from "../tests/github/invented";
import { theirs } from "../tests/github/world";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { ciBranch, ciBuildArgs, ciReading } from "./ciStack";
import { workflowFiles } from "./files";
import { imageOf, workflowImages } from "./images";
import { pathFilters } from "./pathFilters";

describe("the branch that workflows are for", () => {
    const branchOf = (text: string) => ciBranch(tree({ "Pulumi.ci.yaml": text }));

    test.each([
        ["an object", "config:\n  p:github:\n    repository: r\n    branch: master\n", "master"],
        ["JSON in a text", `config:\n  p:github: '{"repository":"r","branch":"release/1.x"}'\n`, "release/1.x"],
        ["nothing of a branch", "config:\n  github:owner: o\n  p:github:\n    repository: r\n", "main"],
        ["nothing", "", "main"],
    ])("is what the stack of CI has, where that says %s", (_what, text, branch) => {
        expect(branchOf(text)).toBe(branch);
    });

    test("is main where that stack is not configured", () => {
        expect(ciBranch(tree({}))).toBe("main");
    });

    test.each(["it's", "a*", "a..b", 7])("is refused where GitHub would read %j otherwise", (branch) => {
        expect(() => branchOf(`config:\n  p:github: ${JSON.stringify({ branch })}\n`)).toThrow(
            /^Pulumi\.ci\.yaml: github\.branch is .*can't be used in workflows/,
        );
    });
});

describe("the build arguments that workflows are for", () => {
    const one: ImageDefinitions = { one: { description: "", dockerfile: "Dockerfile", platforms: ["linux/amd64"] } };
    const files = {
        Dockerfile: "ARG PY\nFROM python:${PY}-slim\nARG REQ=dev\nCOPY requirements-${REQ}.txt /\n",
        "requirements-dev.txt": "",
        "requirements-prod.txt": "",
    };
    const root = (config: string) => tree({ ...files, "Pulumi.ci.yaml": `config:\n${config}` });

    test.each([
        ["an object", "  p:buildArgs:\n    one:\n      PY: '3.12'\n      REQ: prod\n"],
        ["JSON in a text", `  p:buildArgs: '{"one":{"PY":"3.12","REQ":"prod"}}'\n`],
    ])("are those of CI's stack, given as %s: they decide what a Dockerfile reads", (_what, config) => {
        const image = imageOf(workflowImages(openCheckout(root(config)), { images: one }), "one");
        expect(image.roots.map(({ expanded }) => expanded)).toEqual(["python:3.12-slim"]);
        expect(pathFilters([image])).toContain("requirements-prod.txt");
        expect(pathFilters([image])).not.toContain("requirements-dev.txt");
    });

    test("are none where that stack has none, and refused where they are no text", () => {
        expect(ciBuildArgs(tree({}))).toEqual({});
        const encrypted = "  p:buildArgs:\n    one:\n      A: a\n      B:\n        secure: v1:x\n";
        expect(ciBuildArgs(root(encrypted))).toEqual({ one: { A: "a" } });
        expect(ciBuildArgs(root("  p:buildArgs:\n    one:\n      secure: v1:x\n    two:\n      A: a\n"))).toEqual({
            two: { A: "a" },
        });
        expect(ciBuildArgs(root("  p:buildArgs:\n    secure: v1:x\n"))).toEqual({});
        expect(() => ciBuildArgs(root("  p:buildArgs:\n    one:\n      PY: 3.12\n"))).toThrow(
            "Pulumi.ci.yaml: buildArgs (at one.PY): not text; write it in quotes, because YAML changes 3.10 to 3.1",
        );
    });
});

test("with another branch, no workflow speaks of main", () => {
    const root = tree({ ...inventedFiles, "Pulumi.ci.yaml": "config:\n  p:github:\n    branch: trunk\n" });
    const files = workflowFiles(openCheckout(root), theirs.definitions);
    const lines = Object.values(files).flatMap((text) => text.split("\n").filter((line) => !line.includes("#")));
    expect(lines.filter((line) => /\bmain\b/.test(line))).toEqual([]);
    expect(lines.filter((line) => /\btrunk\b/.test(line)).length).toBeGreaterThan(10);
});

describe("the token for the weekly comparison", () => {
    const secure = "{ secure: v1:a:b }";
    const github = (more = "") => `config:\n  p:github:\n    repository: r\n${more}`;

    test.each<[string, string, string[]]>([
        ["no repository", "config: {}\n", ["contents read"]],
        ["variables alone", github(), ["contents read", "actions_variables read"]],
        [
            "pull requests",
            github("    delivery: pull-request\n"),
            ["contents read", "actions_variables read", "pull_requests read"],
        ],
        [
            "secrets for everybody",
            github(`  p:repositorySecrets:\n    A: { value: ${secure}, dependabot: true, codespaces: true }\n`),
            [
                ...["contents read", "actions_variables read", "secrets read", "dependabot_secrets read"],
                // GitHub shows their names only to tokens that may write them.
                "codespaces_secrets write",
            ],
        ],
        [
            "secrets of environments",
            github(`  p:repositorySecrets:\n    A: { value: ${secure}, environment: up }\n`),
            ["contents read", "actions_variables read", "environments read"],
        ],
    ])("reads what the stack manages: %s", (_, text, permissions) => {
        const found = [...ciReading(tree({ "Pulumi.ci.yaml": text }))];
        expect(found.map(([name, level]) => `${name} ${level}`)).toEqual(permissions);
    });

    test("is the only one that job has, and asks the App for nothing else", () => {
        const root = tree({ ...inventedFiles, "Pulumi.ci.yaml": github(`  p:repositorySecrets: { A: ${secure} }\n`) });
        const review = workflowFiles(openCheckout(root), theirs.definitions)[".github/workflows/review.yml"] ?? "";
        const { jobs } = parse(review) as {
            jobs: Record<string, { steps: { id?: string; with?: object; env?: Record<string, string> }[] }>;
        };
        const step = (id: string) => jobs.status?.steps.find((one) => one.id === id);
        expect(step("app-token")).toMatchObject({
            with: { "permission-contents": "read", "permission-secrets": "read" },
            env: { "INPUT_PERMISSION-ACTIONS-VARIABLES": "read" },
        });
        expect(JSON.stringify(step("app-token"))).not.toContain("write");
        expect(step("status")?.env?.GITHUB_TOKEN).toBe(
            "${{ steps.app-token.outputs.token || secrets.REPOSITORY_READ_TOKEN || secrets.REPOSITORY_TOKEN }}",
        );
    });
});
