import { expect, test } from "../tests/mocha";
import { asOurs, bakeFile, bareResources, triggered } from "./competitors";
import { lightHierarchy, torchHierarchy } from "./hierarchies";
import { images } from "../images";
import { scenarios } from "./scenarios";

const all = ["base", "ci", "bot", "devcontainer"];

test.each<[string, string[] | undefined, string[]]>([
    ["no file", [], []],
    ["app code", ["app/bot/client.py"], ["bot"]],
    ["the tests of the app", ["app/tests/test_bot.py"], []],
    ["requirements", ["requirements/requirements.txt"], ["ci", "bot", "devcontainer"]],
    ["the base's Dockerfile, after which the others run by workflow_run", ["docker/Dockerfile.base"], all],
    [
        "a file and what the base installs: no workflow runs twice",
        ["app/bot/a.py", "requirements/requirements-torch.txt"],
        all,
    ],
    ["the first push", undefined, all],
])("path filters on %s: their workflows run, the base's first", (_name, changed, keys) => {
    expect(triggered(lightHierarchy().images, changed)).toEqual(keys);
});

test.each([lightHierarchy(), torchHierarchy()])(
    "$name: every change changes its file, differently each time",
    (hierarchy) => {
        for (const { file, edit } of Object.values(hierarchy.edits)) {
            const text = hierarchy.files[file] ?? "";
            expect(text).not.toBe("");
            const first = edit(text, { competitor: "ours", run: 1 });
            const second = edit(first, { competitor: "ours", run: 2 });
            const third = edit(second, { competitor: "ours", run: 3 });
            const other = edit(text, { competitor: "bake", run: 1 });
            expect(new Set([text, first, second, third, other]).size).toBe(5);
        }
        expect(Object.keys(hierarchy.images)).toEqual(all);
        expect(hierarchy.files["images.ts"]).not.toContain("smokeTest");
    },
);

test("the hierarchy with PyTorch is this repository's", () => {
    const measured = torchHierarchy();
    for (const [key, { name, dockerfile }] of Object.entries(images)) {
        expect(measured.images[key]).toMatchObject({ dockerfile, ...(name !== undefined && { name }) });
        expect(measured.files).toHaveProperty([dockerfile]);
    }
    for (const { changed } of scenarios) expect(all).toEqual(expect.arrayContaining([...changed]));
});

test("bake links the images by the base's name without latest: with it BuildKit would look for the base in a registry", () => {
    const lab = { instance: { registry: "registry.test" } };
    const root = "registry.test/python@sha256:00";
    const file = bakeFile({ lab, hierarchy: lightHierarchy(), id: "bake" }, asOurs, root) as {
        target: Record<string, { contexts: object; tags?: string[] }>;
    };
    expect(file.target.base?.contexts).toEqual({ "python:3.12-slim": `docker-image://${root}` });
    expect(file.target.ci).toMatchObject({
        contexts: { "ghcr.io/bench/base": "target:base" },
        tags: ["registry.test/bake/bench/ci:latest"],
    });
    expect(file.target.devcontainer).not.toHaveProperty("tags");
});

test("bare are the resources of providers, by class; one that the bare program can't register is refused", () => {
    const urn = (name: string) => `urn:pulumi:bench::ours::a$b::${name}`;
    const inputs = { tag: "a" };
    const provider = { type: "pulumi:providers:docker-build", urn: urn("default"), custom: true };
    const component = { type: "layered-images:index:Image", urn: urn("base") };
    const index = { type: "docker-build:index:Index", urn: urn("base"), custom: true, inputs };
    expect(bareResources([provider, component, index])).toEqual([{ class: "Index", name: "base", inputs }]);
    const secret = { type: "github:index/actionsSecret:ActionsSecret", urn: urn("secret"), custom: true };
    expect(() => bareResources([secret])).toThrow("secret");
});
