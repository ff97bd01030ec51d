import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { tree } from "../../tests/tree";
import { openCheckout } from "../context/checkout";
import {
    type ImageDefinitions,
    type MatrixDefinition,
    entryKeys,
    imagesNamed,
    imagesToRebuild,
    keysOf,
} from "./definition";
import { expandImages } from "./matrix";
import { readHierarchy } from "./prepare";
import type { HierarchySettings } from "./settings";
import { warningsOf } from "./warnings";

const one = { description: "", dockerfile: "Dockerfile", platforms: ["linux/amd64"] } as const;
const python = (changes: Partial<MatrixDefinition> = {}): ImageDefinitions => ({
    python: { ...one, matrix: { PYTHON: ["3.11", "3.12"], CUDA: ["", "12"] }, ...changes },
});

describe("an entry with a matrix becomes", () => {
    test("an image for each combination, with its values in every template and as build arguments", () => {
        const entry = {
            ...one,
            description: "Python {PYTHON}[ with CUDA {CUDA}]",
            name: "ghcr.io/us/python:py{PYTHON}[-cuda{CUDA}]",
            tags: ["py{PYTHON}[-cuda{CUDA}]-{date}"],
            dockerfile: "docker/{PYTHON}/Dockerfile",
            context: "docker/{PYTHON}",
            target: "[cuda{CUDA}]",
            buildArgs: { WHEELS: "https://r.test/[cu{CUDA}/]x[y]" },
            labels: { version: "{PYTHON}" },
            smokeTest: "smoke/{PYTHON}.sh",
            matrix: { PYTHON: ["3.11"], CUDA: ["", "12"] },
        };
        expect(expandImages({ python: entry }).images).toEqual({
            "python-3-11": {
                ...one,
                description: "Python 3.11",
                name: "ghcr.io/us/python:py3.11",
                tags: ["py3.11-{date}"],
                dockerfile: "docker/3.11/Dockerfile",
                context: "docker/3.11",
                buildArgs: { PYTHON: "3.11", CUDA: "", WHEELS: "https://r.test/x[y]" },
                labels: { version: "3.11" },
                smokeTest: "smoke/3.11.sh",
            },
            "python-3-11-12": {
                ...one,
                description: "Python 3.11 with CUDA 12",
                name: "ghcr.io/us/python:py3.11-cuda12",
                tags: ["py3.11-cuda12-{date}"],
                dockerfile: "docker/3.11/Dockerfile",
                context: "docker/3.11",
                target: "cuda12",
                buildArgs: { PYTHON: "3.11", CUDA: "12", WHEELS: "https://r.test/cu12/x[y]" },
                labels: { version: "3.11" },
                smokeTest: "smoke/3.11.sh",
            },
        });
    });

    test("images between those before and after it, which stay as they are", () => {
        const other = { ...one, description: "{X} [y]" };
        const { images, matrices } = expandImages({ a: other, ...python(), z: other });
        expect(Object.keys(images)).toEqual([
            ...["a", "python-3-11", "python-3-11-12", "python-3-12", "python-3-12-12", "z"],
        ]);
        expect([images.a, images.z]).toEqual([other, other]);
        expect(Object.keys(matrices ?? {})).toEqual(["python"]);
        expect(expandImages({ a: other })).toEqual({ images: { a: other } });
    });

    test.each<[string, Partial<MatrixDefinition>, string[]]>([
        [
            "of its own template",
            { key: "py{PYTHON}[-cuda{CUDA}]" },
            ["py3-11", "py3-11-cuda12", "py3-12", "py3-12-cuda12"],
        ],
        [
            "without those that are excluded",
            { exclude: [{ PYTHON: "3.11", CUDA: "12" }] },
            ["python-3-11", "python-3-12", "python-3-12-12"],
        ],
        ["without all that have a value", { exclude: [{ CUDA: "" }] }, ["python-3-11-12", "python-3-12-12"]],
        [
            "in lower case, with dashes",
            { matrix: { OS: ["Debian_13 (slim)", "+a"] } },
            ["python-debian-13-slim", "python-a"],
        ],
        ["of the entry where all values are empty", { matrix: { CUDA: ["", "12"] } }, ["python", "python-12"]],
    ])("images with keys %s", (_name, changes, keys) => {
        expect(Object.keys(expandImages(python(changes)).images)).toEqual(keys);
    });

    test("images that a name stands for: all of the entry's, or one", () => {
        const definitions = expandImages({ ...python({ matrix: { CUDA: ["", "12"] } }), other: one });
        const found = ["python", "python-12", "other", "constructor"].map((name) => keysOf(definitions, name));
        expect(found).toEqual([["python", "python-12"], ["python-12"], ["other"], []]);
        expect(entryKeys(definitions)).toEqual(["python", "other"]);
    });

    test("images that people name by the entry's key or one of theirs, in one run and each once", () => {
        const definitions = expandImages({ ...python({ matrix: { CUDA: ["12", "13"] } }), other: one });
        const named = (...names: string[]) => imagesNamed(definitions, names, { where: "up --rebuild" });
        expect(named("python-13", "python", "other")).toEqual(["python-13", "python-12", "other"]);
        const among = { keys: ["python-13", "other", "gone"], adjective: "published" };
        const published = (...names: string[]) => imagesNamed(definitions, names, { where: "canary", among });
        expect(published("python", "gone")).toEqual(["python-13", "gone"]);
        expect(() => named("$(reboot)", "python", "--refresh")).toThrow(
            'up --rebuild: there is no image "$(reboot)", "--refresh"\n  allowed: python, python-12, python-13, other\n  next: ',
        );
        expect(() => published("python-12")).toThrow(
            'canary: there is no published image "python-12"\n  allowed: python, python-13, other, gone\n',
        );
    });

    test("images to build again: also all of them, unless an image has that key", () => {
        const definitions = expandImages({ ...python({ matrix: { CUDA: ["12", "13"] } }), other: one });
        const rebuilt = (...names: string[]) => imagesToRebuild(definitions, names, { where: "up --rebuild" });
        expect([rebuilt("python"), rebuilt()]).toEqual([["python-12", "python-13"], []]);
        expect(rebuilt("all")).toEqual(["python-12", "python-13", "other"]);
        // The stack may build only some of them.
        const among = { keys: ["python-12", "other"], adjective: "built" };
        expect(imagesToRebuild(definitions, ["all"], { where: "up --rebuild", among })).toEqual(["python-12", "other"]);
        expect(() => rebuilt("all", "othre")).toThrow(
            'there is no image "othre"\n  allowed: python, python-12, python-13, other',
        );
        const named = expandImages({ all: one, other: one });
        expect(imagesToRebuild(named, ["all"], { where: "up --rebuild" })).toEqual(["all"]);
    });
});

