import { availableParallelism } from "node:os";
import { expect, spyOn, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { runUnpin } from "./rollback";
import { forAllEngines, namesToRebuild } from "./up";

const digest = `sha256:${"a".repeat(64)}`;
const image = (key: string) =>
    `${key}: { description: "", name: "ghcr.io/acme/${key}:latest", dockerfile: "Dockerfile", platforms: ["linux/amd64"] }`;
const files = {
    "Pulumi.yaml": "name: images\nruntime: nodejs\n",
    "Pulumi.ci.yaml": `config:
  images:pins:
    base:
      release: r-0123456789ab
      digest: ${digest}
      platforms: { linux/amd64: "${digest}" }
`,
    "images.ts": `export const images = { ${image("base")}, ${image("app")} };\n`,
};

test("an image that the stack's file pins is not taken for one to build again, before anything else", () => {
    spyOn(process, "cwd").mockReturnValue(tree(files));
    const said = spyOn(console, "error").mockReturnValue();
    expect(() => namesToRebuild({ rebuild: "base", stack: "ci" })).toThrow(
        /^up --rebuild: image base is pinned to r-0123456789ab[^]*next: .*unpin -- base --stack ci$/,
    );
    expect([namesToRebuild({ rebuild: "all", stack: "ci" }), said.mock.calls.flat()]).toEqual([
        ["all"],
        [expect.stringMatching(/^warning: image base is pinned to r-0123456789ab: it is not built again/)],
    ]);
    expect([namesToRebuild({ rebuild: "app", stack: "ci" }), said.mock.calls.length]).toEqual([["app"], 1]);
    // The lab's stack has no file here, and so no pin.
    expect([namesToRebuild({ rebuild: "base" }), said.mock.calls.length]).toEqual([["base"], 1]);
    // A channel has the pin from the other stack's file.
    const channel = { "Pulumi.pr-1.yaml": "config:\n  images:buildSettingsOf: ci\n" };
    spyOn(process, "cwd").mockReturnValue(tree({ ...files, ...channel }));
    expect(() => namesToRebuild({ rebuild: "base", stack: "pr-1" })).toThrow(/next: .*unpin -- base --stack ci$/);
    expect(() => runUnpin(["base"], { stack: "pr-1" })).toThrow(
        /the pin of image base is in the file of stack ci.*next: remove it for both: .*unpin -- base --stack ci/s,
    );
});

test("the engines in the file of the stack that is updated decide how many operations Pulumi runs at once", () => {
    const nodes = ["amd64", "arm64"].map((name) => ({ endpoint: `tcp://${name}:1`, platforms: [`linux/${name}`] }));
    const builder = JSON.stringify({ driver: "remote", nodes });
    spyOn(process, "cwd").mockReturnValue(
        tree({ ...files, "Pulumi.two.yaml": `config:\n  images:builder: ${builder}\n` }),
    );
    const [one, two] = ["ci", "two"].map((stack) => forAllEngines({ stack, env: {} }).PULUMI_PARALLEL);
    expect([one, two]).toEqual([undefined, (2 * 4 * availableParallelism()).toString()]);
});
