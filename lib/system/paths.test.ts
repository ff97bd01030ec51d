import { homedir } from "node:os";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { labPaths } from "./paths";

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
