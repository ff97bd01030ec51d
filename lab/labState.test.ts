import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { labDeployment } from "./labState";

const deployment = (latest: unknown) => {
    const text = JSON.stringify({ version: 3, checkpoint: { stack: "local", latest } });
    const state = tree({ "pulumi/.pulumi/stacks/layered-images/local.json": text });
    return labDeployment({ cache: state, state });
};

test("what the lab's stack has deployed is read from its file, and is nothing before the first `up`", () => {
    const resource = { urn: "urn:pulumi:local::layered-images::t::n", type: "t", inputs: { a: 1 }, outputs: {} };
    expect(deployment({ resources: [resource] }).resources).toEqual([resource]);
    expect(deployment(undefined)).toEqual({ resources: [], pending: [] });
});