test.each<[string, Partial<MatrixDefinition> | object, string]>([
    ["a number", { matrix: { PYTHON: [3.1] } }, "image python: its matrix.PYTHON.0 is not text"],
    ["a text for values", { matrix: { PYTHON: "3.1" } }, "image python: its matrix.PYTHON is not a list"],
    ["a list for a matrix", { matrix: ["3.1"] }, "image python: its matrix is not an object of lists"],
    ["a misspelt field", { exlude: [] }, 'image python has an unknown field "exlude"; known are description,'],
    ["no variable", { matrix: {} }, "image python: its matrix has no combination"],
    ["no value", { matrix: { A: [] } }, "image python: the variable A of its matrix has no values"],
    [
        "a value twice",
        { matrix: { A: ["1", "1"] } },
        'image python: the variable A of its matrix has the value "1" twice',
    ],
    [
        "what is no argument",
        { matrix: { "A-B": ["1"] } },
        'image python: the variable "A-B" of its matrix can\'t be a build argument',
    ],
    [
        "what releases fill in",
        { matrix: { date: ["1"] } },
        "image python: its matrix has the variable date, but {date} in tags is",
    ],
    [
        "a build argument of the same name",
        { buildArgs: { CUDA: "1" } },
        "image python: its buildArgs has CUDA, which is a variable",
    ],
    [
        "all combinations excluded",
        { exclude: [{ CUDA: "" }, { CUDA: "12" }] },
        "image python: its matrix has no combination",
    ],
    [
        "a value excluded that there is not",
        { exclude: [{ CUDA: "13" }] },
        "image python: exclude has CUDA=13, which its matrix does not have: allowed are , 12",
    ],
    [
        "a variable excluded that there is not",
        { exclude: [{ CUDDA: "" }] },
        "image python: exclude has CUDDA=, which its matrix does not have: allowed are PYTHON, CUDA",
    ],
    [
        "an unknown placeholder",
        { name: "ghcr.io/us/a:{PYTHN}" },
        "image python: its name has {PYTHN}: its matrix has {PYTHON}, {CUDA}",
    ],
    [
        "a placeholder of releases",
        { labels: { a: "{date}" } },
        "image python: its labels.a has {date}: its matrix has {PYTHON}, {CUDA}",
    ],
    [
        "two of one name",
        { name: "ghcr.io/us/a:{PYTHON}" },
        'image python: PYTHON=3.11 CUDA="" and PYTHON=3.11 CUDA=12 have the same name ghcr.io/us/a:3.11: write {CUDA} in its name',
    ],
    [
        "two of one key",
        { key: "py[-{CUDA}]" },
        'image python: PYTHON=3.11 CUDA="" and PYTHON=3.12 CUDA="" have the same key py: write {PYTHON} in its key',
    ],
    [
        "values that only differ in what no key can have",
        { matrix: { A: ["1.2", "1-2"] } },
        "image python: A=1.2 and A=1-2 have the same key python-1-2: write {A} in its key",
    ],
])("a matrix with %s is refused", (_name, changes, problem) => {
    expect(() => expandImages(python(changes))).toThrow(`images.ts: ${problem}`);
});

