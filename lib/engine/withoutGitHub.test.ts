import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { isLeftOut, withoutGitHub } from "./withoutGitHub";

describe("a run without a token", () => {
    test.each<[string, NodeJS.ProcessEnv, string[], string[], boolean]>([
        ["with one changes nothing", { GITHUB_TOKEN: "t" }, ["--refresh"], [], false],
        [
            "leaves out what is on GitHub, and the component that says which files should be there",
            { GITHUB_TOKEN: "" },
            ["--refresh"],
            ["--exclude", "**github:index/**", "--exclude", "**layered-images:components:WorkflowFiles**"],
            true,
        ],
        ["needs no exclusion beside targets", {}, ["--target", "urn:x"], [], true],
        ["needs no exclusion beside targets, however they are written", {}, ["-t=urn:x"], [], true],
    ])("%s", (_, env, args, more, leftOut) => {
        const { args: found, env: changes } = withoutGitHub(env, args);
        expect(found).toEqual(more);
        expect(isLeftOut({ ...env, ...changes })).toBe(leftOut);
    });
});
