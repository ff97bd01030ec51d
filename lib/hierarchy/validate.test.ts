import { describe } from "mocha";
import { images } from "../../images";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { openCheckout } from "../context/checkout";
import { InputError } from "../errors";
import type { ImageDefinition, ImageDefinitions, RootDefinitions } from "./definition";
import { readImages } from "./prepare";
import { fieldProblems, releasePlaceholders, tagsOfReleases } from "./validate";

const correct = { description: "d", dockerfile: "docker/Dockerfile", platforms: ["linux/amd64"] } as const;
/** An entry with fields that its type does not allow. */
const entry = (changes: object): ImageDefinitions => ({ bot: { ...correct, ...changes } });

test.each([
    ["of this repository", images],
    [
        "with everything that there is",
        entry({
            ...{ name: "ghcr.io/us/bot:latest", context: ".", target: "t", platforms: "host", registryCache: true },
            ...{ buildArgs: { A: "b" }, plainArguments: ["A"], labels: { l: "v" }, secrets: ["S"], smokeTest: "s.sh" },
            ...{ tags: ["v-{commit}", "{date}"] },
        }),
    ],
    ["with fields that are there and undefined", entry({ name: undefined, secrets: undefined })],
])("images %s have no problem", (_name, definitions) => {
    expect(fieldProblems({ images: definitions })).toEqual([]);
});

const known =
    "description, name, additionalNames, tags, dockerfile, context, target, platforms, buildArgs, plainArguments, labels, secrets, " +
    "registryCache, rebuild, maxSize, smokeTest, matrix, exclude, key";

test.each<[string, object, string]>([
    ["a misspelt field", { smoketest: "x" }, `image bot has an unknown field "smoketest"; known are ${known}`],
    ["two", { a: 1, b: 2 }, `image bot has an unknown field "a" and "b"; known are ${known}`],
    ["a field of entries with a matrix", { exclude: [] }, "image bot has the field exclude, but no matrix"],
    ["a field that is missing", { dockerfile: undefined }, "image bot lacks the field dockerfile"],
    ["a number for a text", { target: 1 }, "image bot: its target is not text"],
    ["a text for a flag", { registryCache: "no" }, "image bot: its registryCache is neither true nor false"],
    ["a text for a list", { secrets: "A" }, "image bot: its secrets is not a list"],
    ["a number in an object", { buildArgs: { PORT: 1 } }, "image bot: its buildArgs.PORT is not text"],
    [
        "a size without a unit",
        { maxSize: "500" },
        'image bot: its maxSize is not a number and one of kB, MB, GB, KiB, MiB, GiB, such as "500 MB"',
    ],
    [
        "a text that is no platforms",
        { platforms: "hosts" },
        'image bot: its platforms is neither "host" nor a list such as ["linux/amd64"]',
    ],
])("%s is said", (_name, changes, problem) => {
    expect(fieldProblems({ images: entry(changes) })).toEqual([problem]);
});

test("an entry that is none is said", () => {
    expect(fieldProblems({ images: { bot: "docker/Dockerfile" as unknown as ImageDefinition } })).toEqual([
        `image bot is not an object with the fields ${known}`,
    ]);
});

test("nothing is read of images whose fields are wrong, and every problem is said at once", () => {
    const read = () =>
        readImages(
            openCheckout(tree({})),
            { images: { ...entry({ dockerFile: "x" }), "2": {} as ImageDefinition } },
            { buildArgs: {}, platforms: "all", roots: {} },
        );
    expect(read).toThrow(InputError);
    expect(read).toThrow(
        /images\.ts: image 2 lacks the field description[\s\S]*image bot has an unknown field "dockerFile"/,
    );
});

describe("roots", () => {
    const of = (roots: object) => fieldProblems({ images: {}, roots: roots as RootDefinitions });

    test("that say what ONBUILD has have no problem", () => {
        expect(of({})).toEqual([]);
        expect(of({ "python:3-onbuild": { onBuild: ["COPY . /srv/"] }, "docker.io/a/b": { onBuild: [] } })).toEqual([]);
    });

    test.each<[string, object, string]>([
        ["a misspelt field", { "a:1": { onbuild: [] } }, "root a:1 lacks the field onBuild"],
        ["a text for a list", { "a:1": { onBuild: "COPY a b" } }, "root a:1: its onBuild is not a list"],
        ["a number in a list", { "a:1": { onBuild: [1] } }, "root a:1: its onBuild.0 is not text"],
        ["a list alone", { "a:1": [] }, "root a:1 is not an object with the fields onBuild"],
        ["a text that is no reference", { "a b": { onBuild: [] } }, 'roots: "a b" is not an image reference'],
        [
            "one root in two spellings",
            { a: { onBuild: [] }, "a:latest": { onBuild: [] } },
            "roots lists an image twice: a:latest",
        ],
    ])("%s is said", (_name, roots, problem) => {
        expect(of(roots)[0]).toContain(problem);
    });
});

test.each(Object.entries(releasePlaceholders))(
    "the longest value of %s is one that it can have",
    (name, { longest }) => {
        expect(tagsOfReleases(`v${name}+`).exec(`v${longest}+`)?.[0]).toBe(`v${longest}+`);
    },
);

test("a matrix that was not expanded is refused, with what expands it", () => {
    expect(fieldProblems({ images: entry({ matrix: { A: ["b"] } }) })).toEqual([
        "image bot has a matrix that was not expanded: read images.ts by loadDefinitions",
    ]);
});

test("an images.ts that exports no images is told", () => {
    expect(fieldProblems({})).toEqual(["does not export `images`"]);
});
