import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { type ResourceState, type Step, unknown } from "../engine/preview";
import { planRepository, hasWork } from "./repository";

const state = (type: string, inputs: Record<string, unknown>): ResourceState => ({
    type,
    custom: true,
    inputs,
    outputs: {},
    retainOnDelete: false,
});
function step(type: string, op: string, before?: Record<string, unknown>, after?: Record<string, unknown>): Step {
    const name = `repository-${type}`;
    return {
        op,
        urn: `urn:pulumi:s::p::github:index/${type}::${name}`,
        type: `github:index/${type}`,
        name,
        parent: "repository",
        old: before && state(type, before),
        new: after && state(type, after),
        reasons: [],
    };
}
const secret = "actionsSecret:ActionsSecret";
const variable = "actionsVariable:ActionsVariable";
const value = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:hunter2" };

describe("on GitHub", () => {
    test.each<[string, Step, unknown]>([
        [
            "a new secret, by its name alone",
            step(secret, "create", undefined, { secretName: "DISCORD_TOKEN", value }),
            { kind: "secret", name: "DISCORD_TOKEN", action: "create" },
        ],
        [
            "a changed secret of Dependabot",
            step(
                "dependabotSecret:DependabotSecret",
                "replace",
                { secretName: "T", value: "a" },
                { secretName: "T", value },
            ),
            { kind: "secret", name: "T (Dependabot)", action: "update" },
        ],
        [
            "a variable that is no longer ours",
            step(variable, "delete", { variableName: "CI_IMAGE", value: "x" }),
            { kind: "variable", name: "CI_IMAGE", action: "delete" },
        ],
        [
            "a variable that follows a digest",
            step(
                variable,
                "update",
                { variableName: "CI_IMAGE", value: "x" },
                { variableName: "CI_IMAGE", value: unknown },
            ),
            { kind: "variable", name: "CI_IMAGE", action: "maybe" },
        ],
        [
            "a variable with another value",
            step(
                variable,
                "update",
                { variableName: "CI_IMAGE", value: "x" },
                { variableName: "CI_IMAGE", value: "y" },
            ),
            { kind: "variable", name: "CI_IMAGE", action: "update" },
        ],
        [
            "a workflow file",
            step(
                "repositoryFile:RepositoryFile",
                "update",
                { file: ".github/a.yml", content: "1" },
                { file: ".github/a.yml", content: "2" },
            ),
            { kind: "file", name: ".github/a.yml", action: "update" },
        ],
        [
            "a pull request",
            step("repositoryPullRequest:RepositoryPullRequest", "create", undefined, { title: "Update the workflows" }),
            { kind: "pull request", name: "Update the workflows", action: "create" },
        ],
    ])("%s is said", (_title, one, expected) => {
        const found = planRepository([one]);
        expect(found).toEqual([expected]);
        expect(JSON.stringify(found)).not.toContain("hunter2");
    });

    test("a pull request that is taken up again is changed, not made", () => {
        const taken = step("repositoryPullRequest:RepositoryPullRequest", "import", undefined, { title: "Update" });
        expect(planRepository([taken])).toEqual([{ kind: "pull request", name: "Update", action: "update" }]);
    });

    test("a file that the branch has just as it is wanted is taken over, which is no change and no work", () => {
        const taken = step("repositoryFile:RepositoryFile", "import", undefined, { file: "a.yml" });
        expect(planRepository([taken])).toEqual([]);
        expect(hasWork([taken])).toBe(false);
        expect(hasWork([{ ...taken, op: "update" }])).toBe(true);
    });

    describe("a variable that follows an image's digest is certain", () => {
        const digest = `sha256:${"a".repeat(64)}`;
        const held = { variableName: "CI_IMAGE", value: `r.io/us/ci@${digest}` };
        const follows = step(variable, "update", held, { ...held, value: unknown });
        const indexType = "docker-build:index:Index";
        const component: Step = {
            ...step("x", "same", {}, {}),
            type: "layered-images:components:ImageLayer",
            name: "ci",
        };
        const index = (before: object, after: object): Step => ({
            ...step("x", "update", { tag: "r.io/us/ci:latest", ...before }, { tag: "r.io/us/ci:latest", ...after }),
            type: indexType,
            name: "ci",
        });
        const arguments_ = { platforms: ["linux/amd64"], buildArgs: { INPUT_HASH: "1" } };
        const built = step("x", "same", arguments_, arguments_);
        const build: Step = {
            ...built,
            ...{ type: "docker-build:index:Image", name: "ci-amd64", parent: "ci" },
            old: built.old && { ...built.old, outputs: { digest: "x" } },
        };
        test.each<[string, object, object, string]>([
            ["where that moves to another registry", {}, { tag: "other.io/us/ci:latest", sources: unknown }, "update"],
            ["where its index gets other builds", { sources: ["x", "y"] }, { sources: ["x"] }, "update"],
            [
                "where what was built last is not promoted yet",
                { sources: ["r.io/us/ci@old"] },
                { sources: [unknown] },
                "update",
            ],
            ["not where its builds may stay", { sources: ["r.io/us/ci@x"] }, { sources: [unknown] }, "maybe"],
            [
                "not where its tag alone becomes another",
                { sources: ["x"] },
                { tag: "r.io/us/ci:new", sources: ["x"] },
                "maybe",
            ],
        ])("%s", (_title, before, after, action) => {
            expect(planRepository([component, build, index(before, after), follows])).toMatchObject([{ action }]);
        });

        test("of another image in the same repository is not", () => {
            const other = { variableName: "CI_NEXT_IMAGE", value: `r.io/us/ci@${digest}` };
            const steps = [component, build, index({ sources: ["x", "y"] }, { sources: ["x"] }), follows];
            const next = { ...step(variable, "update", other, { ...other, value: unknown }), urn: "next" };
            expect(planRepository([...steps, next])).toMatchObject([
                { name: "CI_IMAGE", action: "update" },
                { name: "CI_NEXT_IMAGE", action: "maybe" },
            ]);
        });

        test("not where a build that was not promoted is done again: it may come back to what is promoted", () => {
            const again: Step = {
                ...build,
                op: "update",
                new: state("x", { ...arguments_, buildArgs: { INPUT_HASH: "2" } }),
            };
            const steps = [component, again, index({ sources: ["r.io/us/ci@old"] }, { sources: [unknown] }), follows];
            expect(planRepository(steps)).toMatchObject([{ action: "maybe" }]);
        });

        test("not where the registry lost a build, of which the engine says nothing", () => {
            const same = step(variable, "same", held, held);
            expect(planRepository([same], new Set(["ci"]))).toMatchObject([{ name: "CI_IMAGE", action: "maybe" }]);
            expect(planRepository([same], new Set(["bot"]))).toEqual([]);
        });
    });

    test("what stays, what is only looked up and what is of no concern is left out", () => {
        const same = { secretName: "A", value: "x" };
        expect(planRepository([step(secret, "same", same, same), step(secret, "read", same, same)])).toEqual([]);
        expect(planRepository([step("other:Other", "create", undefined, {})])).toEqual([]);
    });

    test("a replacement is one line, whatever the steps that it takes", () => {
        const [before, after] = [
            { secretName: "A", value: "1" },
            { secretName: "A", value: "2" },
        ];
        const ops = ["delete-replaced", "replace", "create-replacement"];
        expect(planRepository(ops.map((op) => step(secret, op, before, after)))).toEqual([
            { kind: "secret", name: "A", action: "update" },
        ]);
    });
});
