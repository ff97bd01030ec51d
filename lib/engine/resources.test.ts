import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { PreparedImage } from "../hierarchy/prepare";
import { packageRoot } from "../system/paths";
import {
    componentTypes,
    contentIn,
    deploymentPlace,
    dockerTypes,
    githubTitle,
    githubTypes,
    imageAbove,
    imageInputs,
    isExecutable,
    isInside,
    isPublished,
    isSmokeTest,
    namedImages,
    pinIn,
    pushedBy,
    readImage,
    readUrn,
    readWorkflowFiles,
} from "./resources";

const digest = `sha256:${"a".repeat(64)}`;

describe("a URN", () => {
    const inside = `urn:pulumi:acme/ci::p::${componentTypes.workflowFiles}$${githubTypes.file}::a::b`;

    test("has a stack, types from the outermost to its own, and a name, which may hold its separator", () => {
        expect(readUrn(inside)).toEqual({
            stack: "acme/ci",
            types: [componentTypes.workflowFiles, githubTypes.file],
            name: "a::b",
        });
    });

    test("lies in the components whose types it has before its own", () => {
        expect(isInside(inside, componentTypes.workflowFiles)).toBe(true);
        expect(isInside(inside, githubTypes.file)).toBe(false);
        expect(isInside(`urn:pulumi:s::p::${componentTypes.workflowFiles}::w`, componentTypes.workflowFiles)).toBe(
            false,
        );
    });

    test.each([
        [componentTypes.image, "bot"],
        [`${componentTypes.image}$${componentTypes.promotion}`, "bot"],
        [componentTypes.hierarchy, undefined],
        [githubTypes.file, undefined],
    ])("of %s says which image it is of: %s", (types, image) => {
        expect(imageAbove(`urn:pulumi:s::p::${types}::bot`)).toBe(image);
    });

    test("that is none has itself as its name", () => {
        expect(readUrn("elsewhere").name).toBe("elsewhere");
        expect(imageAbove("")).toBeUndefined();
    });
});

test("what the component of an image says is read as it was written", () => {
    const file = { path: "run.sh", hash: "b".repeat(64), executable: true };
    const prepared = {
        definition: { dockerfile: "Dockerfile", secrets: ["TOKEN"] },
        meaning: "FROM a",
        parents: [{ expanded: "a", key: "base", platforms: {} }],
        roots: [
            { expanded: "python:3", pin: `r.io/python@${digest}`, from: [] },
            { expanded: "debian:13", pin: undefined, from: [] },
        ],
        frontend: { expanded: "docker/dockerfile:1", pin: undefined, from: [] },
        platforms: ["linux/amd64"],
        inputs: [
            file,
            { path: "link", hash: "", executable: false, symlink: "run.sh" },
            { path: "logs", hash: "", executable: false, folder: true },
        ],
        inputHash: "0123456789ab",
    } as unknown as PreparedImage;
    const written = imageInputs(prepared);
    const read = readImage(JSON.parse(JSON.stringify(written)) as Record<string, unknown>);
    expect(read).toEqual(written);
    expect(read).toMatchObject({
        parents: ["base"],
        frontend: "docker/dockerfile:1",
        inputs: { "run.sh": `${"b".repeat(12)} executable`, link: "→ run.sh", "logs/": "folder" },
        secrets: ["TOKEN"],
    });
    expect(Object.values(read.roots).map(pinIn)).toEqual([`r.io/python@${digest}`, undefined, undefined]);
    expect([isExecutable(read.inputs["run.sh"] ?? ""), contentIn(read.inputs["run.sh"] ?? "")]).toEqual([
        true,
        "b".repeat(12),
    ]);
});

test("a state of an older version has no Dockerfile and no input hash, and is read all the same", () => {
    expect(readImage({ parents: ["base"], inputs: { a: "1" } })).toEqual({
        ...{ parents: ["base"], inputs: { a: "1" }, roots: {}, platforms: [], secrets: [], smokeTests: {} },
    });
    expect(
        readWorkflowFiles([{ type: componentTypes.workflowFiles, inputs: { repository: "r", files: ["a.yml"] } }]),
    ).toEqual({
        ...{ repository: "r", branch: "main", files: {} },
    });
});

test("a build is no smoke test, and is published where it has a tag and a digest", () => {
    const build = { buildArgs: { INPUT_HASH: "1" }, tags: ["r.io/us/bot:b-1-amd64"] };
    expect([isSmokeTest(build), isSmokeTest({ buildArgs: { SCRIPTS: "a" } }), isSmokeTest({})]).toEqual([
        false,
        true,
        true,
    ]);
    expect([isPublished(build), isPublished({ tags: [] }), isPublished({})]).toEqual([true, false, false]);
    expect(pushedBy({ inputs: build, outputs: { digest } })).toBe(`r.io/us/bot@${digest}`);
    expect(pushedBy({ inputs: build, outputs: { digest: "" } })).toBeUndefined();
    expect(pushedBy({ inputs: {}, outputs: { digest } })).toBeUndefined();
});

test("named contexts that are images are told by what they name", () => {
    const named = { a: { location: `docker-image://r.io/a@${digest}` }, b: { location: "./folder" } };
    expect(namedImages({ context: { location: ".", named } })).toEqual({ a: `r.io/a@${digest}` });
    expect(namedImages({})).toEqual({});
});

test.each([
    [githubTypes.actionsSecret, { secretName: "A" }, "secret A"],
    [githubTypes.dependabotSecret, { secretName: "A" }, "secret A (dependabot)"],
    [githubTypes.variable, { variableName: "CI_IMAGE" }, "variable CI_IMAGE"],
    [githubTypes.file, { file: "a.yml" }, "file a.yml"],
    [githubTypes.branch, { branch: "b" }, "branch b"],
    ["github:index/other:Other", {}, "x"],
])("%s of %j is called %s", (type, inputs, title) => {
    expect(githubTitle({ urn: `urn:pulumi:s::p::${type}::x`, type, inputs, outputs: {} })).toBe(title);
});

test("no other file of the program spells out what is named here", () => {
    const below = (folder: string) =>
        readdirSync(path.join(packageRoot, folder), { recursive: true, encoding: "utf8" }).map((file) =>
            path.join(folder, file),
        );
    const files = [...["lib", "components", "cli", "workflows"].flatMap(below), "config.ts"].filter(
        (file) => /(?<!\.test)\.ts$/.test(file) && !file.endsWith(path.join("engine", "resources.ts")),
    );
    const spelt =
        /layered-images:components:|docker-build:index|providers:docker-build|github:index|INPUT_HASH|docker-image:\/\//;
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => spelt.test(readFileSync(path.join(packageRoot, file), "utf8")))).toEqual([]);
    for (const type of [...Object.values(componentTypes), ...Object.values(dockerTypes)]) expect(type).toMatch(spelt);
});

test.each([
    ["app.example.org", 22, "deploy@app.example.org"],
    ["app.example.org", 2222, "deploy@app.example.org:2222"],
    ["2001:db8::1", 22, "deploy@[2001:db8::1]"],
    ["2001:db8::1", 2222, "deploy@[2001:db8::1]:2222"],
])("people read %s with port %s as %s", (host, port, text) => {
    expect(deploymentPlace({ user: "deploy", host, port })).toBe(text);
});
