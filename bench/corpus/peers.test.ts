import { expect, test } from "../../tests/mocha";
import type { Edit, Hierarchy } from "./corpus";
import { executedSteps, filteredEntries, stepsByTarget } from "./peers";

const hierarchy = {
    images: { base: {}, app: {}, "app-docs": {} },
    workflows: {
        base: { after: [], paths: ["base/**"] },
        app: { after: ["base"], paths: ["app/**", "requirements.txt"] },
        "app-docs": { after: ["app"], paths: ["docs/**"] },
    },
} as unknown as Hierarchy;

const set = (of: "images" | "stack", path: string[], value?: unknown): Edit => ({ set: { of, path, value } });

test.each<[string, readonly Edit[], readonly string[], readonly string[]]>([
    ["a path, and those that start after it", [], ["base/Dockerfile"], ["base", "app", "app-docs"]],
    ["a path of an image that nothing is built on", [], ["docs/index.txt", "README"], ["app-docs"]],
    ["a build argument in its workflow", [set("images", ["app", "buildArgs", "A"], "1")], [], ["app", "app-docs"]],
    ["a build argument of the stack", [set("stack", ["buildArgs", "base", "A"], "1")], [], ["base", "app", "app-docs"]],
    ["a description, which no workflow has", [set("images", ["app", "description"], "x")], [], []],
    ["a new image, which brings its workflow", [set("images", ["new"], {})], [], ["new"]],
    ["an image that goes, with its workflow", [set("images", ["app-docs"])], [], []],
    ["a root, of which no path tells", [{ root: { name: "python:3", version: "moved" } }], [], []],
])("path filters rebuild by %s", (_name, edits, changed, expected) => {
    expect([...filteredEntries(hierarchy, edits, changed)]).toEqual(expected);
});

test("an executed step is an instruction that BuildKit completed without its cache", () => {
    const vertex = (name: string, rest: object = {}) => ({ digest: name, name, completed: "2026-11-27", ...rest });
    const log = [
        "not JSON",
        JSON.stringify({ vertexes: [vertex("[2/3] RUN true", { completed: undefined }), vertex("[app 1/3] FROM a")] }),
        JSON.stringify({ vertexes: [vertex("[2/3] RUN true"), vertex("[base 2/2] COPY a b", { cached: true })] }),
        JSON.stringify({ vertexes: [vertex("[web build  2/12] RUN make"), vertex("[app internal] load metadata")] }),
        JSON.stringify({ statuses: [] }),
    ].join("\n");
    expect(executedSteps(log).map(({ name }) => name)).toEqual(["[2/3] RUN true", "[web build  2/12] RUN make"]);
});

test("a step that a target has from the one that it is built on belongs to that one", () => {
    const steps = [
        { digest: "1", name: "[app 2/2] RUN a" },
        { digest: "1", name: "[base 2/2] RUN a" },
        { digest: "2", name: "[app 2/2] RUN b" },
        { digest: "3", name: "[2/2] RUN c" },
    ];
    expect(stepsByTarget(steps, ["base", "app"])).toEqual({ base: ["[base 2/2] RUN a"], app: ["[app 2/2] RUN b"] });
});
