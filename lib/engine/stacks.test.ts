import { existsSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { fullStackName, labStack, stackFile } from "./stacks";

test("the lab's stack is that of the project in Pulumi.yaml, whatever its name", () => {
    const backend = path.join(tree({ "pulumi/.pulumi/stacks/ours/local.json": "{}" }), "pulumi");
    const hasStack = (name: string) =>
        existsSync(stackFile(backend, labStack, tree({ "Pulumi.yaml": `name: ${name}\n` })));
    expect(hasStack("ours")).toBe(true);
    expect(hasStack("theirs")).toBe(false);
});

test.each([
    ["ci", "acme/images/ci"],
    ["other/ci", "other/images/ci"],
    ["other/project/ci", "other/project/ci"],
])("stack %s is %s", (stack, full) => {
    expect(fullStackName(stack, { organization: "acme", project: "images" })).toBe(full);
});
