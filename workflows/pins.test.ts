import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { tools as toolchain } from "../lab/toolchain/tools";
import { packageRoot } from "../lib/system/paths";
import { expect, test } from "../tests/mocha";
import { tree } from "../tests/tree";
import { readPins, writePins } from "./pins";

const commit = "c".repeat(40);
const buildkit = "docker.io/moby/buildkit";
const ours = readPins(packageRoot);

test("a repository without pins.json uses the package's pins, and one with pins.json its own for what that lists", () => {
    expect(readPins(tree({}))).toEqual(ours);
    const pin = { version: "v99.0.0", commit };
    const root = tree({ "pins.json": JSON.stringify({ "actions/checkout": pin }) });
    expect(readPins(root)).toEqual({ ...ours, "actions/checkout": pin });
});

describe("a pins.json is refused with its problem if", () => {
    const action = "actions/checkout";
    test.each<[string, string, string]>([
        ["it is not JSON", "{", "the pins of actions can't be read: it is no JSON"],
        ["it is a list", "[]", "not an object"],
        [
            "a name is not an action",
            JSON.stringify({ checkout: { version: "v1", commit } }),
            "checkout: not an action, which is <owner>/<repository>",
        ],
        ["an entry is text", JSON.stringify({ [action]: "v1" }), `${action}: not an object with version and commit`],
        ["a version is missing", JSON.stringify({ [action]: { commit } }), `${action}: version: not text`],
        [
            "a version is a branch",
            JSON.stringify({ [action]: { version: "main", commit } }),
            `${action}: version: not a version such as v1.2.3`,
        ],
        [
            "a commit is short",
            JSON.stringify({ [action]: { version: "v1", commit: "cc" } }),
            `${action}: commit: not a commit of 40 hexadecimal digits`,
        ],
        [
            "an image has a commit",
            JSON.stringify({ [buildkit]: { version: "v1", commit } }),
            `${buildkit}: digest: not text`,
        ],
        [
            "a digest is short",
            JSON.stringify({ [buildkit]: { version: "v1", digest: "sha256:cc" } }),
            `${buildkit}: digest: not sha256: and 64 hexadecimal digits`,
        ],
        [
            "the tag of an image is no release",
            JSON.stringify({ [buildkit]: { version: "latest", digest: `sha256:${"c".repeat(64)}` } }),
            `${buildkit}: version: not a tag with a number`,
        ],
        [
            "no workflow uses an action",
            JSON.stringify({ "x/y": { version: "v1", commit } }),
            "no workflow uses x/y\n  allowed: actions/checkout, ",
        ],
    ])("%s", (_what, text, problem) => {
        const root = tree({ "pins.json": text });
        expect(() => readPins(root)).toThrow(`${root}/pins.json: ${problem}`);
    });
});

test("written are the pins that differ from the package's, and no file if none does", () => {
    const root = tree({});
    const pins = { ...ours, "actions/checkout": { version: "v99.0.0", commit } };
    writePins(root, pins);
    const text = readFileSync(path.join(root, "pins.json"), "utf8");
    expect(JSON.parse(text)).toEqual({ "actions/checkout": pins["actions/checkout"] });
    expect(readPins(root)).toEqual(pins);
    writePins(root, ours);
    expect(existsSync(path.join(root, "pins.json"))).toBe(false);
});

test("BuildKit's image is the release that the lab builds with", () => {
    expect(ours[buildkit]?.version).toBe(`v${toolchain.buildkit.version}`);
});
