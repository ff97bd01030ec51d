import { standInRoot } from "../lab/root/standIn";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { neededParts } from "./openStack";
import { knownStacks } from "./preflight";

test("the stacks are those that the engine lists", () => {
    expect(knownStacks('[{"name":"local","current":true},{"name":"o/p/ci"}]')).toEqual(["local", "o/p/ci"]);
    expect(() => knownStacks("error: no backend")).toThrow(SyntaxError);
});

test("a build argument of the lab's stack decides what the lab needs, also for all images of a matrix", () => {
    const image =
        '{ description: "", matrix: { V: ["1"] }, name: "ghcr.io/us/app:{V}", dockerfile: "Dockerfile", platforms: "host" }';
    const files = {
        "Pulumi.yaml": "name: images\nruntime: nodejs\n",
        "images.ts": `export const images = { app: ${image} };\n`,
        Dockerfile: "ARG FROM=debian:12\nFROM ${FROM}\nARG V\n",
    };
    const needed = (more: Readonly<Record<string, string>>) => neededParts(tree({ ...files, ...more }));
    expect(needed({})).toEqual({ standIn: false, emulation: false, otherRoots: false });
    const stack = `config:\n  images:buildArgs:\n    app:\n      FROM: ${standInRoot}\n`;
    expect(needed({ "Pulumi.local.yaml": stack })).toEqual({ standIn: true, emulation: false, otherRoots: false });
    expect(needed({ "Pulumi.ci.yaml": stack })).toEqual({ standIn: false, emulation: false, otherRoots: false });
});