test("a key that another entry has, or another matrix gives, is refused", () => {
    const matrix = { A: ["1"] };
    expect(() => expandImages({ "x-1": one, x: { ...one, matrix } })).toThrow(
        "image x: A=1 has the key x-1, which image x-1 has too",
    );
    expect(() => expandImages({ x: { ...one, matrix }, y: { ...one, matrix, key: "x-{A}" } })).toThrow(
        "image y: A=1 has the key x-1, which image x has too",
    );
    // The name of an entry stands for its images, so no other image can have it.
    expect(() => expandImages({ x: { ...one, matrix, key: "y" }, y: { ...one, matrix } })).toThrow(
        "which image y has too",
    );
});

const settings: HierarchySettings = { platforms: "all", roots: {}, buildArgs: {} };
const files = {
    "docker/base": 'FROM python:3\nARG PYTHON\nARG CUDA=none\nRUN echo "$PYTHON $CUDA"\n',
    "docker/app": "ARG PYTHON\nARG CUDA\nFROM ghcr.io/us/base:py${PYTHON}${CUDA:+-cuda$CUDA}\nRUN true\n",
};
const read = (
    images: ImageDefinitions,
    changes: Partial<HierarchySettings> = {},
    more: Readonly<Record<string, string>> = {},
) => readHierarchy(openCheckout(tree({ ...files, ...more })), expandImages(images), { ...settings, ...changes });
const base: MatrixDefinition = {
    ...one,
    name: "ghcr.io/us/base:py{PYTHON}[-cuda{CUDA}]",
    dockerfile: "docker/base",
    matrix: { PYTHON: ["3.11", "3.12"], CUDA: ["", "12"] },
};
const app: MatrixDefinition = { ...base, name: "ghcr.io/us/app:py{PYTHON}[-cuda{CUDA}]", dockerfile: "docker/app" };

