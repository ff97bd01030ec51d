import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { stackExists } from "./environment";

test("the lab's stack is that of the project in Pulumi.yaml, whatever its name", () => {
    const state = tree({ "pulumi/.pulumi/stacks/ours/local.json": "{}" });
    const paths = { cache: state, state };
    expect(stackExists(paths, tree({ "Pulumi.yaml": "name: ours\n" }))).toBe(true);
    expect(stackExists(paths, tree({ "Pulumi.yaml": "name: theirs\n" }))).toBe(false);
});
