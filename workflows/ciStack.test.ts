import { describe, expect, test } from "vitest";
import { images } from "../images";
import { repositoryRoot } from "../lab/paths";
import { tree } from "../tests/tree";
import { ciBranch } from "./ciStack";
import { workflowFiles } from "./files";
import { workflowLayers } from "./layers";

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
            /^Pulumi\.ci\.yaml: github\.branch is .*can't be made for/,
        );
    });
});

test("with another branch, no workflow speaks of main", () => {
    const files = workflowFiles(workflowLayers(repositoryRoot, images), "trunk");
    const lines = Object.values(files).flatMap((text) => text.split("\n").filter((line) => !line.includes("#")));
    expect(lines.filter((line) => /\bmain\b/.test(line))).toEqual([]);
    expect(lines.filter((line) => /\btrunk\b/.test(line)).length).toBeGreaterThan(10);
});
