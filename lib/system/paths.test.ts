import { homedir } from "node:os";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { labPaths, repositoryRoot } from "./paths";

const ofHome = {
    cache: path.join(homedir(), ".cache/layered-images"),
    state: path.join(homedir(), ".local/state/layered-images"),
};

test.each<[string, NodeJS.ProcessEnv, ReturnType<typeof labPaths>]>([
    ["nothing set", {}, ofHome],
    ["the XDG folders empty", { XDG_CACHE_HOME: "", XDG_STATE_HOME: "" }, ofHome],
    ["the XDG folders relative", { XDG_CACHE_HOME: "cache", XDG_STATE_HOME: "./state" }, ofHome],
    [
        "the XDG folders",
        { XDG_CACHE_HOME: "/a b", XDG_STATE_HOME: "/c" },
        { cache: "/a b/layered-images", state: "/c/layered-images" },
    ],
    [
        "LAYERED_IMAGES_HOME beside the XDG folders",
        { LAYERED_IMAGES_HOME: "/d", XDG_CACHE_HOME: "/a" },
        { cache: "/d/cache", state: "/d/state" },
    ],
])("with %s the lab's places are known and absolute", (_name, env, places) => {
    expect(labPaths(env)).toEqual(places);
});

describe("the repository's root is the nearest folder with a Pulumi.yaml", () => {
    test.each([
        ["", ""],
        ["a/b", ""],
        ["nested", "nested"],
    ])("from %j it is %j", (from, expected) => {
        const root = tree({ "Pulumi.yaml": "", "a/b/file": "", "nested/Pulumi.yaml": "" });
        expect(repositoryRoot(path.join(root, from))).toBe(path.join(root, expected));
    });

    test("outside of a repository the error names the folder and the file", () => {
        const folder = tree({ file: "" });
        expect(() => repositoryRoot(folder)).toThrow(`${folder}: there is no Pulumi.yaml here or in a folder above`);
    });
});