describe("the images of a matrix", () => {
    const value = fc.stringMatching(/^[a-z0-9]{1,3}$/);
    const values = fc.uniqueArray(fc.oneof(fc.constant(""), value), { minLength: 1, maxLength: 3 });

    test("have different keys and names, and are built like those that somebody writes one by one", () => {
        fc.assert(
            fc.property(fc.uniqueArray(value, { minLength: 1, maxLength: 3 }), values, (pythons, cudas) => {
                const matrix = { PYTHON: pythons, CUDA: cudas };
                const labels = { cuda: "[with {CUDA}]" };
                const expanded = read({ base: { ...base, matrix, labels, key: "p{PYTHON}-c{CUDA}x" } }).images;
                const combinations = pythons.flatMap((python) => cudas.map((cuda) => [python, cuda] as const));
                const written = read(
                    Object.fromEntries(
                        combinations.map(([PYTHON, CUDA]) => [
                            `p${PYTHON}-c${CUDA}x`,
                            {
                                ...one,
                                name: `ghcr.io/us/base:py${PYTHON}${CUDA === "" ? "" : `-cuda${CUDA}`}`,
                                dockerfile: "docker/base",
                                buildArgs: { PYTHON, CUDA },
                                labels: { cuda: CUDA === "" ? "" : `with ${CUDA}` },
                            },
                        ]),
                    ),
                ).images;
                // Only the names of their caches differ.
                const built = (images: typeof expanded) => images.map((image) => ({ ...image, cacheTag: "" }));
                expect(built(expanded)).toEqual(built(written));
                expect(new Set(expanded.map(({ inputHash }) => inputHash)).size).toBe(combinations.length);
            }),
            { numRuns: 25 },
        );
    });

    test("are built on the parent of the same values, and a child with fewer variables on one", () => {
        const tools = {
            ...one,
            name: "ghcr.io/us/tools:{PYTHON}",
            dockerfile: "docker/app",
            matrix: { PYTHON: ["3.11", "3.12"] },
        };
        const { images } = read({ base, app, tools });
        expect(images.map(({ key, parents: [parent] }) => [key, parent?.key])).toEqual([
            ...["base-3-11", "base-3-11-12", "base-3-12", "base-3-12-12"].map((key) => [key, undefined]),
            ...["3-11", "3-11-12", "3-12", "3-12-12"].map((key) => [`app-${key}`, `base-${key}`]),
            ["tools-3-11", "base-3-11"],
            ["tools-3-12", "base-3-12"],
        ]);
    });

    test("whose parent there is not are refused with the names of those that there are", () => {
        expect(() => read({ base: { ...base, exclude: [{ PYTHON: "3.11", CUDA: "12" }] }, app })).toThrow(
            /docker\/app:3: ghcr\.io\/us\/base:py3\.11-cuda12 is in the namespace .*allowed: ghcr\.io\/us\/base:py3\.11, ghcr\.io\/us\/base:py3\.12, ghcr\.io\/us\/base:py3\.12-cuda12, /,
        );
    });

    test("have caches that don't depend on each other, and an image that was there before them keeps its own", () => {
        const tagsOf = (images: ImageDefinitions, registry?: string) =>
            read(images, registry === undefined ? {} : { registry }).images.map(({ cacheTag }) => cacheTag);
        const alone = { ...one, name: "ghcr.io/us/base:1", dockerfile: "docker/base" };
        const matrix = (...values: string[]) => ({
            ...alone,
            name: "ghcr.io/us/base:1[-{CUDA}]",
            matrix: { CUDA: values },
        });
        expect(tagsOf({ base: alone })).toEqual(["cache"]);
        expect(tagsOf({ base: matrix("11", "", "12") })).toEqual(["cache-base-11", "cache", "cache-base-12"]);
        expect(tagsOf({ base: matrix("12") })).toEqual(["cache-base-12"]);
        expect(tagsOf({ a: matrix("12"), base: alone, b: { ...alone, name: "ghcr.io/us/base:2" } })).toEqual([
            ...["cache-a-12", "cache", "cache-b"],
        ]);
        const elsewhere = { base: alone, other: { ...alone, name: "quay.io/us/base:2" } };
        expect(tagsOf(elsewhere)).toEqual(["cache", "cache"]);
        expect(tagsOf(elsewhere, "r.test")).toEqual(["cache", "cache-other"]);
    });

    test("get the stack's build arguments of their entry, overridden by their own", () => {
        const argument = { "docker/base": `${files["docker/base"]}ARG A\nARG B\nRUN echo "$A $B"\n` };
        const buildArgs = { "base-3-12": { A: "own" }, base: { A: "all", B: "all" } };
        const images = Object.fromEntries(
            read({ base }, { buildArgs }, argument).images.map((image) => [image.key, image]),
        );
        expect(images["base-3-11"]?.buildArgs).toMatchObject({ PYTHON: "3.11", A: "all", B: "all" });
        expect(images["base-3-12"]?.buildArgs).toMatchObject({ PYTHON: "3.12", A: "own", B: "all" });
        expect(images["base-3-12-12"]?.buildArgs).toMatchObject({ A: "all", B: "all" });
    });

    test("are rebuilt by the periods that the stack's configuration gives to all of them or to one", () => {
        const rebuilds = { "base-3-12": "2026-W49", base: "2026-W48" };
        const periods = read({ base, other: { ...one, dockerfile: "docker/base" } }, { rebuilds }).images.map(
            ({ key, rebuild }) => [key, rebuild],
        );
        expect(Object.fromEntries(periods)).toEqual({
            "base-3-11": "2026-W48",
            "base-3-11-12": "2026-W48",
            "base-3-12": "2026-W49",
            "base-3-12-12": "2026-W48",
            other: undefined,
        });
        expect(() => read({ base }, { rebuilds: { bse: "2026-W48" } })).toThrow(
            /the stack's setting `rebuilds`: there is no image "bse"\n {2}allowed: base, base-3-11, base-3-11-12,/,
        );
    });

    test.each([
        [
            "an unknown image",
            { bse: { A: "1" } },
            /the stack's setting `buildArgs`: there is no image "bse"\n {2}allowed: base, base-3-11, base-3-11-12,/,
        ],
        [
            "a variable of the entry",
            { base: { CUDA: "1" } },
            /buildArgs sets CUDA of image base-3-11, which is a variable of the matrix of base/,
        ],
        [
            "a variable of one of them",
            { "base-3-12": { CUDA: "1" } },
            /buildArgs sets CUDA of image base-3-12, which is a variable/,
        ],
    ])("can't get from the stack %s", (_name, buildArgs, problem) => {
        expect(() => read({ base }, { buildArgs })).toThrow(problem);
    });

    test("are told of a variable that decides nothing, neither in the Dockerfile nor in what is built", () => {
        const warned = (changes: Partial<MatrixDefinition>) =>
            warningsOf(read({ base: { ...base, matrix: { ...base.matrix, OS: ["a"] }, ...changes } }), []).filter(
                (text) => text.includes(" OS "),
            );
        expect(warned({ exclude: [{ PYTHON: "3.12" }, { CUDA: "12" }] })).toEqual([
            "build argument OS of image base-3-11-a has no effect: the stages that docker/base builds have no ARG OS. Declare it there, " +
                "or remove it from the matrix",
        ]);
        expect(warned({ labels: { os: "{OS}" } })).toEqual([]);
    });
});
