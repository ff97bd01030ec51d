import { describe } from "mocha";
import { openCheckout } from "../lib/context/checkout";
import type { ImageDefinitions } from "../lib/hierarchy/definition";
import { inventedFiles } from "../tests/github/invented";
import { theirs } from "../tests/github/world";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { ciBranch, ciBuildArgs } from "./ciStack";
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
